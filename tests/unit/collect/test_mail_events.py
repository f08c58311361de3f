"""Whom a message was for, which flow sent it, and how it came back."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.touchpoint import Message, Touchpoint
from streams.collect.addresses import address_hash
from streams.collect.door import DoorSettings
from streams.collect.mail_events import (
    BOUNCED,
    CLICKED,
    COMPLAINED,
    DEFERRED,
    OPENED,
    SOFTLY,
    Mail,
    arrived_mail,
    own,
    required_ms,
)
from streams.collect.refused import RefusedRecord

SETTINGS = DoorSettings("mine", "EUR")


def event_of(kind: Any = OPENED, back: dict[str, Any] | None = None, **fields: Any) -> Touchpoint:
    fields = {"time_ms": 1_000, "address": "ann@x.de", "message_id": "p1", **fields}
    return arrived_mail(Mail(kind, back=back or {}, **fields), SETTINGS).touchpoint


def test_what_the_sender_wrote_comes_back() -> None:
    back = {"flow_id": "welcome", "flow_version": "3", "arm": "treatment", "message_id": "t1", "user_id": 7}
    event = event_of(back=back)
    assert event.message == Message("t1", "welcome", 3, "treatment")
    assert (event.user_id, event.email_hash, event.source) == ("7", address_hash("ann@x.de"), "mine")


@pytest.mark.parametrize(
    ("back", "who"),
    [
        ({"customer": "u:7"}, ("7", None)),
        ({"customer": "a:phone"}, (None, "phone")),
        ({"customer": "e:abc"}, (None, None)),
        ({"customer": "u:"}, (None, None)),
        ({"customer": "u:7", "user_id": "8"}, ("8", None)),
        ({"anonymous_id": "tablet"}, (None, "tablet")),
        ({}, (None, None)),
    ],
)
def test_who_the_customer_is(back: dict[str, Any], who: tuple[str | None, str | None]) -> None:
    event = event_of(back=back)
    assert (event.user_id, event.anonymous_id) == who


def test_without_our_own_id_a_message_has_the_providers() -> None:
    assert event_of().message == Message("p1")
    assert event_of(message_id=None).message is None
    assert event_of(message_id=None, back={"flow_id": "welcome"}).message == Message(None, "welcome")


@pytest.mark.parametrize("version", [None, "", "two", -1, 0, 1.5, 10**40, True, [], {}])
def test_what_is_no_version_says_nothing(version: Any) -> None:
    event = event_of(back={"flow_id": "welcome", "flow_version": version})
    assert event.message == Message("p1", "welcome")


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        (BOUNCED, {"bounce_type": "hard"}),
        (SOFTLY, {"bounce_type": "soft"}),
        (COMPLAINED, {"complaint": "spam"}),
        (OPENED, {}),
        (DEFERRED, {}),
    ],
)
def test_how_it_came_back(kind: Any, properties: dict[str, str]) -> None:
    assert event_of(kind).properties == properties


def test_an_event_without_an_id_gets_one_of_what_no_two_share() -> None:
    ids = [
        event_of().event_id,
        event_of(CLICKED, url="https://x.de/1").event_id,
        event_of(CLICKED, url="https://x.de/2").event_id,
        event_of(time_ms=1_001).event_id,
        event_of(address="bob@x.de").event_id,
        event_of(message_id="p2").event_id,
        event_of(own("Email Sent")).event_id,
        event_of(own("Email Queued")).event_id,
    ]
    assert len(set(ids)) == len(ids)
    assert event_of().event_id == ids[0]
    assert event_of(event_id="their-own").event_id == "their-own"


def test_the_rest_goes_on_as_properties_without_who_it_was() -> None:
    back = {"colour": "red", "user_id": "7", "Email": "ann@x.de"}
    arrived = arrived_mail(Mail(CLICKED, 1, "ann@x.de", "p", back, url="https://x.de", more={"tag": "a"}), SETTINGS)
    assert arrived.properties == {"colour": "red", "tag": "a", "url": "https://x.de"}


def test_a_time_is_needed() -> None:
    assert required_ms(7, "timestamp") == 7
    with pytest.raises(RefusedRecord, match="timestamp is missing"):
        required_ms(None, "timestamp")
