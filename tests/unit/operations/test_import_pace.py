"""An import waits until the workers have folded what it wrote, and leaves them the rest of their time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from streams.operations import import_pace
from streams.operations.import_pace import Pace, WorkersSilent
from tests.support.memory_worker import MemoryWorker, configured
from tests.support.opened import OpenedPrefix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka import TopicPartition

FACTS = "memory.facts"


class Asked(NamedTuple):
    """What a group has committed, as confluent-kafka says it."""

    topic: str
    partition: int
    offset: int


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(import_pace, "time", clock)
    return clock


def a_pace(monkeypatch: pytest.MonkeyPatch, commits: Iterator[int], *, facts: int = 500, **given: Any) -> Pace:
    """The only journal partition ends at 11, with a marker; `commits` are offsets as they are asked for."""

    class AConsumer:
        def __init__(self, _: object) -> None: ...

        def close(self) -> None: ...

        def committed(self, places: list[TopicPartition], **_: object) -> list[Asked]:
            offset = next(commits)
            return [Asked(each.topic, each.partition, facts if each.topic == FACTS else offset) for each in places]

    monkeypatch.setattr(import_pace, "Consumer", AConsumer)
    monkeypatch.setattr(
        import_pace, "end_offsets", lambda _, places: {each: 500 if FACTS in each else 11 for each in places}
    )
    prefix: Any = OpenedPrefix(MemoryWorker(configured(touchpoint_partitions=1, journal_partitions=1)))
    return Pace(prefix, **given)


def test_it_waits_for_the_last_record_before_the_marker_and_then_rests(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    looks: list[float] = []
    with a_pace(monkeypatch, iter([3, 9, 10]), share=25) as pace:
        pace.wait(lambda: looks.append(clock.now_s))
    *polls, rest = clock.slept
    assert len(polls) == 2
    assert rest == pytest.approx(3 * sum(polls))
    assert len(looks) == 3


def test_at_all_of_their_time_it_does_not_rest(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    with a_pace(monkeypatch, iter([3, 10]), share=100) as pace:
        pace.wait(lambda: None)
    assert clock.slept[-1] == 0


@pytest.mark.parametrize(("facts", "looks"), [(400, 1), (398, 2)])
def test_kpis_may_be_a_little_behind(monkeypatch: pytest.MonkeyPatch, clock: Clock, facts: int, looks: int) -> None:
    asked: list[float] = []
    with a_pace(monkeypatch, iter([10, 10, 10]), facts=facts, silent_seconds=0.01) as pace:
        if looks == 1:
            pace.wait(lambda: asked.append(clock.now_s))
            assert len(asked) == 1
        else:
            with pytest.raises(WorkersSilent):
                pace.wait(lambda: asked.append(clock.now_s))


def test_workers_that_commit_nothing_are_named_and_slow_ones_are_waited_for(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    with (
        a_pace(monkeypatch, iter([3] * 10_000), silent_seconds=5) as pace,
        pytest.raises(WorkersSilent, match="committed nothing for 5 s; look at their logs"),
    ):
        pace.wait(lambda: None)
    assert 5 < clock.now_s < 6
    slow = iter([at for at in range(4) for _ in range(200)] + [10])
    with a_pace(monkeypatch, slow, silent_seconds=5) as pace:
        pace.wait(lambda: None)
