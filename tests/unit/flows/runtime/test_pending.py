"""A message decided on a customer's own record waits until all that came in before it is known."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from schemas.journal import RULES, RULES_3, AddressConsent, Link
from schemas.outputs import Decision, Trigger
from schemas.touchpoint import Consent
from streams.flows.runtime.pending import taken_back
from streams.profiles.effects import Effects
from streams.profiles.moment import Moment
from streams.profiles.profile import PENDING_MAX
from streams.settings import FlowState
from tests.support.flows import a_flow
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, World, a_touchpoint, an_add, an_order

DUE_MS = START_MS + 2 * HOUR_MS
LATER_MS = START_MS + 5 * HOUR_MS
"""The customer's own record, which fires the reminder; time has come to START_MS only."""


@pytest.fixture
def flow() -> dict[str, Any]:
    return a_flow()


@pytest.fixture
def world(flow: dict[str, Any]) -> World:
    """A reminder of which nobody knows yet whether anything that came in before it speaks against it."""
    return waiting(flow)


def waiting(flow: dict[str, Any], rules: int = RULES) -> World:
    world = World(flows=(flow,), rules=rules)
    world.pass_time(START_MS)
    world.send(an_add(START_MS, anonymous_id="phone"), a_touchpoint("page_viewed", LATER_MS))
    assert world.emitted(Trigger) == []
    return world


def outcomes(world: World) -> list[str]:
    return [item.outcome for item in world.emitted(Decision, "u:1")]


def test_it_goes_out_with_the_due_time_that_it_had_when_time_has_come_so_far(world: World) -> None:
    world.pass_time(DUE_MS - 1)
    assert world.emitted(Trigger) == []
    world.pass_time(DUE_MS)
    (trigger,) = world.emitted(Trigger)
    assert trigger.decided_ms == trigger.due_ms == DUE_MS
    assert outcomes(world) == ["entered", "sent"]
    world.pass_time(LATER_MS + DAY_MS)
    assert len(world.emitted(Trigger)) == 1


def test_it_is_the_same_message_as_where_time_had_come(world: World, flow: dict[str, Any]) -> None:
    world.pass_time(LATER_MS)
    in_time = World(flows=(flow,))
    add, view = an_add(START_MS, event_id="add"), a_touchpoint("page_viewed", LATER_MS)
    for other in (late := World(flows=(flow,)), in_time):
        other.send(add)
    in_time.pass_time(LATER_MS)
    late.send(view)
    late.pass_time(LATER_MS)
    assert late.emitted(Trigger) == in_time.emitted(Trigger) != []
    assert late.emitted(Decision) == in_time.emitted(Decision)


def test_the_customers_own_records_do_not_bring_it_on(world: World) -> None:
    world.send(*(a_touchpoint("page_viewed", LATER_MS + minute * MINUTE_MS) for minute in range(600)))
    assert world.emitted(Trigger) == []


def test_a_withdrawal_by_address_that_was_on_its_way_takes_it_back(world: World) -> None:
    world.append("u:1", AddressConsent("email", granted=False, time_ms=DUE_MS - 1, cause="unsubscribed"))
    world.pass_time(LATER_MS)
    assert world.emitted(Trigger) == []
    assert outcomes(world) == ["entered", "sent", "revoked"]
    assert [item.final for item in world.emitted(Decision)] == [False, True, False]
    assert world.total("decisions_open") == 0
    profile = world.profile("u:1")
    assert profile is not None
    assert (profile.messages, profile.pending) == ((), ())


def test_a_withdrawal_that_was_on_its_way_counts_though_the_customer_has_withdrawn_since(world: World) -> None:
    world.send(a_touchpoint("consent_changed", LATER_MS + 1, consent=Consent("email", granted=False)))
    assert "revoked" not in outcomes(world)
    world.append("u:1", AddressConsent("email", granted=False, time_ms=DUE_MS - 1, cause="unsubscribed"))
    assert outcomes(world)[-1] == "revoked"


def test_a_withdrawal_that_ended_before_it_was_due_takes_nothing_back(flow: dict[str, Any]) -> None:
    world = World(flows=(flow,))
    granted = a_touchpoint("consent_changed", DUE_MS - 1, consent=Consent("email", granted=True))
    world.send(an_add(START_MS), granted, a_touchpoint("page_viewed", LATER_MS))
    world.append("u:1", AddressConsent("email", granted=False, time_ms=DUE_MS - 2, cause="unsubscribed"))
    world.pass_time(LATER_MS)
    assert len(world.emitted(Trigger)) == 1


def test_what_a_customer_says_after_it_was_due_is_too_late_as_it_would_have_been(world: World) -> None:
    statement = Consent("email", granted=False)
    world.send(a_touchpoint("consent_changed", LATER_MS + 1, consent=statement), an_order(LATER_MS + 2))
    world.pass_time(LATER_MS + 2)
    assert len(world.emitted(Trigger)) == 1
    assert "revoked" not in outcomes(world)


def test_a_pause_of_the_flow_takes_it_back_though_it_was_decided_before(world: World) -> None:
    world.append("", world.restated(abandoned_cart=FlowState(paused_ms=1)))
    world.pass_time(LATER_MS)
    assert world.emitted(Trigger) == []
    assert outcomes(world) == ["entered", "sent", "revoked"]
    profile = world.profile("u:1")
    assert profile is not None
    assert (profile.messages, profile.pending) == ((), ())


