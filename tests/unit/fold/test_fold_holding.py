"""A flow that relies on what is missing holds its messages: none expires meanwhile, and all go on afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schemas.journal import RULES_3, SILENCE, Hold
from schemas.limits_of_quality import HOLDS_MAX, WHY_HELD_BYTES_MAX
from schemas.outputs import Decision, Revocation, Trigger
from streams.fold.moment import Rejected
from streams.settings import FlowState
from tests.support.flows import UNCAPPED, a_bare_flow, a_flow
from tests.support.out import out
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, World, an_add, an_order

if TYPE_CHECKING:
    from collections.abc import Sequence

ADDED_MS = START_MS + 10 * HOUR_MS
DUE_MS = ADDED_MS + 2 * HOUR_MS
CART = a_flow(quiet_hours=None, expires_after="3h", caps=UNCAPPED)
WHY = "20 order_completed were due since 2026-01-01T10:00Z and none came"


def held(flow_id: str = "abandoned_cart", at_ms: int = ADDED_MS, **fields: Any) -> Hold:
    return Hold(flow_id, SILENCE, is_on=True, time_ms=at_ms, **{"why": WHY, **fields})


def let_go(at_ms: int, flow_id: str = "abandoned_cart") -> Hold:
    return Hold(flow_id, SILENCE, is_on=False, time_ms=at_ms)


def a_world(flows: Sequence[dict[str, Any]] = (CART,), **given: Any) -> World:
    world = World(flows=flows, **given)
    world.pass_time(START_MS)
    world.send(an_add(ADDED_MS))
    return world


def outcomes(world: World) -> list[str]:
    return [each.outcome for each in world.emitted(Decision)]


def test_a_held_message_waits_however_long_it_takes_and_goes_out_afterwards() -> None:
    world = a_world()
    world.append("", held())
    for at_ms in range(ADDED_MS, DUE_MS + 12 * HOUR_MS, 10 * MINUTE_MS):
        world.pass_time(at_ms)
    assert outcomes(world) == ["entered", "held_by_silence"]
    told = world.emitted(Decision)[-1]
    assert told.reason == f"The message is held by silence: {WHY}."
    assert world.total("decisions", "outcome=held_by_silence") == 1
    world.append("", let_go(DUE_MS + 12 * HOUR_MS))
    world.pass_time(DUE_MS + 12 * HOUR_MS + 15 * MINUTE_MS)
    assert outcomes(world) == ["entered", "held_by_silence", "sent"]
    assert world.total("candidates_unaccounted") == 0
    assert world.total("decisions_open") == 0


def test_expiry_goes_on_where_it_stood_still() -> None:
    world = a_world()
    world.append("", held())
    world.pass_time(DUE_MS + DAY_MS)
    world.append("", let_go(DUE_MS + DAY_MS))
    # the timer is due at once, but time goes on by hours at once: the message has three of its own
    world.pass_time(DUE_MS + DAY_MS + 15 * MINUTE_MS)
    (trigger,) = world.emitted(Trigger)
    assert trigger.expires_ms - trigger.decided_ms == 3 * HOUR_MS


def test_what_has_expired_before_its_flow_was_held_stays_so() -> None:
    late = a_flow(quiet_hours={"from": "11:00", "to": "10:00"}, expires_after="3h", caps=UNCAPPED)
    world = a_world((late,))
    world.append("", held())
    world.pass_time(DUE_MS + DAY_MS)
    world.append("", let_go(DUE_MS + DAY_MS))
    world.pass_time(DUE_MS + DAY_MS + HOUR_MS)
    assert outcomes(world)[-1] == "quiet"


def test_an_order_that_comes_at_last_ends_the_flow_of_a_held_message() -> None:
    world = a_world()
    world.append("", held())
    world.pass_time(DUE_MS + HOUR_MS)
    world.send(an_order(ADDED_MS + HOUR_MS), received_ms=DUE_MS + 2 * HOUR_MS)
    world.append("", let_go(DUE_MS + 3 * HOUR_MS))
    world.pass_time(DUE_MS + DAY_MS)
    assert outcomes(world) == ["entered", "held_by_silence", "exited"]
    assert world.emitted(Trigger) == []


def test_other_flows_go_on() -> None:
    other = a_bare_flow("hello", "product_added")
    world = a_world((CART, other))
    world.append("", held())
    world.pass_time(DUE_MS + HOUR_MS)
    assert [each.flow_id for each in world.emitted(Trigger)] == ["hello"]


def test_what_is_out_and_not_due_yet_is_taken_back() -> None:
    world = out(3)
    world.append("", held("browse"))
    revoked = world.emitted(Revocation)
    assert len(revoked) == len(world.emitted(Trigger)) == 3
    assert {each.reason for each in revoked} == {
        f"The message was held by silence before it went out, so it was taken back: {WHY}."
    }


def test_a_pause_goes_before_a_hold() -> None:
    world = a_world()
    world.append("", held())
    world.append("", world.restated(abandoned_cart=FlowState(paused_ms=1)))
    world.pass_time(DUE_MS + HOUR_MS)
    assert outcomes(world) == ["entered", "deferred"]


def test_every_version_of_a_flow_is_held_and_a_shadow_is_not() -> None:
    canary = {"flow": {**CART, "version": 2}, "percent": 50.0, "since_ms": 1}
    shadow = {"flow": {**CART, "version": 2}, "percent": 0.0, "since_ms": 1}
    for state, expected in ((canary, {"held_by_silence"}), (shadow, {"held_by_silence", "shadow"})):
        world = World(flows=[CART], flow_states={"abandoned_cart": FlowState.model_validate({"canary": state})})
        world.append("", held())
        world.send(*(an_add(ADDED_MS, user=str(number)) for number in range(20)))
        world.pass_time(DUE_MS + HOUR_MS)
        assert {each.outcome for each in world.emitted(Decision)} - {"entered"} == expected
        assert world.emitted(Trigger) == []


def test_a_hold_that_is_told_twice_is_let_go_once() -> None:
    world = a_world()
    world.append("", held())
    world.append("", held())
    world.append("", let_go(ADDED_MS))
    world.append("", let_go(ADDED_MS))
    world.pass_time(DUE_MS + HOUR_MS)
    assert outcomes(world) == ["entered", "sent"]


def test_before_rules_4_no_record_holds_a_flow() -> None:
    world = World(flows=[CART], rules=RULES_3)
    with pytest.raises(Rejected, match="abandoned_cart"):
        world.append("", held())


@pytest.mark.parametrize(
    "wrong",
    [
        held(""),
        held("x" * 65),
        held(why="y" * (WHY_HELD_BYTES_MAX + 1)),
        held(at_ms=-1),
        Hold("abandoned_cart", "rain", is_on=True, time_ms=ADDED_MS),
    ],
)
def test_a_hold_that_none_of_ours_would_write_is_refused(wrong: Hold) -> None:
    world = a_world()
    with pytest.raises(Rejected) as refused:
        world.append("", wrong)
    assert refused.value.reason == "bad_hold"


def test_as_many_flows_are_held_as_there_is_room_for() -> None:
    world = a_world()
    for number in range(HOLDS_MAX):
        world.append("", held(f"flow_{number}"))
    with pytest.raises(Rejected) as refused:
        world.append("", held())
    assert refused.value.reason == "too_many"
