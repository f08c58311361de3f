"""Events of Postmark."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.touchpoint import CUSTOM, PREFETCH, Message, Touchpoint
from streams.collect.door import DoorSettings
from streams.collect.postmark import arrived
from streams.collect.refused import RefusedRecord


def event_of(record: str, **fields: Any) -> Touchpoint:
    given = {"RecordType": record, "MessageID": "m", "Recipient": "ann@x.de", "ReceivedAt": "2019-11-05T16:33:54.9Z"}
    (found,) = arrived({**given, **fields}, DoorSettings("mail", "EUR"))
    return found.touchpoint


def test_metadata_comes_back() -> None:
    event = event_of(
        "Open", Metadata={"flow_id": "welcome", "message_id": "t1", "user_id": "7"}, UserAgent="Mozilla/5.0"
    )
    assert (event.message, event.user_id, event.agent) == (Message("t1", "welcome"), "7", PREFETCH)
    assert event.time_ms == 1_572_971_634_900


@pytest.mark.parametrize(
    ("kind", "becomes", "properties"),
    [
        ("HardBounce", "email_bounced", {"bounce_type": "hard"}),
        ("BadEmailAddress", "email_bounced", {"bounce_type": "hard"}),
        ("SoftBounce", "email_bounced", {"bounce_type": "soft"}),
        ("Transient", "email_bounced", {"bounce_type": "soft"}),
        ("Blocked", "email_bounced", {"bounce_type": "soft"}),
        (None, "email_bounced", {"bounce_type": "soft"}),
        ("SpamComplaint", "email_unsubscribed", {"complaint": "spam"}),
        ("Unsubscribe", "email_unsubscribed", {}),
        ("AutoResponder", CUSTOM, {}),
    ],
)
def test_how_a_message_came_back(kind: Any, becomes: str, properties: dict[str, str]) -> None:
    event = event_of("Bounce", Type=kind, ID=42)
    assert (event.type, event.properties, event.event_id) == (becomes, properties, "Bounce:42")


@pytest.mark.parametrize(
    ("fields", "becomes"),
    [
        ({"SuppressSending": True, "SuppressionReason": "HardBounce"}, "email_bounced"),
        ({"SuppressSending": True, "SuppressionReason": "SpamComplaint"}, "email_unsubscribed"),
        ({"SuppressSending": True, "SuppressionReason": "ManualSuppression"}, "email_unsubscribed"),
        ({"SuppressSending": True}, "email_unsubscribed"),
        # that it may be sent again is no consent
        ({"SuppressSending": False, "SuppressionReason": None}, CUSTOM),
        ({}, CUSTOM),
    ],
)
def test_what_a_change_of_suppression_means(fields: dict[str, Any], becomes: str) -> None:
    assert event_of("SubscriptionChange", **fields).type == becomes


def test_two_opens_of_a_message_are_two_events() -> None:
    one, other = event_of("Open"), event_of("Open", ReceivedAt="2019-11-05T17:00:00Z")
    assert one.event_id != other.event_id


@pytest.mark.parametrize(("missing", "named"), [("RecordType", "RecordType is missing"), ("ReceivedAt", "the time of")])
def test_what_is_missing_is_named(missing: str, named: str) -> None:
    given = {"RecordType": "Open", "MessageID": "m", "Recipient": "ann@x.de", "ReceivedAt": "2019-11-05T16:33:54Z"}
    with pytest.raises(RefusedRecord, match=named):
        arrived({name: value for name, value in given.items() if name != missing}, DoorSettings("mail", "EUR"))
