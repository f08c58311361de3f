"""What the doors of mail providers have in common: whom a message was for, which flow sent it, and how it came back."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - a compiled class reads its annotations
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schemas.limits import INT_MAX, TEXT_MAX
from schemas.touchpoint import BOUNCE_TYPE, COMPLAINT, CUSTOM, Message, Touchpoint
from streams.collect.amounts import exact
from streams.collect.arrived import Arrived
from streams.collect.reading import address_hash_of, identifier, word
from streams.collect.refused import RefusedRecord
from streams.profiles.effects import derived_id
from streams.profiles.keys import DEVICE, USER

if TYPE_CHECKING:
    from streams.collect.door import DoorSettings

HARD: Final = "hard"
SOFT: Final = "soft"
_NAMES: Final = ("flow_id", "flow_version", "arm", "message_id", "user_id", "anonymous_id", "customer")
"""What a subscriber writes into a message for its way back: fields of a trigger, or who the customer is."""
_HIDDEN: Final = frozenset({*_NAMES, "email", "recipient", "ip", "useragent", "user_agent"})
"""What does not become a property of an event."""


class Kind(NamedTuple):
    """What an event of a provider is."""

    type: str
    name: str | None = None
    """The name of an event that has no canonical type."""
    bounce: str | None = None
    is_complaint: bool = False


DELIVERED: Final = Kind("email_delivered")
OPENED: Final = Kind("email_opened")
CLICKED: Final = Kind("email_clicked")
UNSUBSCRIBED: Final = Kind("email_unsubscribed")
COMPLAINED: Final = Kind("email_unsubscribed", is_complaint=True)
BOUNCED: Final = Kind("email_bounced", bounce=HARD)
SOFTLY: Final = Kind("email_bounced", bounce=SOFT)
DEFERRED: Final = Kind(CUSTOM, "Email Deferred")
DROPPED: Final = Kind(CUSTOM, "Email Dropped")


def own(name: str) -> Kind:
    """Return the kind of an event that has no canonical type."""
    return Kind(CUSTOM, name[:TEXT_MAX])


class Mail(NamedTuple):
    """What a provider says of one event of one message."""

    kind: Kind
    time_ms: int
    address: Any
    message_id: Any
    """The provider's own id of the message."""
    back: Mapping[str, Any] = {}
    """What the sender wrote into the message, for its way back."""
    event_id: Any = None
    """The provider's own id of the event; without one it is made of what no two events share."""
    agent: str | None = None
    url: Any = None
    """What was clicked."""
    more: Mapping[str, Any] = {}
    """What else becomes a property."""


def arrived_mail(mail: Mail, settings: DoorSettings) -> Arrived:
    """Return the touchpoint of an event.

    Raises:
        RefusedRecord: a field is of the wrong kind; the detail has its name.
    """
    kind, back = mail.kind, mail.back
    email_hash = address_hash_of(mail.address)
    message_id = word(mail.message_id, "the id of the message")
    found: dict[str, str] = {}
    if kind.bounce is not None:
        found[BOUNCE_TYPE] = kind.bounce
    if kind.is_complaint:
        found[COMPLAINT] = "spam"
    user_id, device = _whose(back)
    made_of = (settings.source, message_id or "", kind.type, kind.name or "", email_hash or "", mail.time_ms)
    event = Touchpoint(
        event_id=word(mail.event_id, "the id of the event") or derived_id(*made_of, _plain(mail.url)),
        source=settings.source,
        type=kind.type,
        time_ms=mail.time_ms,
        user_id=user_id,
        anonymous_id=device,
        email_hash=email_hash,
        message=_message(back, message_id),
        properties=found,
        name=kind.name,
        agent=mail.agent,
    )
    url = {"url": mail.url} if isinstance(mail.url, str) else {}
    more = {name: value for name, value in {**back, **mail.more}.items() if name.lower() not in _HIDDEN}
    return Arrived(event, {**more, **url}, {})


def _whose(back: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the user and the device that a message was for."""
    user_id = identifier(back.get("user_id"), "user_id")
    device = identifier(back.get("anonymous_id"), "anonymous_id")
    customer = back.get("customer")
    if isinstance(customer, str) and user_id is None and device is None:
        if customer.startswith(USER):
            user_id = customer.removeprefix(USER) or None
        elif customer.startswith(DEVICE):
            device = customer.removeprefix(DEVICE) or None
    return user_id, device


def _message(back: Mapping[str, Any], message_id: str | None) -> Message | None:
    """Return the message by our own id where the sender wrote it into the message, else by the provider's."""
    number = word(back.get("message_id"), "message_id") or message_id
    flow, arm = word(back.get("flow_id"), "flow_id"), word(back.get("arm"), "arm")
    if not number and not flow:
        return None
    return Message(message_id=number, flow_id=flow, flow_version=_version(back.get("flow_version")), arm=arm)


def _version(value: Any) -> int | None:  # noqa: ANN401 - of a JSON document
    """Return the version of a flow; what is no number of one says nothing."""
    try:
        number = exact(value, "flow_version")
    except RefusedRecord:
        return None
    return int(number) if 0 < number <= INT_MAX and number == number.to_integral_value() else None


def _plain(value: object) -> str:
    return value if isinstance(value, str) else ""


def required_ms(time_ms: int | None, name: str) -> int:
    """Return a time.

    Raises:
        RefusedRecord: there is none.
    """
    if time_ms is None:
        raise RefusedRecord("malformed", f"{name} is missing: allowed is a time")
    return time_ms
