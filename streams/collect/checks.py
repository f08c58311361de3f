"""Checks whether a touchpoint can be used: bounds, and the fields that its type needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from schemas.units import DAY_MS
from streams.collect.addresses import address_hash, has_address, is_address, without_addresses

if TYPE_CHECKING:
    from schemas.touchpoint import Marketing, Message, Order, Product, Touchpoint

TIME_MS_MIN = 631_152_000_000
"""1990-01-01."""
TIME_MS_MAX = 3_471_292_800_000
"""2080-01-01: a replay does not compare times with a clock, so this bounds how many weekly timers can fire."""
TEXT_MAX = 512
CAMPAIGN_MAX = 256
PRODUCTS_MAX = 1_000
PROPERTIES_MAX = 100
PROPERTY_MAX = 4_096
VALUE_BYTES_MAX = 900_000
"""Below Kafka's default of 1 MiB for a record, with room for key and headers."""
MINOR_MAX = 10**15
QUANTITY_MAX = 10**7

_TEXTS = (
    "event_id",
    "source",
    "user_id",
    "anonymous_id",
    "email_hash",
    "session_id",
    "channel",
    "country",
    "time_zone",
)

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
        "identity_linked",
        "ticket_opened",
        "ticket_closed",
        "loyalty_changed",
        "rate_recorded",
        "erasure_requested",
    ]
)
CONSENT_CHANNELS = frozenset({"email", "sms", "push", "all"})
_ORDER_TYPES = frozenset({"order_completed", "order_refunded", "order_cancelled"})
_HASH = re.compile(r"[0-9a-f]{64}")


class RefusedRecord(Exception):
    """The touchpoint goes to the dead letters. `reason` is a metric's label; `detail` holds no personal data."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def checked(event: Touchpoint, received_ms: int) -> Touchpoint:
    """Check a touchpoint and return it with its addresses hashed; the same object if nothing had to be changed.

    Raises:
        RefusedRecord: it names what is wrong, the value and what is allowed.
    """
    if event.type not in TYPES:
        raise RefusedRecord("unknown_type", f"type {event.type[:TEXT_MAX]!r} is none of the canonical types")
    check_time(event.time_ms, received_ms)
    if not event.event_id:
        raise RefusedRecord("no_event_id", "event_id is empty")
    _check_sizes(event)
    _check_amounts(event)
    _check_parts(event)
    return _hashed(event)


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


def _check_sizes(event: Touchpoint) -> None:
    for name in _TEXTS:
        text = getattr(event, name)
        if text is not None and len(text) > TEXT_MAX:
            raise RefusedRecord("too_long", f"{name} has {len(text)} characters; at most {TEXT_MAX} are allowed")
    _check_texts("marketing", event.marketing, CAMPAIGN_MAX)
    _check_texts("message", event.message, TEXT_MAX)
    _check_texts("order", event.order, TEXT_MAX)
    for product in event.products:
        _check_texts("products", product, TEXT_MAX)
    if len(event.products) > PRODUCTS_MAX:
        raise RefusedRecord("too_many", f"there are {len(event.products)} products; at most {PRODUCTS_MAX} are allowed")
    if len(event.properties) > PROPERTIES_MAX:
        raise RefusedRecord(
            "too_many", f"there are {len(event.properties)} properties; at most {PROPERTIES_MAX} are allowed"
        )
    for name, text in event.properties.items():
        if len(name) > TEXT_MAX or len(text) > PROPERTY_MAX:
            raise RefusedRecord(
                "too_long",
                f"a property's name has more than {TEXT_MAX} characters, or its value more than {PROPERTY_MAX}",
            )


def _check_texts(name: str, part: Marketing | Message | Order | Product | None, characters_max: int) -> None:
    """Check the lengths of texts that profiles and ledger rows copy."""
    if part is None:
        return
    for field in part.__struct_fields__:
        text = getattr(part, field)
        if isinstance(text, str) and len(text) > characters_max:
            raise RefusedRecord(
                "too_long", f"{name}.{field} has {len(text)} characters; at most {characters_max} are allowed"
            )


def _check_amounts(event: Touchpoint) -> None:
    amounts = []
    if event.order is not None:
        amounts = [("order.total_minor", event.order.total_minor), ("order.discount_minor", event.order.discount_minor)]
    if event.spend is not None:
        amounts.append(("spend.total_minor", event.spend.total_minor))
    amounts += [("products.price_minor", product.price_minor) for product in event.products]
    for name, minor in amounts:
        if not 0 <= minor <= MINOR_MAX:
            raise RefusedRecord("amount_out_of_range", f"{name} is {minor}: allowed is from 0 to {MINOR_MAX}")
    for product in event.products:
        if not 0 <= product.quantity <= QUANTITY_MAX:
            raise RefusedRecord(
                "amount_out_of_range",
                f"products.quantity is {product.quantity}: allowed is from 0 to {QUANTITY_MAX}",
            )


def _check_parts(event: Touchpoint) -> None:
    if event.type in _ORDER_TYPES and (event.order is None or not event.order.order_id):
        raise RefusedRecord("no_order", f"{event.type} has no order.order_id")
    for part in (event.order, event.spend):
        if part is not None and not (len(part.currency) == 3 and part.currency.isalpha() and part.currency.isupper()):  # noqa: PLR2004 - ISO 4217
            raise RefusedRecord(
                "bad_currency", f"currency is {part.currency[:10]!r}: allowed is an ISO 4217 code such as EUR"
            )
    if event.type == "spend_recorded" and (event.spend is None or not event.channel):
        raise RefusedRecord("no_spend", "spend_recorded needs spend and channel")
    if event.type == "consent_changed" and (event.consent is None or event.consent.channel not in CONSENT_CHANNELS):
        raise RefusedRecord("no_consent", f"consent_changed needs consent.channel, one of {sorted(CONSENT_CHANNELS)}")


def _hashed(event: Touchpoint) -> Touchpoint:
    changes: dict[str, object] = {}
    address = event.email_hash
    if address is not None and not _HASH.fullmatch(address):
        if not is_address(address):
            raise RefusedRecord("bad_email_hash", "email_hash is neither 64 hex digits nor an address")
        changes["email_hash"] = address_hash(address)
    for name in ("user_id", "anonymous_id"):
        text = getattr(event, name)
        if text is not None and is_address(text):
            changes[name] = address_hash(text)
    if any(has_address(text) for text in event.properties.values()):
        changes["properties"] = {name: without_addresses(text) for name, text in event.properties.items()}
    return msgspec.structs.replace(event, **changes) if changes else event
