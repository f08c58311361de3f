"""Flows in the fold: segments that let customers in, the order of what is due at once, devices that turn out users."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.journal import Configured
from schemas.outputs import Decision, Trigger
from streams.profiles.profile import Entered
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_touchpoint, an_add, an_order
from tests.unit.test_flows import a_flow

CUTS = {
    "recency_ms": [30 * DAY_MS, 60 * DAY_MS, 90 * DAY_MS, 120 * DAY_MS],
    "frequency": [2, 3, 4, 5],
    "monetary_minor": [5_000, 10_000, 20_000, 40_000],
}


def by_segment(*segments: str, **changes: Any) -> dict[str, Any]:
    return a_flow(entry={"segment": list(segments)}, needs={}, wait={}, exits=[], **changes)


def told(world: World) -> list[tuple[str, str]]:
    return [(item.flow_id, item.outcome) for item in world.emitted(Decision)]


def test_who_comes_into_a_segment_by_an_order_enters_its_flow() -> None:
    world = World(flows=[by_segment("New")], cuts_fixed=CUTS)
    world.send(an_order(START_MS))
    assert told(world) == [("abandoned_cart", "entered"), ("abandoned_cart", "sent")]
    entered = world.emitted(Decision)[0]
    assert entered.reason == "The segment New started the flow for this customer."
    assert entered.evidence["event"] == "segment New"


def test_who_comes_into_a_segment_by_time_alone_enters_its_flow() -> None:
    world = World(flows=[by_segment("Lost")], cuts_fixed=CUTS)
    world.send(an_order(START_MS))
    world.pass_time(START_MS + 119 * DAY_MS)
    assert told(world) == []
    world.pass_time(START_MS + 121 * DAY_MS)
    assert told(world) == [("abandoned_cart", "entered"), ("abandoned_cart", "sent")]
    (trigger,) = world.emitted(Trigger)
    assert trigger.due_ms == trigger.decided_ms == START_MS + 120 * DAY_MS + 1
    world.pass_time(START_MS + 300 * DAY_MS)
    assert len(world.emitted(Trigger)) == 1


def test_an_order_that_came_late_lets_no_one_in_by_its_segment() -> None:
    world = World(flows=[by_segment("New")], cuts_fixed=CUTS)
    world.send(an_order(START_MS), received_ms=START_MS + 2 * DAY_MS)
    assert told(world) == [("abandoned_cart", "too_old")]


def test_the_first_cuts_of_all_let_no_one_in() -> None:
    world = World(flows=[by_segment("New")])
    world.send(an_order(START_MS))
    cut = World(flows=[by_segment("New")], cuts_fixed=CUTS).settings
    world.append("", Configured(cut.model_dump_json(), START_MS))
    world.send(a_touchpoint("page_viewed", START_MS + HOUR_MS))
    assert world.profile("u:1").score.segment == "New"  # type: ignore[union-attr]
    assert told(world) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"priority": 80}, {"priority": 90}),
        ({}, {"class": "transactional", "priority": 0}),
    ],
)
def test_of_messages_due_at_once_the_transactional_and_then_the_more_important_goes_out(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    world = World(flows=[a_flow(id="a", **first), a_flow(id="b", **second)])
    world.send(an_add(START_MS))
    world.pass_time(START_MS + DAY_MS)
    decided = [item for item in told(world) if item[1] != "entered"]
    assert decided[0] == ("b", "sent")
    assert decided[1] == ("a", "sent" if "class" in second else "deferred")


def test_a_device_brings_its_zone_and_its_earlier_entries_to_its_user() -> None:
    world = World(flows=[a_flow(reentry="30d", wait={})])
    world.send(an_add(START_MS, user=None, anonymous_id="phone", time_zone="Europe/Oslo"))
    world.send(a_touchpoint("page_viewed", START_MS + HOUR_MS, anonymous_id="phone"))
    profile = world.profile("u:1")
    assert profile is not None
    assert (profile.time_zone, profile.entries) == ("Europe/Oslo", (Entered("abandoned_cart", START_MS),))
    world.send(an_add(START_MS + DAY_MS))
    assert told(world) == [("abandoned_cart", "entered"), ("abandoned_cart", "sent")]


def test_of_two_candidates_that_become_one_the_wait_counts_from_the_later_entry() -> None:
    world = World(flows=[a_flow()])
    world.send(an_add(START_MS, user=None, anonymous_id="phone"), an_add(START_MS + HOUR_MS))
    world.send(a_touchpoint("page_viewed", START_MS + HOUR_MS + 1, anonymous_id="phone"))
    (run,) = world.profile("u:1").runs  # type: ignore[union-attr]
    assert (run.entered_ms, run.last_entry_ms, run.due_ms) == (START_MS, START_MS + HOUR_MS, START_MS + 3 * HOUR_MS)
