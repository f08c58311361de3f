"""Entry by a segment with a floor: nobody enters before it, and customers in the segment enter when it is reached."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.journal import Configured
from schemas.outputs import Decision, Trigger
from tests.support.flows import a_flow
from tests.support.world import DAY_MS, START_MS, World, a_refund, an_order

EARLY = {
    "recency_ms": [5 * DAY_MS, 10 * DAY_MS, 20 * DAY_MS, 30 * DAY_MS],
    "frequency": [2, 3, 4, 5],
    "monetary_minor": [5_000, 10_000, 20_000, 40_000],
}
"""A customer with one order is Hibernating after 20 days and Lost after 30."""
LATE = {**EARLY, "recency_ms": [30 * DAY_MS, 60 * DAY_MS, 90 * DAY_MS, 120 * DAY_MS]}
FLOOR = {"field": "last_order_age", "at_least": "60d"}
LONG_AGO_MS = START_MS - 1_000 * DAY_MS


def lapsed(**changes: Any) -> dict[str, Any]:
    entry = {"segment": ["Hibernating", "Lost"], "condition": FLOOR}
    return a_flow(**{"entry": entry, "needs": {"condition": FLOOR}, "wait": {}} | changes)


def a_world(cuts: Any = None, first_event_ms: int | None = LONG_AGO_MS, rules: int = 3, **changes: Any) -> World:
    world = World(flows=[lapsed(**changes)], cuts_fixed=cuts or EARLY, rules=rules)
    if first_event_ms is not None:
        world.begin(first_event_ms)
    return world


def ordered(world: World, *days: int) -> None:
    for day in days:
        world.send(an_order(START_MS + day * DAY_MS, order_id=f"o-{day}"))


def sent_days(world: World) -> list[float]:
    return [(sent.due_ms - START_MS) / DAY_MS for sent in world.emitted(Trigger)]


def outcomes(world: World) -> list[tuple[str, float]]:
    return [(item.outcome, (item.time_ms - START_MS) / DAY_MS) for item in world.emitted(Decision)]


def test_who_is_in_the_segment_before_the_floor_enters_when_it_is_reached() -> None:
    world = a_world()
    ordered(world, 0)
    world.pass_time(START_MS + 60 * DAY_MS - 1)
    assert outcomes(world) == []
    world.pass_time(START_MS + 60 * DAY_MS)
    assert outcomes(world) == [("entered", 60), ("sent", 60)]
    entered, sent = world.emitted(Decision)
    assert entered.reason == "The segment Lost and 60d without an order started the flow for this customer."
    assert entered.cause == f"timer:date:abandoned_cart:{START_MS + 60 * DAY_MS}"
    assert sent.reason.startswith("The message was due right after a new segment, 60d or more after the last order,")
    world.pass_time(START_MS + 400 * DAY_MS)
    assert sent_days(world) == [60]


def test_who_comes_into_the_segment_after_the_floor_enters_then() -> None:
    world = a_world(LATE)
    ordered(world, 0)
    world.pass_time(START_MS + 89 * DAY_MS)
    assert outcomes(world) == []
    world.pass_time(START_MS + 100 * DAY_MS)
    assert [round(day, 6) for day in sent_days(world)] == [90]


def test_who_is_in_another_segment_at_the_floor_does_not_enter() -> None:
    world = a_world(LATE)
    ordered(world, 0)
    world.pass_time(START_MS + 80 * DAY_MS)
    ordered(world, 85)
    world.pass_time(START_MS + 144 * DAY_MS)
    assert outcomes(world) == []


def test_another_order_moves_the_floor() -> None:
    world = a_world()
    ordered(world, 0, 40)
    world.pass_time(START_MS + 400 * DAY_MS)
    assert sent_days(world) == [100]


def test_a_refunded_order_does_not_put_the_floor_off() -> None:
    world = a_world()
    ordered(world, 0, 40)
    world.send(a_refund(START_MS + 45 * DAY_MS, "o-40", 4_200))
    world.pass_time(START_MS + 400 * DAY_MS)
    assert sent_days(world) == [60]


def test_a_customer_enters_once_however_often_they_move_between_the_segments() -> None:
    world = a_world(reentry="180d")
    ordered(world, 0)
    world.pass_time(START_MS + 170 * DAY_MS)
    assert sent_days(world) == [60]


def test_in_a_young_shop_the_decision_is_cold_and_the_customer_enters_once_it_is_old_enough() -> None:
    world = a_world(first_event_ms=START_MS - 10 * DAY_MS, needs={"history": "100d", "condition": FLOOR})
    ordered(world, 0)
    world.pass_time(START_MS + 400 * DAY_MS)
    assert outcomes(world) == [("cold", 60), ("entered", 90), ("sent", 90)]
    cold = world.emitted(Decision)[0]
    assert cold.final
    assert cold.reason == ("The flow needs a history of 100d, but the shop's is 70d long, so no message was sent.")
    assert world.total("decisions_open") == 0


def test_an_order_before_the_shop_is_old_enough_puts_the_entry_off() -> None:
    world = a_world(first_event_ms=START_MS - 10 * DAY_MS, needs={"history": "100d"})
    ordered(world, 0)
    world.pass_time(START_MS + 70 * DAY_MS)
    ordered(world, 80)
    world.pass_time(START_MS + 400 * DAY_MS)
    assert outcomes(world) == [("cold", 60), ("entered", 140), ("sent", 140)]


def test_a_cold_entry_counts_for_no_re_entry() -> None:
    world = a_world(first_event_ms=START_MS, needs={"history": "100d"}, reentry="180d")
    ordered(world, 0)
    world.pass_time(START_MS + 400 * DAY_MS)
    assert outcomes(world) == [("cold", 60), ("entered", 100), ("sent", 100)]


def test_a_shop_whose_history_is_not_known_is_cold_until_it_is() -> None:
    world = a_world(first_event_ms=None)
    ordered(world, 0)
    world.pass_time(START_MS + 70 * DAY_MS)
    assert outcomes(world) == [("cold", 60), ("cold", 67)]
    assert world.emitted(Decision)[0].reason.endswith(
        "but it is not known yet how long the shop's is, so no message was sent."
    )
    world.begin(LONG_AGO_MS)
    world.pass_time(START_MS + 400 * DAY_MS)
    assert outcomes(world)[2:] == [("entered", 74), ("sent", 74)]


def test_an_imported_past_makes_a_shop_old_and_nobody_who_waits_is_lost() -> None:
    world = a_world(first_event_ms=START_MS - 10 * DAY_MS, needs={"history": "100d"})
    ordered(world, 0)
    world.pass_time(START_MS + 65 * DAY_MS)
    world.begin(LONG_AGO_MS)
    world.pass_time(START_MS + 400 * DAY_MS)
    assert outcomes(world) == [("cold", 60), ("entered", 90), ("sent", 90)]


def test_a_late_order_within_the_floor_stops_the_next_message() -> None:
    steps = [
        {"name": "first", "do": "trigger"},
        {"name": "a_week", "do": "wait", "for": "7d"},
        {"name": "second", "do": "trigger"},
    ]
    world = a_world(steps=steps, exits=["ticket_opened"])
    ordered(world, 0)
    world.pass_time(START_MS + 62 * DAY_MS)
    world.send(an_order(START_MS + 50 * DAY_MS), received_ms=START_MS + 63 * DAY_MS)
    world.pass_time(START_MS + 68 * DAY_MS)
    assert sent_days(world) == [60]
    assert outcomes(world)[-1] == ("exited", 67)


@pytest.mark.parametrize("rules", [1, 2])
def test_under_earlier_rules_the_condition_is_only_asked_at_the_move(rules: int) -> None:
    early, late = a_world(rules=rules), a_world(LATE, rules=rules)
    for world in (early, late):
        ordered(world, 0)
        world.pass_time(START_MS + 110 * DAY_MS)
    assert outcomes(early) == []
    assert [outcome for outcome, _ in outcomes(late)] == ["entered", "sent"]
    entered = late.emitted(Decision)[0]
    assert entered.reason == "The segment Hibernating started the flow for this customer."


def test_under_earlier_rules_the_timer_of_a_date_that_the_flow_had_before_starts_nothing() -> None:
    dated = lapsed(entry={"date": "last_order", "after": "70d"})
    world = World(flows=[dated], cuts_fixed=EARLY, rules=2)
    ordered(world, 0)
    world.pass_time(START_MS + 70 * DAY_MS - 1)
    settings = World(flows=[lapsed(version=2)], cuts_fixed=EARLY).settings
    world.append("", Configured(settings.model_dump_json(), START_MS, 2))
    world.pass_time(START_MS + 70 * DAY_MS)
    assert outcomes(world) == []
