"""Answers of a customer: by which channel they get messages, and when they get none."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.journal import Absorbed
from schemas.outputs import Decision, Trigger
from schemas.touchpoint import Consent
from streams.profiles.codec import encode_profile
from tests.support.flows import a_bare_flow
from tests.support.world import DAY_MS, START_MS, World, a_touchpoint, an_order


def a_flow(**changes: Any) -> dict[str, Any]:
    given = {"exits": [], "channels": ["email", "sms", "push"], **changes}
    return a_bare_flow("browse", "product_viewed", **given)


def views(world: World, *days: int) -> None:
    """A message follows each at once."""
    for day in days:
        world.pass_time(START_MS + day * DAY_MS)
        world.send(a_touchpoint("product_viewed", START_MS + day * DAY_MS))


def channels(world: World) -> list[str]:
    return [trigger.channel for trigger in world.emitted(Trigger)]


def outcomes(world: World) -> list[str]:
    return [item.outcome for item in world.emitted(Decision) if item.outcome != "entered"]


def test_a_customer_who_has_answered_to_nothing_gets_messages_by_the_first_channel() -> None:
    world = World(flows=(a_flow(),))
    views(world, 0)
    assert channels(world) == ["email"]


@pytest.mark.parametrize(
    ("kind", "channel"), [("sms_clicked", "sms"), ("push_opened", "push"), ("email_opened", "email")]
)
def test_a_customer_gets_messages_by_the_channel_that_they_answered_last(kind: str, channel: str) -> None:
    world = World(flows=(a_flow(),))
    world.send(a_touchpoint("push_opened", START_MS - 2), a_touchpoint(kind, START_MS - 1))
    views(world, 0)
    assert channels(world) == [channel]


def test_consent_comes_before_what_a_customer_answers_to() -> None:
    world = World(flows=(a_flow(),))
    denied = Consent("sms", granted=False)
    world.send(a_touchpoint("sms_clicked", START_MS - 2), a_touchpoint("consent_changed", START_MS - 1, consent=denied))
    views(world, 0)
    assert channels(world) == ["email"]


def test_what_a_device_answered_to_counts_for_its_user() -> None:
    device, world = World(), World(flows=(a_flow(),))
    device.send(a_touchpoint("sms_clicked", START_MS - 2, user=None, anonymous_id="phone"))
    profile = device.profile("a:phone")
    assert profile is not None
    world.send(a_touchpoint("push_opened", START_MS - 3))
    world.append("u:1", Absorbed("a:phone", encode_profile(profile), START_MS - 1))
    views(world, 0)
    assert channels(world) == ["sms"]


def test_three_messages_without_an_answer_are_enough() -> None:
    world = World(flows=(a_flow(),), unanswered_max=3)
    views(world, 0, 3, 6, 9)
    assert outcomes(world) == ["sent", "sent", "sent", "suppressed"]
    assert world.emitted(Decision)[-1].reason == (
        "3 promotional messages had no answer, and the limit is 3, so this one was not sent."
    )


def test_nobody_is_left_in_peace_unless_the_settings_say_so() -> None:
    world = World(flows=(a_flow(),))
    views(world, 0, 3, 6, 9, 12)
    assert outcomes(world) == ["sent"] * 5


@pytest.mark.parametrize(
    "answer",
    [
        a_touchpoint("email_opened", START_MS + 7 * DAY_MS),
        an_order(START_MS + 7 * DAY_MS),
    ],
)
def test_an_answer_or_an_order_brings_a_customer_back(answer: Any) -> None:
    world = World(flows=(a_flow(),), unanswered_max=3)
    views(world, 0, 3, 6)
    world.send(answer)
    views(world, 9)
    assert outcomes(world)[-1] == "sent"


def test_messages_without_an_answer_count_until_one_comes() -> None:
    world = World(flows=(a_flow(),), unanswered_max=3)
    views(world, 0, 20, 40, 60, 200)
    assert outcomes(world) == ["sent", "sent", "sent", "suppressed", "suppressed"]
    world.send(a_touchpoint("email_clicked", START_MS + 201 * DAY_MS))
    views(world, 202, 222, 242, 262)
    assert outcomes(world)[5:] == ["sent", "sent", "sent", "suppressed"]


def test_an_answer_that_comes_in_late_does_not_answer_what_went_out_after_it() -> None:
    world = World(flows=(a_flow(),), unanswered_max=3)
    views(world, 0, 20, 40)
    world.send(a_touchpoint("email_clicked", START_MS - DAY_MS))
    views(world, 80)
    assert outcomes(world) == ["sent", "sent", "sent", "suppressed"]


def test_messages_to_a_device_count_for_its_user_too() -> None:
    device, world = World(flows=(a_flow(channels=["push"]),)), World(flows=(a_flow(),), unanswered_max=3)
    for day in (0, 1, 50):
        device.send(a_touchpoint("product_viewed", START_MS + day * DAY_MS, user=None, anonymous_id="phone"))
    profile = device.profile("a:phone")
    assert profile is not None
    assert profile.unanswered == (2, START_MS + DAY_MS)
    world.append("u:1", Absorbed("a:phone", encode_profile(profile), START_MS + 51 * DAY_MS))
    views(world, 100)
    assert outcomes(world) == ["suppressed"]


def test_a_transactional_message_asks_for_no_answers() -> None:
    world = World(flows=(a_flow(**{"class": "transactional"}),), unanswered_max=1)
    views(world, 0, 3)
    assert outcomes(world) == ["sent", "sent"]


def test_a_customer_who_has_answered_nothing_for_ninety_days_gets_fewer_messages_and_then_none() -> None:
    world = World(flows=(a_flow(caps={"per_channel_hours": 0}),), unengaged_per_week=1, unanswered_max=3)
    views(world, 0, 90, 92, 97, 104)
    assert outcomes(world) == ["sent", "sent", "capped", "sent", "suppressed"]
    reasons = [item.reason for item in world.emitted(Decision) if item.outcome == "capped"]
    assert reasons[0] == (
        "The limit for promotional messages is 1 in seven days, and 1 went out, so this one was not sent."
    )


@pytest.mark.parametrize(("day", "expected"), [(2, ["sent", "sent", "capped"]), (3, ["sent", "sent", "sent"])])
def test_an_answer_in_the_last_ninety_days_makes_a_customer_one_of_all(day: int, expected: list[str]) -> None:
    world = World(flows=(a_flow(caps={"per_channel_hours": 0}),), unengaged_per_week=1)
    views(world, 0)
    world.send(a_touchpoint("email_clicked", START_MS + day * DAY_MS))
    views(world, 90, 92)
    assert outcomes(world) == expected


def test_a_customer_met_less_than_ninety_days_ago_may_still_answer() -> None:
    world = World(flows=(a_flow(caps={"per_channel_hours": 0}),), unengaged_per_week=0)
    views(world, 0, 89, 90)
    assert outcomes(world) == ["sent", "sent", "capped"]


def test_a_flow_that_sends_less_to_all_sends_no_more_to_the_unengaged() -> None:
    world = World(flows=(a_flow(caps={"per_channel_hours": 0, "per_week": 1}),), unengaged_per_week=2)
    views(world, 0, 90, 92)
    assert outcomes(world) == ["sent", "sent", "capped"]
