"""Candidates of a customer that meet: which goes out, and what becomes of the others."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.outputs import Decision, Trigger
from schemas.touchpoint import Consent
from streams.flows.language.mistakes import FlowError, parse_flow
from tests.support.flows import a_bare_flow
from tests.support.world import HOUR_MS, MINUTE_MS, START_MS, World, a_touchpoint, an_order

LOW_DUE_MS, HIGH_DUE_MS = START_MS + 2 * HOUR_MS, START_MS + 2 * HOUR_MS + 3 * MINUTE_MS


def a_flow(flow_id: str, event: str, **changes: Any) -> dict[str, Any]:
    return a_bare_flow(flow_id, event, **{"wait": {"for": "2h"}, **changes})


def a_low(**changes: Any) -> dict[str, Any]:
    return a_flow("low", "product_viewed", **{"priority": 40, **changes})


def a_high(**changes: Any) -> dict[str, Any]:
    return a_flow("high", "product_searched", **{"priority": 70, **changes})


def met(*flows: dict[str, Any], apart_ms: int = 3 * MINUTE_MS, **settings: Any) -> World:
    """The low flow's message is due at LOW_DUE_MS, the high one's so much later."""
    world = World(flows=flows, **settings)
    world.send(
        a_touchpoint("product_viewed", START_MS, event_id="view"),
        a_touchpoint("product_searched", START_MS + apart_ms, event_id="search"),
    )
    world.pass_time(START_MS + 100 * HOUR_MS)
    return world


def sent(world: World) -> list[tuple[str, int]]:
    return [(trigger.flow_id, trigger.due_ms) for trigger in world.emitted(Trigger)]


def told(world: World, flow_id: str) -> list[tuple[str, int]]:
    return [(item.outcome, item.time_ms) for item in world.emitted(Decision) if item.flow_id == flow_id][1:]


def test_the_higher_priority_goes_out_at_its_due_time_and_the_other_when_the_caps_let_it() -> None:
    world = met(a_low(), a_high())
    assert sent(world) == [("high", HIGH_DUE_MS), ("low", HIGH_DUE_MS + 20 * HOUR_MS)]
    assert told(world, "low") == [
        ("deferred", LOW_DUE_MS),
        ("deferred", HIGH_DUE_MS),
        ("sent", HIGH_DUE_MS + 20 * HOUR_MS),
    ]
    waiting = [item for item in world.emitted(Decision) if item.outcome == "deferred"]
    assert [item.evidence["winner"] for item in waiting] == ["high", "high"]
    assert waiting[0].reason == "The message waits because the flow high has priority."
    assert len({item.candidate_id for item in world.emitted(Decision) if item.flow_id == "low"}) == 1


def test_where_the_caps_let_both_they_go_out_one_after_the_other() -> None:
    world = met(a_low(caps={"per_channel_hours": 0, "per_week": 2}), a_high())
    assert sent(world) == [("high", HIGH_DUE_MS), ("low", HIGH_DUE_MS)]


def test_waiting_does_not_prolong_the_time_that_it_may_be_sent_in() -> None:
    world = met(a_low(expires_after="20h"), a_high())
    assert sent(world) == [("high", HIGH_DUE_MS)]
    assert told(world, "low") == [("deferred", LOW_DUE_MS), ("outranked", HIGH_DUE_MS)]
    assert world.total("decisions_open") == 0


@pytest.mark.parametrize("per_week", [1, 3])
def test_a_flow_whose_file_says_so_gives_way_for_good(per_week: int) -> None:
    caps = {"per_channel_hours": 0, "per_week": per_week}
    world = met(a_low(when_outranked="drop", caps=caps), a_high())
    assert sent(world) == [("high", HIGH_DUE_MS)]
    assert told(world, "low") == [("deferred", LOW_DUE_MS), ("outranked", HIGH_DUE_MS)]


def test_messages_due_further_apart_do_not_meet() -> None:
    world = met(a_low(), a_high(), apart_ms=5 * MINUTE_MS + 1)
    assert sent(world) == [("low", LOW_DUE_MS)]
    assert [outcome for outcome, _ in told(world, "high")] == ["capped"]


def test_messages_due_five_minutes_apart_meet() -> None:
    assert sent(met(a_low(), a_high(), apart_ms=5 * MINUTE_MS))[0] == ("high", LOW_DUE_MS + 5 * MINUTE_MS)


def test_without_a_time_to_meet_in_each_goes_out_when_it_is_due() -> None:
    assert sent(met(a_low(), a_high(), arbitration_ms=0)) == [("low", LOW_DUE_MS)]


def test_of_equal_priority_the_first_id_goes_out() -> None:
    world = met(a_low(), a_high(priority=40))
    assert sent(world)[0] == ("high", HIGH_DUE_MS)
    assert sent(met(a_low(id="a_low"), a_high(priority=40)))[0] == ("a_low", LOW_DUE_MS)


def test_of_messages_due_at_the_same_time_the_lower_one_stands_back() -> None:
    world = met(a_low(), a_high(), apart_ms=0)
    assert sent(world) == [("high", LOW_DUE_MS), ("low", LOW_DUE_MS + 20 * HOUR_MS)]


def test_a_message_that_has_waited_for_one_that_does_not_go_out_goes_out_then() -> None:
    world = World(flows=(a_low(), a_high(channel="sms")))
    world.send(
        a_touchpoint("consent_changed", START_MS, consent=Consent("sms", granted=False)),
        a_touchpoint("product_viewed", START_MS),
        a_touchpoint("product_searched", START_MS + 3 * MINUTE_MS),
    )
    world.pass_time(START_MS + 100 * HOUR_MS)
    assert sent(world) == [("low", HIGH_DUE_MS)]


def test_a_promotional_message_waits_for_a_transactional_one_and_never_the_other_way_round() -> None:
    receipt = a_high(priority=0, **{"class": "transactional"})
    assert sent(met(a_low(), receipt)) == [("high", HIGH_DUE_MS), ("low", HIGH_DUE_MS)]
    receipt = a_low(priority=0, **{"class": "transactional"})
    assert sent(met(receipt, a_high())) == [("low", LOW_DUE_MS), ("high", HIGH_DUE_MS)]


def test_a_candidate_that_waits_for_something_else_than_its_message_holds_up_nobody() -> None:
    steps = [{"name": "a_day", "do": "wait", "for": "1d"}, {"name": "message", "do": "trigger"}]
    assert sent(met(a_low(), a_high(steps=steps)))[0] == ("low", LOW_DUE_MS)


def test_a_flow_that_a_person_has_paused_holds_up_nobody() -> None:
    paused = {"high": {"since_ms": START_MS, "paused_ms": START_MS}}
    assert sent(met(a_low(), a_high(), flow_states=paused)) == [("low", LOW_DUE_MS)]


def test_an_order_ends_one_that_waits_for_another() -> None:
    world = World(flows=(a_low(), a_high()))
    world.send(a_touchpoint("product_viewed", START_MS), a_touchpoint("product_searched", START_MS + 3 * MINUTE_MS))
    world.pass_time(LOW_DUE_MS)
    world.send(an_order(LOW_DUE_MS + 1))
    world.pass_time(START_MS + 100 * HOUR_MS)
    assert sent(world) == []
    assert [outcome for outcome, _ in told(world, "low")] == ["deferred", "exited"]


def test_when_outranked_has_no_place_in_a_transactional_flow() -> None:
    with pytest.raises(FlowError, match="when_outranked is for promotional flows"):
        parse_flow(a_low(when_outranked="wait", **{"class": "transactional"}), "low.yaml")
