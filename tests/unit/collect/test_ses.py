"""Events of Amazon SES, as SNS brings them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.touchpoint import CUSTOM, PERSON, SCANNER, Message, Touchpoint
from streams.collect.addresses import address_hash
from streams.collect.door import DoorSettings
from streams.collect.refused import RefusedRecord
from streams.collect.ses import arrived

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"


def a_document(kind: str, said: dict[str, Any] | None = None, **mail: Any) -> dict[str, Any]:
    sent = {"timestamp": "2017-08-09T23:50:00Z", "messageId": "m", "destination": ["ann@x.de"], **mail}
    stamped = {"timestamp": "2017-08-09T23:51:00Z", **(said or {})}
    return {"eventType": kind, "mail": sent, kind.lower(): stamped}


def events_of(document: dict[str, Any]) -> list[Touchpoint]:
    return [each.touchpoint for each in arrived(document, DoorSettings("mail", "EUR"))]


def test_tags_come_back() -> None:
    tags = {"flow_id": ["welcome"], "message_id": ["t1"], "user_id": ["7"], "ses:caller-identity": ["x"], "arm": []}
    (event,) = events_of(a_document("Open", {"userAgent": CHROME}, tags=tags | {"arm": ["holdout"]}))
    assert (event.message, event.user_id) == (Message("t1", "welcome", None, "holdout"), "7")
    assert (event.agent, event.time_ms) == (PERSON, 1_502_322_660_000)


@pytest.mark.parametrize(
    ("clicked", "who"), [("23:50:01", SCANNER), ("23:50:01.999", SCANNER), ("23:50:02", PERSON), ("23:55:00", PERSON)]
)
def test_a_click_right_after_sending_is_a_programs(clicked: str, who: str) -> None:
    said = {"timestamp": f"2017-08-09T{clicked}Z", "userAgent": CHROME, "link": "https://x.de"}
    (event,) = events_of(a_document("Click", said))
    assert event.agent == who


@pytest.mark.parametrize(
    ("kind", "said", "becomes", "properties"),
    [
        ("Bounce", {"bounceType": "Permanent"}, "email_bounced", {"bounce_type": "hard"}),
        ("Bounce", {"bounceType": "Transient"}, "email_bounced", {"bounce_type": "soft"}),
        ("Bounce", {"bounceType": "Undetermined"}, "email_bounced", {"bounce_type": "soft"}),
        ("Complaint", {}, "email_unsubscribed", {"complaint": "spam"}),
        ("Subscription", {"newTopicPreferences": {"unsubscribeAll": True}}, "email_unsubscribed", {}),
        ("Subscription", {"newTopicPreferences": {"unsubscribeAll": False}}, CUSTOM, {}),
        ("Subscription", {}, CUSTOM, {}),
        ("Teleport", {}, CUSTOM, {}),
    ],
)
def test_what_an_event_becomes(kind: str, said: dict[str, Any], becomes: str, properties: dict[str, str]) -> None:
    (event,) = events_of(a_document(kind, said))
    assert (event.type, event.properties) == (becomes, properties)


def test_only_those_whom_it_names_have_bounced() -> None:
    said = {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": "bob@x.de"}, {"emailAddress": "c@x.de"}]}
    found = events_of(a_document("Bounce", said, destination=["ann@x.de", "bob@x.de", "c@x.de"]))
    assert [event.email_hash for event in found] == [address_hash("bob@x.de"), address_hash("c@x.de")]
    assert len({event.event_id for event in found}) == 2


def test_nobody_knows_who_of_several_opened() -> None:
    several: dict[str, Any] = {"destination": ["ann@x.de", "bob@x.de"]}
    with pytest.raises(RefusedRecord, match="several recipients"):
        events_of(a_document("Open", **several))
    (event,) = events_of(a_document("Open", tags={"user_id": ["7"]}, **several))
    assert event.user_id == "7"


def an_envelope(message: Any, kind: str = "Notification") -> dict[str, Any]:
    return {"Type": kind, "TopicArn": "arn:aws:sns:eu-west-1:123456789012:mail", "Message": message, "MessageId": "s"}


def test_the_envelope_of_sns_is_opened() -> None:
    document = a_document("Open")
    assert events_of(an_envelope(json.dumps(document))) == events_of(document)


@pytest.mark.parametrize("message", ["Successfully validated SNS topic.", "", None, {}, 7])
def test_what_sns_says_for_itself_is_nobodys(message: Any) -> None:
    assert events_of(an_envelope(message)) == []
    assert events_of(an_envelope("{}", kind="SubscriptionConfirmation")) == []


@pytest.mark.parametrize(
    ("document", "named"),
    [
        (an_envelope("{"), "Message is not valid JSON"),
        (an_envelope('{"a":' * 200), "nested deeper"),
        ({"eventType": None}, "eventType is missing"),
        ({"eventType": "Open"}, "mail.timestamp is missing"),
        (a_document("Bounce", {"bouncedRecipients": "ann"}), "recipients are a text"),
        (a_document("Delivery", destination=["a@x.de"] * 51), "more than 50"),
    ],
)
def test_what_is_wrong_is_named(document: dict[str, Any], named: str) -> None:
    with pytest.raises(RefusedRecord, match=named):
        events_of(document)
