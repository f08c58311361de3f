"""A message that goes out when its customer opens messages, and what takes it back before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.journal import RULES, AddressConsent
from schemas.outputs import Decision, Revocation, Trigger
from schemas.touchpoint import Consent, Touchpoint
from streams.flows.language.mistakes import FlowError, parse_flow
from tests.support.flows import TEN, a_bare_flow
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, World, a_refund, a_touchpoint, an_order

VIEWED_MS = START_MS + 12 * HOUR_MS
"""At noon in UTC."""

ORDERED_MS = START_MS + 12 * HOUR_MS
SECOND_ORDER: dict[str, Any] = {
    **next(each for each in TEN if each["id"] == "second_order"),
    "holdout_percent": 0,
}


def a_flow(**changes: Any) -> dict[str, Any]:
    given = {"wait": {"for": "1h"}, "send_time": "best", "quiet_hours": {"from": "21:00", "to": "08:00"}}
    return a_bare_flow("browse", "product_viewed", **(given | changes))


def seen(opens: int = 0, hour: int = 18, *, user: str | None = "1", **changes: Any) -> World:
    """A customer who has opened so many messages at that hour looks at a product; an hour later it is decided."""
    world = World(flows=(a_flow(**changes),))
    who = {"user": user} if user else {"user": None, "anonymous_id": "phone"}
    for number in range(opens):
        at_ms = START_MS - (number + 1) * DAY_MS + hour * HOUR_MS + 30 * MINUTE_MS
        world.send(a_touchpoint("email_opened", at_ms, **who))
    world.send(a_touchpoint("product_viewed", VIEWED_MS, **who))
    world.pass_time(VIEWED_MS + HOUR_MS)
    return world


def clock(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%d %H:%M}"


def test_it_is_decided_at_once_and_due_when_the_customer_opens_messages() -> None:
    (trigger,) = seen(opens=1_000).emitted(Trigger)
    assert trigger.decided_ms == VIEWED_MS + HOUR_MS
    assert clock(trigger.due_ms) in {"01 18:28", "01 18:29", "01 18:30"}
    assert clock(trigger.expires_ms) == "01 21:00"


def test_where_the_customers_hour_is_quiet_it_goes_out_when_quiet_hours_end() -> None:
    (trigger,) = seen(opens=100, hour=2).emitted(Trigger)
    assert clock(trigger.due_ms) == "02 08:00"


def test_where_the_customers_hour_comes_too_late_it_goes_out_at_once() -> None:
    (trigger,) = seen(expires_after="2h").emitted(Trigger)
    assert trigger.due_ms == VIEWED_MS + HOUR_MS


def taken_back(world: World, customer: str = "u:1", channel: str = "email") -> None:
    (trigger,) = world.emitted(Trigger, customer)
    (revocation,) = world.emitted(Revocation, customer)
    assert (revocation.trigger_id, revocation.flow_id, revocation.channel) == (trigger.trigger_id, "browse", channel)
    assert trigger.decided_ms <= revocation.time_ms < trigger.due_ms
    assert [item.outcome for item in world.emitted(Decision, customer)] == ["entered", "sent", "revoked"]


def test_an_order_before_it_is_due_takes_it_back() -> None:
    world = seen()
    world.send(an_order(VIEWED_MS + 2 * HOUR_MS))
    taken_back(world)
    profile = world.profile("u:1")
    assert profile is not None
    assert (profile.messages, profile.pending) == ((), ())


def test_the_customers_own_withdrawal_before_it_is_due_takes_it_back() -> None:
    world = seen()
    world.send(a_touchpoint("consent_changed", VIEWED_MS + 2 * HOUR_MS, consent=Consent("all", granted=False)))
    taken_back(world)


def test_a_withdrawal_by_address_before_it_is_due_takes_it_back() -> None:
    world = seen()
    world.append("u:1", AddressConsent("email", granted=False, time_ms=VIEWED_MS + 2 * HOUR_MS, cause="unsubscribed"))
    taken_back(world)


def test_a_device_that_turns_out_to_be_a_users_is_not_written_to() -> None:
    world = seen(user=None, channel="push")
    world.send(a_touchpoint("signed_up", VIEWED_MS + 2 * HOUR_MS, anonymous_id="phone"))
    taken_back(world, "a:phone", "push")


def invited(rules: int = RULES) -> World:
    """A customer who ordered once is to be invited to a second order at ten in the morning of the 31st day."""
    world = World(rules=rules, flows=(SECOND_ORDER,))
    world.send(an_order(ORDERED_MS, order_id="first"))
    world.pass_time(ORDERED_MS + 30 * DAY_MS + HOUR_MS)
    (trigger,) = world.emitted(Trigger)
    assert clock(trigger.due_ms) == "01 10:00"
    return world


@pytest.mark.parametrize(
    "event",
    [
        an_order(ORDERED_MS + 30 * DAY_MS + 2 * HOUR_MS),
        a_refund(ORDERED_MS + 30 * DAY_MS + 2 * HOUR_MS, "first", 4_200),
        an_order(ORDERED_MS - DAY_MS),
    ],
    ids=["another order", "refund of the only one", "late order of before"],
)
def test_an_order_event_after_which_the_flow_is_not_for_the_customer_takes_it_back(event: Touchpoint) -> None:
    received_ms = ORDERED_MS + 30 * DAY_MS + 2 * HOUR_MS
    world = invited()
    world.send(event, received_ms=received_ms)
    assert [item.outcome for item in world.emitted(Decision)] == ["entered", "sent", "revoked"]
    assert len(world.emitted(Revocation)) == 1
    before = invited(rules=2)
    before.send(event, received_ms=received_ms)
    assert before.emitted(Revocation) == []


def test_an_order_of_a_device_that_turns_out_to_be_theirs_takes_it_back_too() -> None:
    world, now_ms = invited(), ORDERED_MS + 30 * DAY_MS + 2 * HOUR_MS
    world.send(an_order(now_ms, user=None, anonymous_id="phone"), a_touchpoint("page_viewed", now_ms, "2"))
    assert world.emitted(Revocation) == []
    world.send(a_touchpoint("page_viewed", now_ms + 1, anonymous_id="phone"))
    assert len(world.emitted(Revocation, "u:1")) == 1


def test_a_message_does_not_stand_in_its_own_way() -> None:
    needs = {"condition": {"field": "messages", "within": "7d", "at_most": 0}}
    world = seen(needs=needs, exits=["email_unsubscribed"])
    world.send(an_order(VIEWED_MS + 2 * HOUR_MS))
    assert world.emitted(Revocation) == []


def test_what_happens_once_it_was_due_takes_nothing_back() -> None:
    world = seen()
    (trigger,) = world.emitted(Trigger)
    world.pass_time(trigger.due_ms)
    world.send(an_order(trigger.due_ms + 1))
    assert world.emitted(Revocation) == []
    profile = world.profile("u:1")
    assert profile is not None
    assert profile.pending == ()


def test_a_message_that_is_taken_back_counts_for_no_cap_and_one_on_its_way_does() -> None:
    again = VIEWED_MS + 2 * HOUR_MS
    world = seen()
    world.send(a_touchpoint("product_viewed", again))
    world.pass_time(again + HOUR_MS)
    assert [item.outcome for item in world.emitted(Decision)][-1] == "capped"
    world = seen()
    world.send(an_order(again), a_touchpoint("product_viewed", again + 1))
    world.pass_time(again + 1 + HOUR_MS)
    assert [item.outcome for item in world.emitted(Decision)][-1] == "sent"


def test_a_message_held_until_the_past_is_known_is_taken_back_without_a_revocation() -> None:
    world = World(flows=(a_flow(),))
    world.send(
        a_touchpoint("product_viewed", VIEWED_MS),
        a_touchpoint("page_viewed", VIEWED_MS + 2 * HOUR_MS),
        an_order(VIEWED_MS + 3 * HOUR_MS),
    )
    world.pass_time(VIEWED_MS + DAY_MS)
    assert (world.emitted(Trigger), world.emitted(Revocation)) == ([], [])
    assert [item.outcome for item in world.emitted(Decision)][-1] == "revoked"


def test_a_message_that_was_held_can_be_taken_back_once_it_is_out() -> None:
    world = World(flows=(a_flow(),))
    world.send(a_touchpoint("product_viewed", VIEWED_MS), a_touchpoint("page_viewed", VIEWED_MS + 2 * HOUR_MS))
    world.pass_time(VIEWED_MS + 2 * HOUR_MS)
    world.send(an_order(VIEWED_MS + 3 * HOUR_MS))
    taken_back(world)


def test_send_time_has_no_place_in_a_transactional_flow() -> None:
    document = a_flow(**{"class": "transactional"})
    del document["quiet_hours"]
    with pytest.raises(FlowError, match="send_time is for promotional flows"):
        parse_flow(document, "browse.yaml")
