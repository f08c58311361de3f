"""What a worker bears at once: more timers than one record may fire, and one customer with most of the events."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from schemas.outputs import Trigger
from streams.fold.fold import WAKES_MAX
from streams.fold.partition_state import JournalCodec
from tests.support.flows import a_flow
from tests.support.running import a_worker, make_place, send
from tests.support.watching import until
from tests.support.world import START_MS, World, a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance

CARTS = 3 * WAKES_MAX + 500


def test_timers_due_at_once_are_worked_off_in_order_without_an_aborted_cycle(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    place = make_place(kafka, prefix, tmp_path, clock="wall", journal_partitions=1, flows=[a_flow(wait={"for": "10s"})])
    now_ms = time.time_ns() // 1_000_000
    send(place, (an_add(now_ms + number, user=str(1 + number)) for number in range(CARTS)))
    time.sleep(CARTS / 1_000 + 10)  # every timer is due before the worker hears of the first
    with a_worker(place) as worker:
        until(lambda: len(place.records("triggers", Trigger)) == CARTS, "every timer has fired", 90)
        assert "cycle aborted" not in worker.log.read_text()
    due_ms = [each.due_ms for each in place.records("triggers", Trigger)]
    assert due_ms == sorted(due_ms)


@pytest.mark.parametrize(("orders", "bytes_max"), [(False, 16_384), (True, 524_288)])
def test_the_profile_of_a_customer_with_most_of_the_events_stays_bounded(*, orders: bool, bytes_max: int) -> None:
    world = World()
    sizes = []
    for number in range(2_400):
        at_ms = START_MS + number * 1_000
        viewed = a_touchpoint("product_viewed", at_ms, session_id=f"visit-{number}", channel=f"channel-{number % 500}")
        world.send(viewed, an_add(at_ms, sku=f"sku-{number}"))
        if orders:
            world.send(an_order(at_ms))
        if number in {1_199, 2_399}:
            world.commit()
            profile = world.profile("u:1")
            assert profile is not None
            sizes.append(len(JournalCodec().encode(b"u:1", profile)))
    assert sizes[1] <= min(1.02 * sizes[0], bytes_max), sizes
