"""How many messages a customer gets in a time."""

from __future__ import annotations

import msgspec
import pytest

from schemas.units import DAY_MS, HOUR_MS
from streams.profiles.profile import Sent
from tests.support.flows import UNCAPPED, a_flow
from tests.support.journeys import START_MS, Journey, an_event


def test_a_second_promotion_by_the_channel_waits_for_twenty_hours() -> None:
    sent = Sent(START_MS - 18 * HOUR_MS + 1, "email", "other", is_promotional=True)
    journey = Journey().has(messages=(sent,))
    journey.meets(an_event())
    journey.comes_due()
    assert journey.outcomes == ["entered", "capped"]
    journey.has(messages=(msgspec.structs.replace(sent, time_ms=sent.time_ms - 1),))
    journey.meets(an_event())
    journey.comes_due()
    assert journey.outcomes[2:] == ["entered", "sent"]


def test_three_promotions_a_week_by_whatever_channel_are_enough() -> None:
    messages = tuple(Sent(START_MS - day * DAY_MS, "sms", "other", is_promotional=True) for day in (3, 2, 1))
    journey = Journey().has(messages=messages)
    journey.meets(an_event())
    journey.comes_due()
    assert journey.outcomes == ["entered", "capped"]
    assert journey.decisions[-1].evidence["messages_week"] == "3"


def test_the_log_of_messages_forgets_after_thirty_days() -> None:
    journey = Journey().has(messages=(Sent(START_MS - 31 * DAY_MS, "email", "other", is_promotional=True),))
    journey.meets(an_event())
    journey.comes_due()
    assert [message.flow_id for message in journey.profile.messages] == ["abandoned_cart"]


@pytest.mark.parametrize(("channel", "outcome"), [(None, "capped"), ("email", "sent"), ("sms", "sent")])
def test_a_cap_counts_a_channel_or_all_in_its_window(channel: str | None, outcome: str) -> None:
    cap = {"messages": 2, "within": "10d"} | ({"channel": channel} if channel else {})
    messages = (Sent(START_MS, "sms", "other", is_promotional=True),) * 2
    messages = (*messages[:1], msgspec.structs.replace(messages[0], channel="email"))
    journey = Journey(a_flow(caps=UNCAPPED | {"rolling": [cap]}, wait={"for": "9d"})).has(messages=messages)
    journey.meets(an_event())
    journey.comes_due()
    assert journey.outcomes == ["entered", outcome]
