"""The door for events of Mailgun, by its "Webhooks" and "Event structure"; user variables come back in the event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schemas.touchpoint import PREFETCH, SCANNER
from streams.collect.agents import agent_of
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

if TYPE_CHECKING:
    from streams.collect.arrived import Arrived
    from streams.collect.door import DoorSettings

DOOR: Final = "mailgun"
_KINDS: Final = {
    "accepted": own("Email Accepted"),
    "rejected": own("Email Rejected"),
    "delivered": DELIVERED,
    "opened": OPENED,
    "clicked": CLICKED,
    "complained": COMPLAINED,
    "unsubscribed": UNSUBSCRIBED,
    "stored": own("Email Stored"),
}
_FAILURES: Final = {
    "bounce": BOUNCED,
    "suppress-bounce": BOUNCED,
    "suppress-complaint": COMPLAINED,
    "suppress-unsubscribe": UNSUBSCRIBED,
}
"""Why Mailgun gave up for good. Other reasons are of the moment, such as `old`: it had tried for hours."""
_LOOKS: Final = frozenset({OPENED, CLICKED})
_AHEAD: Final = frozenset({"apple", "gmail"})
"""Programs, by Mailgun's names, that load pictures ahead; it names others for what looks for malware."""
_ROBOT: Final = "robot"


def arrived(document: dict[str, Any], settings: DoorSettings) -> list[Arrived]:
    """Map one event: a webhook's body, or what it has in `event-data`.

    Raises:
        RefusedRecord: a field is missing or of the wrong kind; the detail has its name.
    """
    is_body = "event-data" in document
    event, path = (part(document, "event-data"), "event-data.") if is_body else (document, "")
    name = text(event.get("event"), f"{path}event")
    if name is None:
        raise RefusedRecord("unknown_type", f"{path}event is missing: an event of Mailgun says what happened")
    kind = _kind_of(name, event)
    headers = part(part(event, "message", path), "headers", f"{path}message.")
    mail = Mail(
        kind=kind,
        time_ms=required_ms(time_ms_of(event.get("timestamp"), f"{path}timestamp"), f"{path}timestamp"),
        address=event.get("recipient"),
        message_id=headers.get("message-id"),
        back=part(event, "user-variables", path),
        event_id=event.get("id"),
        agent=_agent_of(part(event, "client-info", path)) if kind in _LOOKS else None,
        url=event.get("url"),
        more={field: event[field] for field in ("tags", "reason", "severity") if field in event},
    )
    return [arrived_mail(mail, settings)]


def _kind_of(name: str, event: dict[str, Any]) -> Kind:
    if name != "failed":
        return _KINDS.get(name) or own(f"Email {name}")
    if event.get("severity") != "permanent":
        # Mailgun goes on trying, and says so again and again: three of these are no three bounces
        return DEFERRED
    reason = event.get("reason")
    return _FAILURES.get(reason, SOFTLY) if isinstance(reason, str) else SOFTLY


def _agent_of(client: dict[str, Any]) -> str | None:
    found = client.get("bot")
    flagged = None
    if isinstance(found, str) and found.strip():
        flagged = PREFETCH if found.strip().lower() in _AHEAD else SCANNER
    elif client.get("client-type") == _ROBOT:
        flagged = SCANNER
    return agent_of(client.get("user-agent"), flagged=flagged)
