"""Maps Segment and RudderStack calls (track, page, identify, alias; their e-commerce spec v2) to touchpoints."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from schemas.limits import AT_MOST_MAX, LINES_KEPT, LINES_MAX, MINOR_MAX, NESTING_MAX, QUANTITY_MAX, TEXT_MAX
from schemas.nesting import is_nested_deeper
from schemas.touchpoint import (
    BOUNCE_TYPE,
    COMPLAINT,
    IDENTITY_LINKED,
    IDENTITY_UNLINKED,
    LINES_LEFT_OUT,
    PREVIOUS_ID,
    Consent,
    Marketing,
    Message,
    Order,
    Product,
    Touchpoint,
)
from streams.collect.addresses import address_hash, alone
from streams.collect.hiding import shown
from streams.collect.refused import RefusedRecord

if TYPE_CHECKING:
    from collections.abc import Collection

SOURCE = "segment"
_SPAM = "email marked as spam"
_EVENTS = {
    "product viewed": "product_viewed",
    "product added": "product_added",
    "product removed": "product_removed",
    "checkout started": "checkout_started",
    "order completed": "order_completed",
    "order refunded": "order_refunded",
    "order cancelled": "order_cancelled",
    "products searched": "product_searched",
    "signed up": "signed_up",
    "promotion viewed": "promotion_viewed",
    "promotion clicked": "promotion_clicked",
    "email delivered": "email_delivered",
    "email opened": "email_opened",
    "email link clicked": "email_clicked",
    "email bounced": "email_bounced",
    "unsubscribed": "email_unsubscribed",
    _SPAM: "email_unsubscribed",
    "push notification tapped": "push_opened",
    "consent changed": "consent_changed",
}
_BOUNCE_TYPES = ("bounce_type", "bounceType", "bounce_classification", "type")
"""Properties in which mail services say what kind of bounce it was."""
_MINOR_DIGITS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "KWD": 3, "BHD": 3, "JOD": 3, "OMR": 3, "TND": 3}
_DEFAULT_DIGITS = 2


def is_segment(value: bytes) -> bool:
    """Return whether the bytes look like a JSON object; canonical Avro begins with 00 or C3."""
    return value[:1] == b"{"


def touchpoint_of(value: bytes, default_currency: str, logouts: Collection[str] = ()) -> Touchpoint:
    """Map one call to the canonical touchpoint; `logouts` are names of events by which people log out, in lower case.

    Raises:
        RefusedRecord: not JSON, an unknown kind of call, or a field of the wrong type; the detail names it.
    """
    if is_nested_deeper(value, NESTING_MAX):
        raise RefusedRecord("malformed", f"the record is nested deeper than the {NESTING_MAX} levels that are allowed")
    try:
        call = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedRecord("malformed", f"the record is not valid JSON: {error}") from None
    try:
        return _mapped(call, default_currency, logouts)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise RefusedRecord(
            "malformed", f"a field of the Segment call is wrong: {type(error).__name__} {shown(error)}"
        ) from None


def _mapped(call: dict[str, Any], default_currency: str, logouts: Collection[str]) -> Touchpoint:
    kind = _type(call, logouts)
    properties = call.get("properties") or {}
    context = call.get("context") or {}
    currency = _text(properties.get("currency")) or default_currency
    # what the event itself names goes before what is known of the caller
    address = properties.get("email") or (call.get("traits") or context.get("traits") or {}).get("email")
    lines = _lines(properties)
    return Touchpoint(
        event_id=_text(call.get("messageId")) or "",
        source=SOURCE,
        type=kind,
        time_ms=_time_ms(call),
        user_id=_text(call.get("userId")),
        anonymous_id=_text(call.get("anonymousId")),
        email_hash=_address_hash(address) if address else None,
        session_id=_text(context.get("sessionId")),
        channel=_text(properties.get("channel")) or _text((context.get("campaign") or {}).get("medium")),
        marketing=_marketing(context, properties),
        message=_message(properties),
        order=_order(kind, properties, currency),
        consent=_consent(kind, properties),
        products=tuple([_product(line, currency) for line in lines[:LINES_KEPT]]),
        country=_text((context.get("location") or {}).get("country")),
        time_zone=_text(context.get("timezone")),
        properties=_properties(call, properties, len(lines)),
    )


def _properties(call: dict[str, Any], properties: dict[str, Any], lines: int) -> dict[str, str]:
    """Return the properties of a touchpoint: lines left out, a second id, and of what kind a bounce is."""
    found = {LINES_LEFT_OUT: str(lines - LINES_KEPT)} if lines > LINES_KEPT else {}
    previous = _text(call.get("previousId")) if call.get("type") == "alias" else None
    # browsers name their device where people had no id before, which both ids link already
    if previous is not None and previous != _text(call.get("anonymousId")):
        found[PREVIOUS_ID] = previous
    name = str(call.get("event", "")).lower()
    if name == _SPAM:
        found[COMPLAINT] = "spam"
    elif name == "email bounced":
        kind = next((each for each in map(properties.get, _BOUNCE_TYPES) if isinstance(each, str)), None)
        if kind is not None:
            found[BOUNCE_TYPE] = kind[:TEXT_MAX]
    return found


def _type(call: dict[str, Any], logouts: Collection[str]) -> str:
    kind = call.get("type")
    if kind == "page":
        return "page_viewed"
    if kind in {"identify", "alias"}:
        return IDENTITY_LINKED
    if kind != "track":
        allowed = "track, page, identify and alias"
        raise RefusedRecord("unknown_type", f"the call's type is {shown(kind)}: allowed are {allowed}")
    name = str(call.get("event", "")).lower()
    if name in logouts:
        return IDENTITY_UNLINKED
    if name not in _EVENTS:
        raise RefusedRecord("unknown_type", f"event {shown(name)} has no canonical type")
    return _EVENTS[name]


def _time_ms(call: dict[str, Any]) -> int:
    text = call.get("timestamp") or call.get("originalTimestamp") or call.get("sentAt")
    if not isinstance(text, str):
        raise RefusedRecord("malformed", "timestamp is missing: allowed is ISO 8601 with a time zone")
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise RefusedRecord("malformed", f"timestamp {shown(text)} has no time zone")
    return round(time.timestamp() * 1000)


def _text(value: Any) -> str | None:  # noqa: ANN401 - of a JSON document
    if isinstance(value, list | dict | bool):
        raise TypeError(f"a text was expected, not a {type(value).__name__}")
    return str(value) if value not in {None, ""} else None


def _address_hash(address: Any) -> str:  # noqa: ANN401 - of a JSON document
    if not isinstance(address, str):
        raise TypeError("email is not a text")
    if len(address) > TEXT_MAX:
        raise RefusedRecord("too_long", f"email has {len(address)} characters; at most {TEXT_MAX} are allowed")
    return address_hash(alone(address))


def _minor(value: Any, currency: str) -> int:  # noqa: ANN401 - of a JSON document
    """Return minor units, exactly: 12.34 EUR is 1234; half a unit is rounded to even."""
    minor = Decimal(str(value)) * 10 ** _MINOR_DIGITS.get(currency, _DEFAULT_DIGITS)
    return _whole(minor.to_integral_value(), MINOR_MAX)


def _whole(value: Any, most: int) -> int:  # noqa: ANN401 - of a JSON document
    # checked before it becomes an int: 1e999999 would have a million digits
    if not abs(Decimal(str(value))) <= most:
        raise RefusedRecord("amount_out_of_range", f"the number is {shown(value)}: at most {most} is allowed")
    return int(value)


def _marketing(context: dict[str, Any], properties: dict[str, Any]) -> Marketing | None:
    campaign = context.get("campaign") or {}
    fields = {
        "campaign_id": _text(properties.get("campaign_id") or campaign.get("id")),
        "click_id": _text((context.get("referrer") or {}).get("id")),
        "utm_source": _text(campaign.get("source")),
        "utm_medium": _text(campaign.get("medium")),
        "utm_campaign": _text(campaign.get("name")),
        "utm_content": _text(campaign.get("content")),
        "utm_term": _text(campaign.get("term")),
    }
    return Marketing(**fields) if any(fields.values()) else None


def _message(properties: dict[str, Any]) -> Message | None:
    number = _text(properties.get("email_id") or properties.get("message_id"))
    return Message(message_id=number) if number else None


def _order(kind: str, properties: dict[str, Any], currency: str) -> Order | None:
    if not kind.startswith("order_"):
        return None
    total = properties.get("total", properties.get("revenue", 0))
    return Order(
        order_id=_text(properties.get("order_id")) or "",
        currency=currency,
        total_minor=_minor(total or 0, currency),
        discount_minor=_minor(properties.get("discount") or 0, currency),
        coupon=_text(properties.get("coupon")),
    )


def _consent(kind: str, properties: dict[str, Any]) -> Consent | None:
    if kind != "consent_changed":
        return None
    granted = properties["granted"]
    if not isinstance(granted, bool):
        # the text "false" would count as true
        raise TypeError("granted is not a boolean")
    channel = str(properties.get("channel") or "")
    if not granted:
        return Consent(channel, granted=False, purpose=str(properties.get("purpose") or ""))
    at_most = properties.get("at_most")
    return Consent(
        channel=channel,
        granted=True,
        purpose=_text(properties.get("purpose")),
        at_most=None if at_most is None else _whole(at_most, AT_MOST_MAX),
        only_flow=_text(properties.get("only_flow")),
    )


def _lines(properties: dict[str, Any]) -> list[Any]:
    listed = properties.get("products")
    if listed is None:
        return [properties] if properties.get("sku") or properties.get("product_id") else []
    if not isinstance(listed, list):
        raise TypeError("products is not a list")
    if len(listed) > LINES_MAX:
        raise RefusedRecord("too_many", f"there are {len(listed)} products; at most {LINES_MAX} are allowed")
    return listed


def _product(item: dict[str, Any], currency: str) -> Product:
    return Product(
        sku=_text(item.get("sku")) or _text(item["product_id"]) or "",
        category=_text(item.get("category")),
        price_minor=_minor(item.get("price") or 0, currency),
        quantity=_whole(item.get("quantity") or 1, QUANTITY_MAX),
    )
