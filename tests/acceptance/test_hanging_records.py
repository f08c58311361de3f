"""A record at which a worker hangs ends it once; the next one sets the record aside and goes on behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.outputs import DeadLetter
from streams.engine.trial import TRIAL_LOG
from tests.support.claims import assert_verified
from tests.support.hanging import AHangingWorker, worked_off
from tests.support.outcomes import read_outcome
from tests.support.running import a_worker, make_place, send, wait_worked_off
from tests.support.world import HOUR_MS, START_MS, an_order

if TYPE_CHECKING:
    from pathlib import Path

    from schemas.touchpoint import Touchpoint
    from tests.support.running import Place

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


STAGES = {"touchpoints": "collect", "journal": "fold"}


def orders(hanging: str) -> list[Touchpoint]:
    """Good orders before and behind one that hangs."""
    good = [an_order(START_MS + hour * HOUR_MS, user=f"good-{hour % 3}") for hour in range(12)]
    return sorted(
        [*good, an_order(START_MS + 100 * HOUR_MS, 5_077, user="bad", source=hanging)],
        key=lambda event: event.time_ms,
    )


def letters(place: Place) -> list[tuple[str, str, bool]]:
    found = place.records("dead_letters", DeadLetter)
    return [(each.stage, each.reason, "a_pattern_that_backtracks" in each.detail) for each in found]


@pytest.mark.parametrize("topic", STAGES)
def test_a_record_that_hangs_is_set_aside_and_the_rest_goes_through(
    kafka: str, prefix: str, tmp_path: Path, product: Path, topic: str
) -> None:
    place = make_place(kafka, prefix, tmp_path)
    worker = AHangingWorker(place, product)
    with worker:
        send(place, orders(f"hangs in {topic}"))
        assert worked_off(place, worker) == [1]
    assert worker.exit_code == 0
    assert letters(place) == [(STAGES[topic], "hung", True)]
    assert read_outcome(place).total("orders") == 12
    assert_verified(place)
    log = worker.log.read_text()
    assert "Timeout (0:00:04)!" in log
    assert "record hangs: it is set aside" in log


def test_facts_that_hang_are_set_aside_and_the_rest_goes_through(
    kafka: str, prefix: str, tmp_path: Path, product: Path
) -> None:
    place = make_place(kafka, prefix, tmp_path)
    worker = AHangingWorker(place, product)
    with worker:
        send(place, orders("good"))
        assert worked_off(place, worker) == [1]
    assert letters(place) == [("insights", "hung", True)]
    assert read_outcome(place).total("orders") == 13
    assert_verified(place)


def test_a_worker_that_was_only_killed_goes_on_without_a_trial(kafka: str, prefix: str, tmp_path: Path) -> None:
    place = make_place(kafka, prefix, tmp_path)
    with a_worker(place) as worker:
        send(place, orders("good"))
        worker.kill()
        worker.start()
        wait_worked_off(place)
    assert letters(place) == []
    assert not (worker.folder / "state" / prefix / "0" / TRIAL_LOG).exists()
