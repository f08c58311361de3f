"""When a cycle is due for its commit."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from streams.engine.cycle import COMMITS_SHARE_MAX, IDLE_SHARE_MAX, STRETCHED_SECONDS_MAX, Cycle
from streams.engine.settings import EngineSettings

SETTINGS = EngineSettings("", "", "", Path(), commit_interval_ms=100, commit_early_ms=20, cycle_records_max=1_000)


class StillLoop(asyncio.SelectorEventLoop):
    def time(self) -> float:
        return 5.0


def seconds_left(*, idle: bool, commit_s: float = 0.0, records: int = 1, outputs: int = 0) -> float:
    """Of a cycle opened just now, after a commit that took so long."""

    async def ask() -> float:
        cycle = Cycle(SETTINGS)
        cycle.commit_s = commit_s
        cycle.add(records, outputs)
        return cycle.seconds_left(idle=idle)

    with asyncio.Runner(loop_factory=StillLoop) as runner:
        return runner.run(ask())


def test_a_cycle_with_nothing_else_to_do_is_committed_early() -> None:
    assert seconds_left(idle=True) == pytest.approx(0.02)
    assert seconds_left(idle=False) == pytest.approx(0.1)


def test_slow_commits_come_less_often_up_to_the_interval_while_nothing_waits() -> None:
    waited_s = seconds_left(idle=True, commit_s=0.09)
    assert 0.09 / (waited_s + 0.09) == pytest.approx(IDLE_SHARE_MAX)
    assert seconds_left(idle=True, commit_s=3.0) == pytest.approx(0.1)


def test_commits_take_no_more_than_their_share_of_the_time_while_records_wait() -> None:
    waited_s = seconds_left(idle=False, commit_s=0.2)
    assert 0.2 / (waited_s + 0.2) == pytest.approx(COMMITS_SHARE_MAX)


def test_a_commit_that_hung_does_not_put_the_next_one_off_for_long() -> None:
    assert seconds_left(idle=False, commit_s=30.0) == pytest.approx(STRETCHED_SECONDS_MAX)


@pytest.mark.parametrize(("records", "outputs"), [(1_000, 0), (1, 999)])
def test_a_cycle_that_is_full_of_what_it_read_or_sends_is_committed_at_once(records: int, outputs: int) -> None:
    assert seconds_left(idle=False, commit_s=1.0, records=records, outputs=outputs) == 0
