"""Events of Mailgun."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.touchpoint import CUSTOM, PERSON, PREFETCH, SCANNER, Message, Touchpoint
from streams.collect.door import DoorSettings
from streams.collect.mailgun import arrived
from streams.collect.refused import RefusedRecord

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"


def event_of(event: str, is_body: bool = True, **fields: Any) -> Touchpoint:  # noqa: FBT001, FBT002 - both forms
    data = {
        "event": event,
        "id": "e",
        "timestamp": 1_521_243_339.873676,
        "recipient": "ann@x.de",
        "message": {"headers": {"message-id": "m"}},
        **fields,
    }
    (found,) = arrived({"signature": {}, "event-data": data} if is_body else data, DoorSettings("mail", "EUR"))
    return found.touchpoint


@pytest.mark.parametrize("is_body", [True, False])
def test_a_body_and_an_event_are_the_same(is_body: bool) -> None:  # noqa: FBT001 - both forms
    event = event_of("delivered", is_body, **{"user-variables": {"flow_id": "welcome", "user_id": 7}})
    assert (event.type, event.event_id, event.time_ms) == ("email_delivered", "e", 1_521_243_339_873)
    assert (event.message, event.user_id) == (Message("m", "welcome"), "7")


@pytest.mark.parametrize(
    ("client", "who"),
    [
        ({"user-agent": CHROME}, PERSON),
        ({"user-agent": CHROME, "bot": ""}, PERSON),
        ({"user-agent": CHROME, "bot": "apple"}, PREFETCH),
        ({"user-agent": CHROME, "bot": "gmail"}, PREFETCH),
        ({"user-agent": CHROME, "bot": "generic"}, SCANNER),
        ({"user-agent": CHROME, "client-type": "robot"}, SCANNER),
        ({}, None),
    ],
)
def test_who_clicked(client: dict[str, Any], who: str | None) -> None:
    fields: dict[str, Any] = {"client-info": client}
    assert event_of("clicked", **fields).agent == who


@pytest.mark.parametrize(
    ("severity", "reason", "kind", "properties"),
    [
        ("permanent", "bounce", "email_bounced", {"bounce_type": "hard"}),
        ("permanent", "suppress-bounce", "email_bounced", {"bounce_type": "hard"}),
        ("permanent", "suppress-complaint", "email_unsubscribed", {"complaint": "spam"}),
        ("permanent", "suppress-unsubscribe", "email_unsubscribed", {}),
        ("permanent", "old", "email_bounced", {"bounce_type": "soft"}),
        ("permanent", None, "email_bounced", {"bounce_type": "soft"}),
        ("temporary", "generic", CUSTOM, {}),
        (None, "bounce", CUSTOM, {}),
    ],
)
def test_how_a_message_failed(severity: Any, reason: Any, kind: str, properties: dict[str, str]) -> None:
    event = event_of("failed", severity=severity, reason=reason)
    assert (event.type, event.properties) == (kind, properties)


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({"event-data": {"timestamp": 1_521_243_339}}, "event-data.event is missing"),
        ({"event-data": {"event": "opened"}}, "event-data.timestamp is missing"),
        ({"event-data": []}, "event-data is a list"),
        (
            {"event-data": {"event": "opened", "timestamp": 1_521_243_339, "message": []}},
            "event-data.message is a list",
        ),
    ],
)
def test_what_is_wrong_is_named(document: dict[str, Any], named: str) -> None:
    with pytest.raises(RefusedRecord, match=named):
        arrived(document, DoorSettings("mail", "EUR"))
