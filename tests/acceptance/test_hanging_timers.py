"""A timer at which a worker hangs is parked by its name; the record that fired it, and other customers, go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.outputs import DeadLetter, Trigger
from schemas.touchpoint import Mark
from tests.support.claims import assert_verified
from tests.support.flows import a_flow
from tests.support.hanging import HANGS, AHangingWorker, worked_off
from tests.support.outcomes import read_outcome
from tests.support.running import make_place, send
from tests.support.world import DAY_MS, HOUR_MS, START_MS, an_add, an_order

if TYPE_CHECKING:
    from pathlib import Path

# a compiled function calls another directly, so the test can put no other in its place
pytestmark = [pytest.mark.acceptance, pytest.mark.slow, pytest.mark.interpreted]

TIMER_HANGS = f"""{HANGS}
import streams.fold.timers
flow_due = streams.fold.timers.flow_due

def due(profile, run, flows, at, **named):
    if at.customer.startswith("u:bad"):
        a_pattern_that_backtracks()
    return flow_due(profile, run, flows, at, **named)

streams.fold.timers.flow_due = due
"""


class AWorkerWithATimer(AHangingWorker):
    """A worker that hangs at the reminder of the cart of each customer who is bad."""

    bugs = TIMER_HANGS


def test_timers_that_hang_are_parked_and_time_goes_on_for_all(kafka: str, prefix: str, tmp_path: Path) -> None:
    flows = [a_flow(holdout_percent=0)]
    place = make_place(kafka, prefix, tmp_path, flows=flows, journal_partitions=1, touchpoint_partitions=1)
    worker = AWorkerWithATimer(place)
    with worker:
        carts = [an_add(START_MS, user=user) for user in ("anna", "bad-record", "bad-time", "carl")]
        # of one customer the next record fires the timer, of the other time does
        orders = [an_order(START_MS + (5 + hour) * HOUR_MS, user="bad-record") for hour in range(3)]
        send(place, [*carts, *orders, Mark(START_MS + 9 * HOUR_MS)])
        codes = worked_off(place, worker)
        assert 1 <= len(codes) <= 2
        assert set(codes) == {1}
        send(place, [an_order(START_MS + DAY_MS, user="bad-time"), Mark(START_MS + 2 * DAY_MS)])
        assert worked_off(place, worker) == []
    assert worker.exit_code == 0
    letters = place.records("dead_letters", DeadLetter)
    assert sorted((each.stage, each.reason, each.source_topic, each.key) for each in letters) == [
        ("fold", "timer_failed", "timer:flow:abandoned_cart", b"u:bad-record"),
        ("fold", "timer_failed", "timer:flow:abandoned_cart", b"u:bad-time"),
    ]
    assert all("a_pattern_that_backtracks" in each.detail for each in letters)
    assert sorted(each.customer for each in place.records("triggers", Trigger)) == ["u:anna", "u:carl"]
    assert read_outcome(place).total("orders") == 4
    assert_verified(place)
