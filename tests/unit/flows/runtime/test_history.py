"""A shop that is too young for a flow, also where another way leads into it or the flow had begun before."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.journal import RULES, Configured
from schemas.outputs import Decision
from streams.flows.runtime.history import too_young
from tests.support.flows import a_flow
from tests.support.journeys import Journey
from tests.support.world import DAY_MS, START_MS, World, an_add

NEEDS = {"history": "30d"}


def a_reason(now_ms: int, first_event_ms: int, rules: int = 3, **changes: Any) -> str | None:
    journey = Journey(a_flow(**{"needs": NEEDS, **changes}))
    at = journey._at(now_ms, "event")  # noqa: SLF001 - the moment of its customer
    at.rules, at.first_event_ms = rules, first_event_ms
    (plan,) = journey.flows.plans.values()
    return too_young(plan, at)


def test_a_shop_is_old_enough_from_the_very_day_on() -> None:
    assert a_reason(START_MS + 30 * DAY_MS, START_MS) is None
    assert a_reason(START_MS + 30 * DAY_MS - 1, START_MS) == (
        "The flow needs a history of 30d, but the shop's is 29d long, so no message was sent."
    )


def test_a_first_event_ahead_of_the_customers_clock_is_no_history() -> None:
    said = a_reason(START_MS, START_MS + DAY_MS)
    assert said is not None
    assert "the shop's is 0d long" in said


def test_a_history_that_is_not_known_is_none() -> None:
    said = a_reason(START_MS, 0)
    assert said is not None
    assert "not known yet" in said


@pytest.mark.parametrize("rules", [1, 2])
def test_earlier_rules_ask_for_no_history(rules: int) -> None:
    assert a_reason(START_MS, 0, rules) is None


def test_a_flow_that_needs_no_history_is_never_cold() -> None:
    assert a_reason(START_MS, 0, needs={}) is None


def test_an_event_too_starts_nothing_in_a_shop_that_is_too_young() -> None:
    world = World(flows=[a_flow(needs=NEEDS)])
    world.begin(START_MS)
    world.send(an_add(START_MS + DAY_MS), an_add(START_MS + 40 * DAY_MS))
    world.pass_time(START_MS + 41 * DAY_MS)
    assert [item.outcome for item in world.emitted(Decision)] == ["cold", "entered", "sent"]
    assert world.profile("u:1").entry_timers == ()  # type: ignore[union-attr]


def test_who_entered_under_earlier_rules_leaves_a_flow_for_which_the_shop_is_too_young() -> None:
    world = World(flows=[a_flow(needs=NEEDS)], rules=2)
    world.send(an_add(START_MS))
    assert [item.outcome for item in world.emitted(Decision)] == ["entered"]
    world.append("", Configured(world.settings.model_dump_json(), START_MS, RULES))
    world.pass_time(START_MS + DAY_MS)
    _, left = world.emitted(Decision)
    assert left.outcome == "exited"
    assert left.reason.startswith("The flow needs a history of 30d")
