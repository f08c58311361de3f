"""Entry into a flow by a segment."""

from __future__ import annotations

from typing import Any

from schemas.journal import Configured
from schemas.outputs import Decision, Trigger
from tests.support.flows import a_flow
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_touchpoint, an_order

CUTS = {
    "recency_ms": [30 * DAY_MS, 60 * DAY_MS, 90 * DAY_MS, 120 * DAY_MS],
    "frequency": [2, 3, 4, 5],
    "monetary_minor": [5_000, 10_000, 20_000, 40_000],
}


def by_segment(*segments: str, **changes: Any) -> dict[str, Any]:
    return a_flow(entry={"segment": list(segments)}, needs={}, wait={}, exits=[], **changes)


def told(world: World) -> list[tuple[str, str]]:
    return [(item.flow_id, item.outcome) for item in world.emitted(Decision)]


def test_a_customer_who_comes_into_a_segment_by_an_order_enters_its_flow() -> None:
    world = World(flows=[by_segment("New")], cuts_fixed=CUTS)
    world.send(an_order(START_MS))
    assert told(world) == [("abandoned_cart", "entered"), ("abandoned_cart", "sent")]
    entered = world.emitted(Decision)[0]
    assert entered.reason == "The segment New started the flow for this customer."
    assert entered.evidence["event"] == "segment New"


def test_a_customer_who_comes_into_a_segment_by_time_alone_enters_its_flow() -> None:
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
