"""What the doors of shops have in common: their orders and customers, in the words that orders.py reads."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - a compiled class reads its annotations
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from schemas.touchpoint import CURRENCY, CUSTOM, LINES_LEFT_OUT, Consent, Touchpoint
from streams.collect.amounts import currency_of, kind_of
from streams.collect.arrived import Arrived
from streams.collect.orders import lines_of, order_of
from streams.collect.reading import address_hash_of, identifier, text
from streams.collect.refused import RefusedRecord

if TYPE_CHECKING:
    from streams.collect.door import DoorSettings

COMPLETED: Final = "order_completed"
REFUNDED: Final = "order_refunded"
CANCELLED: Final = "order_cancelled"
_ORDERS: Final = frozenset({COMPLETED, REFUNDED, CANCELLED})
_CONSENT: Final = "consent_changed"


@dataclass
class Said:
    """What a shop says of one event; only what differs is given."""

    kind: str
    event_id: str
    time_ms: int
    name: str | None = None
    user_id: Any = None
    anonymous_id: Any = None
    addresses: tuple[Any, ...] = ()
    country: Any = None
    order: Mapping[str, Any] | None = None
    """The fields that orders.py reads: order_id, total, discount, coupon and products."""
    currency: Any = None
    consent: Consent | None = None


def arrived_of(
    said: Said, settings: DoorSettings, properties: Mapping[str, Any], traits: Mapping[str, Any] | None = None
) -> Arrived:
    """Return the touchpoint of what a shop says.

    Raises:
        RefusedRecord: a field is of the wrong kind, or no amount is known; the detail has its name.
    """
    currency = currency_of(said.currency, settings.currency)
    content = dict(said.order or {})
    lines = lines_of(content, currency)
    found = {LINES_LEFT_OUT: str(lines.left_out)} if lines.left_out else {}
    is_order = said.kind in _ORDERS
    if currency != settings.currency and lines.products and not is_order:
        found[CURRENCY] = currency
    event = Touchpoint(
        event_id=said.event_id,
        source=settings.source,
        type=said.kind,
        time_ms=said.time_ms,
        user_id=_known(identifier(said.user_id, "the id of the customer")),
        anonymous_id=_known(identifier(said.anonymous_id, "the id of the cart")),
        email_hash=address_hash_of(*said.addresses),
        order=order_of(said.kind, content, currency, lines) if is_order else None,
        consent=said.consent if said.kind == _CONSENT else None,
        products=lines.products,
        country=_code(said.country),
        properties=found,
        name=said.name if said.kind == CUSTOM else None,
    )
    return Arrived(event, properties, traits or {})


def objects(value: Any, name: str, most: int) -> list[dict[str, Any]]:  # noqa: ANN401 - of a JSON document
    """Return a list of objects; an empty one if there is none.

    Raises:
        RefusedRecord: it is something else, or has more than `most`.
    """
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise RefusedRecord("malformed", f"{name} is {kind_of(value)}: allowed is a list of objects")
    if len(value) > most:
        raise RefusedRecord("too_many", f"{name} has {len(value)} items; at most {most} are allowed")
    return value


def event_id_of(*parts: Any) -> str:  # noqa: ANN401 - of a JSON document
    """Return the id of an event by the shop's own ids, so that what is sent again counts once.

    Raises:
        RefusedRecord: a part is no text and no number.
    """
    return ":".join([text(each, "id") or "" for each in parts])


def _known(found: str | None) -> str | None:
    """Return an id; 0 is the guest of shops."""
    return None if found in {None, "0"} else found


def _code(country: Any) -> str | None:  # noqa: ANN401 - of a JSON document
    """Return a country's code of ISO 3166; a name in some language is none."""
    is_code = isinstance(country, str) and len(country) == 2 and country.isascii() and country.isalpha()  # noqa: PLR2004
    return country.upper() if is_code else None
