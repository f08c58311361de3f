"""A timer at which a worker hangs is parked by its name; the record that fired it, and other customers, go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.outputs import DeadLetter, Trigger
from schemas.touchpoint import Mark
from tests.support.claims import assert_verified
from tests.support.files import ROOT
from tests.support.flows import a_flow
from tests.support.hanging import HANGS, AHangingWorker, worked_off
from tests.support.outcomes import read_outcome
from tests.support.running import make_place, send
from tests.support.world import DAY_MS, HOUR_MS, START_MS, an_add, an_order

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.running import Place

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

EVALUATING = f"""{HANGS}
import streams.fold.timers
flow_due = streams.fold.timers.flow_due

def due(profile, run, flows, at, **named):
    if at.customer.startswith("u:bad"):
        a_pattern_that_backtracks()
    return flow_due(profile, run, flows, at, **named)

streams.fold.timers.flow_due = due
"""
# in the way of interpreted and of compiled code: a compiled function calls another directly
SENDING = f"""{HANGS}
import schemas.wire
from schemas.outputs import Trigger
encode = schemas.wire._ENCODERS[Trigger]

def encoded(header, trigger):
    if trigger.customer.startswith("u:bad"):
        a_pattern_that_backtracks()
    return encode(header, trigger)

schemas.wire._ENCODERS[Trigger] = encoded
"""


class AWorkerWithATimer(AHangingWorker):
    """A worker that hangs at the reminder of the cart of each customer who is bad."""

    def __init__(self, place: Place, product: Path, bugs: str) -> None:
        super().__init__(place, product)
        self.bugs = bugs


@pytest.mark.interpreted
def test_timers_that_hang_are_parked_and_time_goes_on_for_all(kafka: str, prefix: str, tmp_path: Path) -> None:
    place = a_place(kafka, prefix, tmp_path)
    assert_others_go_on(place, AWorkerWithATimer(place, ROOT, EVALUATING), record_fires="timer:flow:abandoned_cart")


def test_messages_that_hang_when_they_are_sent_are_set_aside(
    kafka: str, prefix: str, tmp_path: Path, product: Path
) -> None:
    place = a_place(kafka, prefix, tmp_path)
    # what the record's timer wants to send waits for the watermark
    assert_others_go_on(place, AWorkerWithATimer(place, product, SENDING), record_fires="timer:watermark")


def a_place(kafka: str, prefix: str, folder: Path) -> Place:
    flows = [a_flow(holdout_percent=0)]
    return make_place(kafka, prefix, folder, flows=flows, journal_partitions=1, touchpoint_partitions=1)


def assert_others_go_on(place: Place, worker: AWorkerWithATimer, record_fires: str) -> None:
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
    assert {(each.stage, each.reason, each.source_topic, each.key) for each in letters} == {
        ("fold", "timer_failed", "timer:flow:abandoned_cart", b"u:bad-time"),
        ("fold", "timer_failed", record_fires, b"u:bad-record"),
    }
    assert len(letters) == 2
    assert all("a_pattern_that_backtracks" in each.detail for each in letters)
    assert sorted(each.customer for each in place.records("triggers", Trigger)) == ["u:anna", "u:carl"]
    assert read_outcome(place).total("orders") == 4
    assert_verified(place)
