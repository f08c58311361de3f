"""The door for events of Postmark, by its "Webhooks" and "Bounce types"; metadata comes back in the event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.collect.agents import agent_of
from streams.collect.hiding import shown
from streams.collect.mail_events import (
    BOUNCED,
    CLICKED,
    COMPLAINED,
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

if TYPE_CHECKING:
    from streams.collect.arrived import Arrived
    from streams.collect.door import DoorSettings

DOOR: Final = "postmark"
_KINDS: Final = {
    "Delivery": DELIVERED,
    "Open": OPENED,
    "Click": CLICKED,
    "SpamComplaint": COMPLAINED,
    "SMTPApiError": own("Email Rejected"),
}
_BOUNCES: Final = {
    "HardBounce": BOUNCED,
    "BadEmailAddress": BOUNCED,
    "SpamComplaint": COMPLAINED,
    "Unsubscribe": UNSUBSCRIBED,
    "Subscribe": own("Email Subscribe Requested"),
    "AutoResponder": own("Email Auto Response"),
    "AddressChange": own("Email Address Changed"),
    "SMTPApiError": own("Email Rejected"),
    "TemplateRenderingFailed": own("Email Rejected"),
    "InboundError": own("Email Rejected"),
}
"""By Postmark's type; all others are of the moment, such as SoftBounce, Transient, DnsError and Blocked."""
_SUPPRESSIONS: Final = {"HardBounce": BOUNCED, "SpamComplaint": COMPLAINED}
_TIMES: Final = ("ReceivedAt", "DeliveredAt", "BouncedAt", "ChangedAt")
_LOOKS: Final = frozenset({OPENED, CLICKED})
_SAID: Final = ("Tag", "MessageStream", "Type", "Origin", "SuppressionReason", "ReadSeconds", "FirstOpen")


def arrived(event: dict[str, Any], settings: DoorSettings) -> list[Arrived]:
    """Map one event.

    Raises:
        RefusedRecord: a field is missing or of the wrong kind; the detail has its name.
    """
    record = text(event.get("RecordType"), "RecordType")
    if record is None:
        raise RefusedRecord("unknown_type", "RecordType is missing: an event of Postmark says what it is")
    kind = _kind_of(record, event)
    times = [time_ms_of(event[name], name) for name in _TIMES if event.get(name)]
    number = event.get("ID")
    mail = Mail(
        kind=kind,
        time_ms=required_ms(times[0] if times else None, f"the time of {shown(record)}"),
        address=event.get("Recipient") or event.get("Email"),
        message_id=event.get("MessageID"),
        back=part(event, "Metadata"),
        event_id=f"{record}:{text(number, 'ID')}" if number else None,
        agent=agent_of(event.get("UserAgent")) if kind in _LOOKS else None,
        url=event.get("OriginalLink"),
        more={name: event[name] for name in _SAID if name in event},
    )
    return [arrived_mail(mail, settings)]


def _kind_of(record: str, event: dict[str, Any]) -> Kind:
    if record == "Bounce":
        kind = event.get("Type")
        return _BOUNCES.get(kind, SOFTLY) if isinstance(kind, str) else SOFTLY
    if record == "SubscriptionChange":
        if event.get("SuppressSending") is not True:
            # a person of the shop, or the customer, lets it be sent again: that is no consent
            return own("Email Reactivated")
        reason = event.get("SuppressionReason")
        return _SUPPRESSIONS.get(reason, UNSUBSCRIBED) if isinstance(reason, str) else UNSUBSCRIBED
    return _KINDS.get(record) or own(f"Email {record}")
