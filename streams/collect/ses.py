"""The door for events of Amazon SES, by its "Contents of event data that Amazon SES publishes to Amazon SNS".

It takes what SNS posts, and what it posts with raw delivery. Tags of the message come back in the event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from schemas.limits import NESTING_MAX
from schemas.nesting import is_nested_deeper
from schemas.touchpoint import SCANNER
from streams.collect.agents import agent_of
from streams.collect.amounts import kind_of
from streams.collect.mail_events import (
    BOUNCED,
    CLICKED,
    COMPLAINED,
    DEFERRED,
    DELIVERED,
    OPENED,
    SOFTLY,
    UNSUBSCRIBED,
    Kind,
    Mail,
    arrived_mail,
    own,
    required_ms,
)
from streams.collect.reading import part, text, time_ms_of
from streams.collect.refused import RefusedRecord
from streams.collect.timing import is_at_once

if TYPE_CHECKING:
    from streams.collect.arrived import Arrived
    from streams.collect.door import DoorSettings

DOOR: Final = "ses"
_KINDS: Final = {
    "Send": own("Email Sent"),
    "Delivery": DELIVERED,
    "Open": OPENED,
    "Click": CLICKED,
    "Complaint": COMPLAINED,
    "Reject": own("Email Rejected"),
    "Rendering Failure": own("Email Rejected"),
    "DeliveryDelay": DEFERRED,
}
_PARTS: Final = {"Rendering Failure": "failure", "DeliveryDelay": "deliveryDelay"}
"""Where an event has what is its own; others have it under their name in small letters."""
_RECIPIENTS: Final = ("bouncedRecipients", "complainedRecipients", "delayedRecipients")
_LOOKS: Final = frozenset({OPENED, CLICKED})
_RECIPIENTS_MAX: Final = 50
"""As many as SES lets one message have."""
_SAID: Final = ("bounceType", "bounceSubType", "complaintFeedbackType", "delayType", "linkTags", "reason")


def arrived(document: dict[str, Any], settings: DoorSettings) -> list[Arrived]:
    """Map one event, which may be about several recipients. What SNS says for itself is nobody's.

    Raises:
        RefusedRecord: a field is missing or of the wrong kind; the detail has its name.
    """
    event = _event_in(document)
    if event is None:
        return []
    name = text(event.get("eventType", event.get("notificationType")), "eventType")
    if name is None:
        raise RefusedRecord("unknown_type", "eventType is missing: an event of Amazon SES says what happened")
    mail, said = part(event, "mail"), part(event, _PARTS.get(name, name.lower()))
    kind = _kind_of(name, said)
    sent_ms = time_ms_of(mail.get("timestamp"), "mail.timestamp")
    time_ms = time_ms_of(said.get("timestamp"), "timestamp")
    time_ms = required_ms(sent_ms if time_ms is None else time_ms, "mail.timestamp")
    agent = agent_of(said.get("userAgent")) if kind in _LOOKS else None
    if kind == CLICKED and sent_ms is not None and is_at_once(time_ms, sent_ms):
        agent = SCANNER
    back = {tag: _first(values) for tag, values in part(mail, "tags", "mail.").items() if not tag.startswith("ses:")}
    return [
        arrived_mail(
            Mail(
                kind=kind,
                time_ms=time_ms,
                address=address,
                message_id=mail.get("messageId"),
                back=back,
                agent=agent,
                url=said.get("link"),
                more={field: said[field] for field in _SAID if field in said},
            ),
            settings,
        )
        for address in _addresses(said, mail, kind, back)
    ]


def _event_in(document: dict[str, Any]) -> dict[str, Any] | None:
    """Return the event that a message of SNS carries, or the document; None: it carries none."""
    if "Type" not in document or "TopicArn" not in document:
        return document
    message = document.get("Message")
    if document.get("Type") != "Notification" or not isinstance(message, str):
        return None
    body = message.encode(errors="replace")
    if body[:1] != b"{":
        # SES says in plain words that the topic works, when a person sets it up
        return None
    if is_nested_deeper(body, NESTING_MAX):
        raise RefusedRecord("malformed", f"Message is nested deeper than the {NESTING_MAX} levels that are allowed")
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise RefusedRecord("malformed", f"Message is not valid JSON: {error}") from None
    return found if isinstance(found, dict) else None


def _kind_of(name: str, said: dict[str, Any]) -> Kind:
    if name == "Bounce":
        return BOUNCED if said.get("bounceType") == "Permanent" else SOFTLY
    if name == "Subscription":
        preferences = part(said, "newTopicPreferences", "subscription.")
        return UNSUBSCRIBED if preferences.get("unsubscribeAll") is True else own("Email Preferences Changed")
    return _KINDS.get(name) or own(f"Email {name}")


def _addresses(said: dict[str, Any], mail: dict[str, Any], kind: Kind, back: dict[str, Any]) -> list[Any]:
    """Return whom an event is about: those whom it names, or else all to whom the message went."""
    listed = next((said[name] for name in _RECIPIENTS if said.get(name)), None)
    if listed is None:
        listed = said.get("recipients") or mail.get("destination") or []
    if not isinstance(listed, list) or len(listed) > _RECIPIENTS_MAX:
        raise RefusedRecord(
            "malformed", f"the recipients are {kind_of(listed)}, or more than {_RECIPIENTS_MAX}: allowed is a list"
        )
    found = [each.get("emailAddress") if isinstance(each, dict) else each for each in listed]
    if kind in _LOOKS and len(found) > 1 and not (back.get("user_id") or back.get("customer")):
        raise RefusedRecord("no_customer", "it is not said who of several recipients looked: send each a message")
    return found[:1] if kind in _LOOKS else found


def _first(values: Any) -> Any:  # noqa: ANN401 - of a JSON document
    return values[0] if isinstance(values, list) and values else values
