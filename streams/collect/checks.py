"""Checks whether a touchpoint can be used: its time and amounts, and the fields that its type needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from schemas.limits import (
    LINES_KEPT,
    MINOR_MAX,
    QUANTITY_MAX,
    TEXT_BYTES_MAX,
    TIME_MS_MAX,
    TIME_MS_MIN,
)
from schemas.nobody import IDS_OF_NOBODY
from schemas.touchpoint import (
    CUSTOM,
    ERASURE_REQUESTED,
    IDENTITY_LINKED,
    IDENTITY_UNLINKED,
    LINES_LEFT_OUT,
    PERSON,
    PREFETCH,
    PREVIOUS_ID,
    SCANNER,
)
from schemas.units import DAY_MS
from streams.collect.addresses import address_hash, alone, is_address
from streams.collect.hiding import hidden, shown
from streams.collect.nobody import is_of_nobody
from streams.collect.refused import RefusedRecord
from streams.collect.sizes import check_sizes
from streams.collect.tidying import tidied, with_codes, without_vouchers
from streams.profiles.bounds import utf8_bytes

if TYPE_CHECKING:
    from collections.abc import Collection

    from schemas.touchpoint import Touchpoint

TYPES = frozenset(
    [
        "product_viewed",
        "product_added",
        "product_removed",
        "checkout_started",
        "order_completed",
        "order_refunded",
        "order_cancelled",
        "page_viewed",
        "product_searched",
        "signed_up",
        "promotion_viewed",
        "promotion_clicked",
        "email_delivered",
        "email_opened",
        "email_clicked",
        "email_bounced",
        "email_unsubscribed",
        "sms_delivered",
        "sms_clicked",
        "push_opened",
        "ad_impression",
        "ad_clicked",
        "spend_recorded",
        "consent_changed",
        IDENTITY_LINKED,
        IDENTITY_UNLINKED,
        "ticket_opened",
        "ticket_closed",
        "loyalty_changed",
        "rate_recorded",
        ERASURE_REQUESTED,
        CUSTOM,
    ]
)
"""The canonical types, of which the product itself knows what they mean; any other is custom, with its name."""
_CANONICAL = TYPES - {CUSTOM}
_ORDER_TYPES = frozenset({"order_completed", "order_refunded", "order_cancelled"})
_AGENTS = (PERSON, PREFETCH, SCANNER)
_CURRENCY_CHARACTERS_MAX = 10
"""Of a code with blanks around it."""
_HASH = re.compile(r"[0-9a-f]{64}")
_CURRENCY = re.compile(r"[A-Z]{3}")


def checked(
    event: Touchpoint,
    received_ms: int,
    nobody: tuple[str, ...] = IDS_OF_NOBODY,
    *,
    may_have_address: bool = True,
) -> Touchpoint:
    """Check a touchpoint and return it with nothing plain in it (hiding.py), and with LINES_KEPT lines at most.

    A type that is not canonical becomes the name of a custom event. An id that means nobody, one of these words, is
    left out, so that strangers do not become one customer. What can be written in two ways is written in one
    (tidying.py). It is the same object if nothing had to be changed. `may_have_address`: False where its bytes have
    been searched.

    Raises:
        RefusedRecord: it names what is wrong, the value and what is allowed.
    """
    if event.type not in _CANONICAL:
        event = _custom(event)
    check_time(event.time_ms, received_ms)
    if not event.event_id:
        raise RefusedRecord("no_event_id", "event_id is empty")
    if event.channel is not None or event.marketing is not None or event.time_zone is not None:
        event = tidied(event)
    check_sizes(event)
    while _check_amounts(event):
        # articles that move up in the place of others are checked as well
        event = without_vouchers(event)
        if not event.products and event.order is None:
            raise RefusedRecord("amount_out_of_range", "products.price_minor or products.quantity is below 0")
        check_sizes(event)
    event = _check_parts(event, nobody)
    return hidden(_with_hash(_shortened(_without_nobody(event, nobody))), may_have_address=may_have_address)


def _custom(event: Touchpoint) -> Touchpoint:
    name = event.name if event.type == CUSTOM else event.type
    if not name or not name.strip():
        raise RefusedRecord("no_name", "a touchpoint of type custom needs the name of its event")
    return event if event.type == CUSTOM else msgspec.structs.replace(event, type=CUSTOM, name=name)


def check_linking(event: Touchpoint, sources: Collection[str]) -> None:
    """Check that it is one of these sources that says that two user ids are one person.

    Raises:
        RefusedRecord: it is not. Else any browser could take over a customer whose id it guesses.
    """
    previous = event.properties.get(PREVIOUS_ID)
    if previous and previous != event.user_id and event.source not in sources:
        which = f"source {shown(event.source)} is none of linking_sources, {sorted(sources)}"
        raise RefusedRecord("may_not_link", f"{which}: only they may say that two user ids are one person")


def check_time(time_ms: int, received_ms: int) -> None:
    """Check that a time is from 1990 on, before 2080, and at most a day after the receive time.

    Raises:
        RefusedRecord: it is not.
    """
    if not TIME_MS_MIN <= time_ms <= received_ms + DAY_MS or time_ms >= TIME_MS_MAX:
        raise RefusedRecord(
            "time_out_of_range",
            f"time_ms is {time_ms}: allowed is from 1990 to one day after the receive time, and before 2080",
        )


def _check_amounts(event: Touchpoint) -> bool:
    """Check amounts and quantities, and return whether a line takes off, such as a voucher, which is no article."""
    amounts = []
    if event.order is not None:
        amounts = [("order.total_minor", event.order.total_minor), ("order.discount_minor", event.order.discount_minor)]
    if event.spend is not None:
        amounts.append(("spend.total_minor", event.spend.total_minor))
    for name, minor in amounts:
        if not 0 <= minor <= MINOR_MAX:
            raise RefusedRecord("amount_out_of_range", f"{name} is {minor}: allowed is from 0 to {MINOR_MAX}")
    takes_off = False
    for product in event.products[:LINES_KEPT]:
        price_minor, quantity = product.price_minor, product.quantity
        if not 0 <= price_minor <= MINOR_MAX or not 0 <= quantity <= QUANTITY_MAX:
            if price_minor > MINOR_MAX or quantity > QUANTITY_MAX:
                raise RefusedRecord(
                    "amount_out_of_range",
                    f"products.price_minor is {price_minor}, products.quantity is {quantity}: at most {MINOR_MAX} and "
                    f"{QUANTITY_MAX} are allowed",
                )
            takes_off = True
    return takes_off


def _check_parts(event: Touchpoint, nobody: tuple[str, ...]) -> Touchpoint:
    """Check that a touchpoint has what its type needs, and return it with its currency in capitals."""
    if event.type in _ORDER_TYPES and (event.order is None or not event.order.order_id):
        raise RefusedRecord("no_order", f"{event.type} has no order.order_id")
    for part in (event.order, event.spend):
        if part is not None and not _CURRENCY.fullmatch(part.currency):
            if not _CURRENCY.fullmatch(part.currency[:_CURRENCY_CHARACTERS_MAX].strip().upper()):
                raise RefusedRecord(
                    "bad_currency", f"currency is {shown(part.currency, 10)}: allowed is an ISO 4217 code such as EUR"
                )
            event = with_codes(event)
    if event.type == IDENTITY_LINKED and event.properties:
        _check_link(event, nobody)
    if event.agent is not None and event.agent not in _AGENTS:
        # not shown: who fills it with what a browser calls itself would find that in dead letters
        raise RefusedRecord("bad_agent", f"agent is none of the allowed values {', '.join(_AGENTS)}")
    if event.type == "spend_recorded" and (event.spend is None or not event.channel):
        raise RefusedRecord("no_spend", "spend_recorded needs spend and channel")
    if event.type == "consent_changed" and event.consent is None:
        raise RefusedRecord("no_consent", "consent_changed needs consent")
    return event


def _check_link(event: Touchpoint, nobody: tuple[str, ...]) -> None:
    previous = event.properties.get(PREVIOUS_ID)
    if previous is None:
        return
    if utf8_bytes(previous) > TEXT_BYTES_MAX:
        raise RefusedRecord("too_long", f"{PREVIOUS_ID} has more than {TEXT_BYTES_MAX} bytes")
    for user_id in (previous, event.user_id or ""):
        if is_of_nobody(user_id, nobody):
            which = f"{IDENTITY_LINKED} links {shown(user_id)}"
            raise RefusedRecord("no_customer", f"{which}, which is the id of nobody")


def _without_nobody(event: Touchpoint, nobody: tuple[str, ...]) -> Touchpoint:
    user, device = event.user_id, event.anonymous_id
    if user and is_of_nobody(user, nobody):
        event = msgspec.structs.replace(event, user_id=None)
    if device and is_of_nobody(device, nobody):
        event = msgspec.structs.replace(event, anonymous_id=None)
    return event


def _shortened(event: Touchpoint) -> Touchpoint:
    """Keep the first lines of a long order or cart, and say how many did not go on; the total of an order stays."""
    left_out = len(event.products) - LINES_KEPT
    if left_out <= 0:
        return event
    properties = {**event.properties, LINES_LEFT_OUT: str(left_out)}
    return msgspec.structs.replace(event, products=event.products[:LINES_KEPT], properties=properties)


def _with_hash(event: Touchpoint) -> Touchpoint:
    """Put the hash in the place of an address, and small letters in the place of capitals of a hash."""
    text = event.email_hash
    if text is None or _HASH.fullmatch(text):
        return event
    address = alone(text)
    if _HASH.fullmatch(address.lower()):
        return msgspec.structs.replace(event, email_hash=address.lower())
    if not is_address(address):
        raise RefusedRecord("bad_email_hash", "email_hash is neither 64 hex digits nor an address")
    return msgspec.structs.replace(event, email_hash=address_hash(address))
