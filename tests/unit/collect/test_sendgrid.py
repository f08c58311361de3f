"""Events of SendGrid."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.touchpoint import CUSTOM, PERSON, PREFETCH, SCANNER, Message, Touchpoint
from streams.collect.door import DoorSettings
from streams.collect.refused import RefusedRecord
from streams.collect.sendgrid import arrived

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"


def event_of(event: str, **fields: Any) -> Touchpoint:
    given = {"event": event, "email": "ann@x.de", "timestamp": 1_513_299_569, "sg_event_id": "e", "sg_message_id": "m"}
    (found,) = arrived({**given, **fields}, DoorSettings("mail", "EUR"))
    return found.touchpoint


def test_an_event_is_of_its_own_id_message_and_time() -> None:
    event = event_of("delivered", flow_id="welcome", arm="holdout", message_id="t1", user_id="7")
    assert (event.type, event.event_id, event.time_ms) == ("email_delivered", "e", 1_513_299_569_000)
    assert event.message == Message("t1", "welcome", None, "holdout")
    assert event.user_id == "7"


@pytest.mark.parametrize(
    ("fields", "who"),
    [
        ({"useragent": CHROME}, PERSON),
        ({"useragent": CHROME, "sg_machine_open": False}, PERSON),
        ({"useragent": CHROME, "sg_machine_open": True}, PREFETCH),
        ({"useragent": "Mozilla/5.0"}, PREFETCH),
        ({"useragent": "curl/8.5.0"}, SCANNER),
        ({}, None),
    ],
)
def test_who_opened(fields: dict[str, Any], who: str | None) -> None:
    assert event_of("open", **fields).agent == who
    assert event_of("unsubscribe", **fields).agent is None


@pytest.mark.parametrize(
    ("fields", "kind", "properties"),
    [
        ({"event": "bounce", "type": "bounce"}, "email_bounced", {"bounce_type": "hard"}),
        ({"event": "bounce", "type": "blocked"}, "email_bounced", {"bounce_type": "soft"}),
        ({"event": "bounce"}, "email_bounced", {"bounce_type": "hard"}),
        ({"event": "dropped", "reason": "Bounced Address"}, "email_bounced", {"bounce_type": "hard"}),
        ({"event": "dropped", "reason": "Invalid SMTPAPI header"}, "email_bounced", {"bounce_type": "hard"}),
        ({"event": "dropped", "reason": "Unsubscribed Address"}, "email_unsubscribed", {}),
        ({"event": "dropped", "reason": "Spam Reporting Address"}, "email_unsubscribed", {"complaint": "spam"}),
        ({"event": "dropped", "reason": "Recipient List over Package Quota"}, CUSTOM, {}),
        ({"event": "dropped", "reason": 7}, CUSTOM, {}),
    ],
)
def test_how_a_message_came_back(fields: dict[str, Any], kind: str, properties: dict[str, str]) -> None:
    event = event_of(**fields)
    assert (event.type, event.properties) == (kind, properties)


def test_an_event_of_tomorrow_is_one_of_the_shops_own() -> None:
    event = event_of("teleported")
    assert (event.type, event.name) == (CUSTOM, "Email teleported")


@pytest.mark.parametrize(("missing", "named"), [("event", "event"), ("timestamp", "timestamp")])
def test_what_is_missing_is_named(missing: str, named: str) -> None:
    given = {"event": "open", "email": "ann@x.de", "timestamp": 1_513_299_569}
    with pytest.raises(RefusedRecord, match=f"{named} is missing"):
        arrived({name: value for name, value in given.items() if name != missing}, DoorSettings("mail", "EUR"))
