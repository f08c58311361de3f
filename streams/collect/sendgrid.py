"""The door for events of SendGrid, by Twilio's "Event Webhook Reference"; unique arguments come back in the event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schemas.touchpoint import PREFETCH
from streams.collect.agents import agent_of
from streams.collect.mail_events import (
    BOUNCED,
    CLICKED,
    COMPLAINED,
    DEFERRED,
    DELIVERED,
    DROPPED,
    OPENED,
    SOFTLY,
    UNSUBSCRIBED,
    Kind,
    Mail,
    arrived_mail,
    own,
    required_ms,
)
from streams.collect.reading import text, time_ms_of
from streams.collect.refused import RefusedRecord

if TYPE_CHECKING:
    from streams.collect.arrived import Arrived
    from streams.collect.door import DoorSettings

DOOR: Final = "sendgrid"
_KINDS: Final = {
    "processed": own("Email Processed"),
    "deferred": DEFERRED,
    "delivered": DELIVERED,
    "open": OPENED,
    "click": CLICKED,
    "spamreport": COMPLAINED,
    "unsubscribe": UNSUBSCRIBED,
    "group_unsubscribe": UNSUBSCRIBED,
    "group_resubscribe": own("Email Group Resubscribed"),
}
_OF_THE_ACCOUNT: Final = "account_status_change"
_DROPS: Final = (("unsubscribed", UNSUBSCRIBED), ("spam", COMPLAINED), ("bounced", BOUNCED), ("invalid", BOUNCED))
"""Why SendGrid sends no message, by a word of its reason: what it knew of the address before."""
_LOOKS: Final = frozenset({OPENED, CLICKED})
_OWN_FIELDS: Final = frozenset(
    {
        "asm_group_id",
        "attempt",
        "bounce_classification",
        "cert_err",
        "email",
        "event",
        "ip",
        "marketing_campaign_id",
        "pool",
        "response",
        "send_at",
        "sg_content_type",
        "sg_event_id",
        "sg_machine_open",
        "sg_message_id",
        "sg_template_id",
        "sg_template_name",
        "singlesend_id",
        "smtp-id",
        "status",
        "timestamp",
        "tls",
        "type",
        "url",
        "url_offset",
        "useragent",
    }
)
"""What SendGrid itself writes; the rest are the sender's unique arguments."""
_SAID: Final = ("category", "reason", "type", "bounce_classification", "asm_group_id", "attempt")
"""What becomes a property, where the catalogue names it."""


def arrived(event: dict[str, Any], settings: DoorSettings) -> list[Arrived]:
    """Map one event. What happened to the account is nobody's, so nothing comes of it.

    Raises:
        RefusedRecord: a field is missing or of the wrong kind; the detail has its name.
    """
    name = text(event.get("event"), "event")
    if name is None:
        raise RefusedRecord("unknown_type", "event is missing: an event of SendGrid says what happened")
    if name == _OF_THE_ACCOUNT:
        return []
    kind = _kind_of(name, event)
    flagged = PREFETCH if event.get("sg_machine_open") is True else None
    mail = Mail(
        kind=kind,
        time_ms=required_ms(time_ms_of(event.get("timestamp"), "timestamp"), "timestamp"),
        address=event.get("email"),
        message_id=event.get("sg_message_id"),
        back={field: value for field, value in event.items() if field not in _OWN_FIELDS},
        event_id=event.get("sg_event_id"),
        agent=agent_of(event.get("useragent"), flagged=flagged) if kind in _LOOKS else None,
        url=event.get("url"),
        more={field: event[field] for field in _SAID if field in event},
    )
    return [arrived_mail(mail, settings)]


def _kind_of(name: str, event: dict[str, Any]) -> Kind:
    if name == "bounce":
        # a block is what a mailbox does for now, by SendGrid's own words
        return SOFTLY if event.get("type") == "blocked" else BOUNCED
    if name == "dropped":
        reason = event.get("reason")
        plain = reason.lower() if isinstance(reason, str) else ""
        return next((kind for word, kind in _DROPS if word in plain), DROPPED)
    return _KINDS.get(name) or own(f"Email {name}")