@pytest.mark.parametrize(("rules", "messages"), [(RULES_3, 1), (RULES, 0)])
def test_a_pause_that_is_over_by_then_takes_it_back_from_rules_4_on(
    flow: dict[str, Any], rules: int, messages: int
) -> None:
    world = waiting(flow, rules)
    for paused_ms in (1, None):
        world.append("", world.restated(abandoned_cart=FlowState(paused_ms=paused_ms)))
    world.pass_time(LATER_MS)
    assert len(world.emitted(Trigger)) == messages


def test_an_order_on_the_users_device_that_was_on_its_way_takes_it_back(world: World) -> None:
    order = an_order(START_MS + HOUR_MS, user=None, anonymous_id="phone")
    world.append("u:1", order, received_ms=START_MS + HOUR_MS, hops=1)
    world.pass_time(LATER_MS)
    assert world.emitted(Trigger) == []
    assert outcomes(world)[-1] == "revoked"


def test_an_order_from_before_the_cart_takes_nothing_back(world: World) -> None:
    order = an_order(START_MS - 1, user=None, anonymous_id="phone")
    world.append("u:1", order, received_ms=START_MS - 1, hops=1)
    world.pass_time(LATER_MS)
    assert len(world.emitted(Trigger)) == 1


def test_an_order_in_a_devices_profile_takes_it_back_when_the_device_turns_out_to_be_the_users(world: World) -> None:
    world.send(an_order(START_MS + HOUR_MS, user=None, anonymous_id="tablet"))
    world.append("a:tablet", Link("u:1", LATER_MS, "login"))
    world.pass_time(LATER_MS)
    assert world.emitted(Trigger) == []
    assert outcomes(world)[-1] == "revoked"


def test_a_devices_message_goes_out_to_the_user_that_it_turns_out_to_be(flow: dict[str, Any]) -> None:
    world = World(flows=({**flow, "channel": "push"},))
    world.send(
        an_add(START_MS, user=None, anonymous_id="phone"),
        a_touchpoint("page_viewed", LATER_MS, None, anonymous_id="phone"),
        a_touchpoint("signed_up", LATER_MS + 1, anonymous_id="phone"),
    )
    world.pass_time(LATER_MS + 1)
    (trigger,) = world.emitted(Trigger)
    assert (trigger.customer, trigger.user_id, trigger.due_ms) == ("u:1", "1", DUE_MS)
    assert world.emitted(Trigger, "u:1") == [trigger]


def test_a_transactional_message_does_not_wait(flow: dict[str, Any]) -> None:
    thanks = {**flow, "class": "transactional", "entry": {"event": "order_completed"}, "needs": {}, "wait": {}}
    thanks.pop("caps")
    world = World(flows=(thanks,))
    world.pass_time(START_MS)
    world.send(an_order(LATER_MS))
    assert [trigger.due_ms for trigger in world.emitted(Trigger)] == [LATER_MS]


def test_nobody_waits_where_time_is_a_second_or_two_behind(flow: dict[str, Any]) -> None:
    world = World(flows=({**flow, "wait": {"for": "0s"}},))
    world.pass_time(START_MS - 2_000)
    world.send(an_add(START_MS))
    assert len(world.emitted(Trigger)) == 1


def test_messages_go_out_in_the_order_in_which_they_were_decided_and_so_many_wait_at_most(flow: dict[str, Any]) -> None:
    caps = {"per_channel_hours": 0, "per_week": 100}
    flows = [{**flow, "id": f"cart_{number:02}", "caps": caps} for number in range(PENDING_MAX + 3)]
    world = World(flows=flows)
    world.send(an_add(START_MS), a_touchpoint("page_viewed", LATER_MS))
    assert len(world.emitted(Trigger)) == 3
    world.pass_time(LATER_MS)
    sent = world.emitted(Trigger)
    assert len(sent) == PENDING_MAX + 3
    assert all(one.flow_id < other.flow_id for one, other in pairwise(sent))


def test_a_message_that_waits_is_kept_with_the_profile(world: World) -> None:
    world.commit()
    profile = world.profile("u:1")
    assert profile is not None
    (held,) = profile.pending
    world.pass_time(LATER_MS)
    assert world.emitted(Trigger) == [held.trigger]
    assert held.is_held
    assert msgspec.structs.replace(profile, pending=(), wake_ms=0) == msgspec.structs.replace(
        world.profile("u:1") or profile, wake_ms=0
    )


def test_of_two_messages_of_a_flow_at_one_time_the_log_keeps_the_one_that_is_out(world: World) -> None:
    profile = world.profile("u:1")
    assert profile is not None
    (held,) = profile.messages
    # as where two users who are merged had a message of one flow at the same time
    out = replace(held, candidate_id="of the other")
    merged = replace(profile, messages=(held, out))
    at = Moment("u:1", LATER_MS, "test", world.settings, Effects())
    assert taken_back(merged, lambda _: True, "It is withdrawn.", {}, at).messages == (out,)
