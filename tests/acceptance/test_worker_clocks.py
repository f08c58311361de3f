"""Workers whose clocks on the wall are wrong, on a real Kafka: time is the brokers', and nothing is decided early."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from schemas import wire
from schemas.insights import Kpi
from schemas.journal import CollectedTo, Progress
from schemas.outputs import DeadLetter, Trigger
from schemas.touchpoint import Product, Touchpoint
from tests.support.clocks import AShiftedWorker
from tests.support.flows import a_flow
from tests.support.running import Place, make_place, send
from tests.support.watching import until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance

WAIT_MS = 4_000
HOUR_S, DAY_S = 3_600, 86_400
SHIFTS = pytest.mark.parametrize(
    "shift_s",
    [
        pytest.param(2 * HOUR_S, id="2 h ahead", marks=pytest.mark.slow),
        pytest.param(400 * DAY_S, id="400 days ahead"),
        pytest.param(-DAY_S, id="a day behind", marks=pytest.mark.slow),
    ],
)


@pytest.fixture
def place(kafka: str, prefix: str, tmp_path: Path) -> Place:
    flow = a_flow(wait={"for": f"{WAIT_MS // 1000}s"})
    return make_place(
        kafka, prefix, tmp_path, clock="wall", touchpoint_partitions=2, journal_partitions=2, flows=[flow]
    )


def a_cart(place: Place, user: str) -> None:
    article = Product(sku="mug", price_minor=900, quantity=1)
    at_ms = time.time_ns() // 1_000_000
    add = Touchpoint(event_id=f"add-{user}", type="product_added", time_ms=at_ms, user_id=user, products=(article,))
    send(place, [add])


def is_reminded(place: Place, *users: str) -> bool:
    return {f"u:{user}" for user in users} <= {trigger.customer for trigger in place.records("triggers", Trigger)}


def check(place: Place) -> None:
    """Nothing was said of a time to come, and nobody was reminded early, or twice."""
    for message in place.messages("journal"):
        record = wire.decode(message.value() or b"")
        if isinstance(record, CollectedTo | Progress):
            assert all(each.time_ms <= message.timestamp()[1] for each in record.partitions)
    triggers = [
        (each.timestamp()[1], wire.decode_as(Trigger, each.value() or b"")) for each in place.messages("triggers")
    ]
    assert len({trigger.customer for _, trigger in triggers}) == len(triggers)
    assert all(trigger.due_ms <= trigger.decided_ms + 1 and trigger.decided_ms <= at_ms for at_ms, trigger in triggers)
    assert place.records("kpis", Kpi) == []
    assert place.records("dead_letters", DeadLetter) == []


@SHIFTS
def test_the_only_worker_reminds_in_time_and_its_clock_is_shown(place: Place, shift_s: int) -> None:
    with AShiftedWorker(place) as worker:
        a_cart(place, "before")
        until(lambda: abs(worker.metric("clock_ahead_seconds")) < 0.5, "the clocks are known to agree")
        worker.shift(shift_s)
        a_cart(place, "meanwhile")
        until(lambda: is_reminded(place, "before", "meanwhile"), "both are reminded", 30)
        assert worker.metric("clock_ahead_seconds") == pytest.approx(shift_s, abs=0.5)
        worker.shift(0)
        a_cart(place, "after")
        until(lambda: is_reminded(place, "after"), "so is who comes afterwards", 30)
        assert abs(worker.metric("clock_ahead_seconds")) < 0.5
    assert worker.exit_code == 0
    check(place)


@SHIFTS
def test_one_of_two_workers_moves_nothing_whichever_partitions_it_owns(place: Place, shift_s: int) -> None:
    with ExitStack() as running:
        right = running.enter_context(AShiftedWorker(place, "0"))
        wrong = running.enter_context(AShiftedWorker(place, "1", shift_s=shift_s))
        until(lambda: wrong.metric("partitions_owned") >= 2, "both own partitions", 60)
        users = [str(number) for number in range(1, 9)]
        for user in users:
            a_cart(place, user)
        until(lambda: is_reminded(place, *users), "all are reminded", 30)
        shown = [worker.metric("clock_ahead_seconds") for worker in (right, wrong)]
        # only the owner of touchpoints writes of time, and so hears the brokers' stamps
        assert [each for each in shown if not math.isnan(each)] != []
        assert math.isnan(shown[0]) or abs(shown[0]) < 0.5
        assert math.isnan(shown[1]) or shown[1] == pytest.approx(shift_s, abs=0.5)
    check(place)
