"""The door for rows of Google Analytics 4, as its export to BigQuery has them, in JSON.

By Google's "BigQuery Export schema" and "Recommended events". A row has no id: it is made of what no two rows share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schemas.limits import LINES_MAX
from schemas.touchpoint import CURRENCY, CUSTOM, IDENTITY_LINKED, LINES_LEFT_OUT, Marketing, Touchpoint
from streams.collect.amounts import currency_of, exact, kind_of
from streams.collect.arrived import Arrived
from streams.collect.hiding import shown
from streams.collect.nobody import is_nothing
from streams.collect.orders import lines_of, order_of
from streams.collect.pages import campaign_in, page_of
from streams.collect.reading import address_hash_of, identifier, part, text, word
from streams.collect.refused import RefusedRecord
from streams.profiles.effects import derived_id

if TYPE_CHECKING:
    from decimal import Decimal

    from streams.collect.door import DoorSettings

DOOR: Final = "ga4"
_KINDS: Final = {
    "view_item": "product_viewed",
    "add_to_cart": "product_added",
    "remove_from_cart": "product_removed",
    "begin_checkout": "checkout_started",
    "purchase": "order_completed",
    "in_app_purchase": "order_completed",
    "refund": "order_refunded",
    "page_view": "page_viewed",
    "screen_view": "page_viewed",
    "search": "product_searched",
    "view_search_results": "product_searched",
    "view_promotion": "promotion_viewed",
    "select_promotion": "promotion_clicked",
    "sign_up": "signed_up",
    "login": IDENTITY_LINKED,
}
"""Of the recommended events and those that Google collects itself; every other one is the shop's own."""
_ORDERS: Final = frozenset({"order_completed", "order_refunded"})
_VALUES: Final = ("string_value", "int_value", "double_value", "float_value")
"""Where a parameter has its value: one of these is not null."""
_PARAMETERS_MAX: Final = 1_000
"""Parameters, and user properties, of one row: Google allows 25 to 100."""
_ID_PARTS: Final = (
    "event_name",
    "event_timestamp",
    "event_previous_timestamp",
    "event_bundle_sequence_id",
    "event_server_timestamp_offset",
    "batch_event_index",
    "batch_ordering_id",
    "batch_page_id",
    "stream_id",
    "user_pseudo_id",
    "user_id",
)
_MANUAL: Final = {
    "manual_campaign_id": "campaign_id",
    "manual_source": "utm_source",
    "manual_medium": "utm_medium",
    "manual_campaign_name": "utm_campaign",
    "manual_content": "utm_content",
    "manual_term": "utm_term",
    "gclid": "click_id",
}
_US_MAX: Final = 10**17


def arrived(row: dict[str, Any], settings: DoorSettings) -> list[Arrived]:
    """Map one row.

    Raises:
        RefusedRecord: a field is missing or of the wrong kind; the detail has its name.
    """
    name = text(row.get("event_name"), "event_name")
    if name is None:
        raise RefusedRecord("unknown_type", "event_name is missing: a row of Google Analytics says what happened")
    kind = _KINDS.get(name, CUSTOM)
    parameters = _values(row.get("event_params"), "event_params")
    traits = _values(row.get("user_properties"), "user_properties")
    language = part(row, "device").get("language")
    if language is not None:
        traits.setdefault("language", language)
    return [Arrived(_touchpoint(row, kind, name, parameters, settings), parameters, traits)]


def _touchpoint(
    row: dict[str, Any], kind: str, name: str, parameters: dict[str, Any], settings: DoorSettings
) -> Touchpoint:
    is_order = kind in _ORDERS
    currency = currency_of(_said(parameters.get("currency")), settings.currency, "event_params.currency")
    content = _content(row, kind, parameters)
    lines = lines_of(content, currency)
    found = {LINES_LEFT_OUT: str(lines.left_out)} if lines.left_out else {}
    if currency != settings.currency and lines.products and not is_order:
        found[CURRENCY] = currency
    device = _identifier(row.get("user_pseudo_id"), "user_pseudo_id")
    session = word(parameters.get("ga_session_id"), "event_params.ga_session_id")
    marketing = _marketing(row, parameters)
    return Touchpoint(
        event_id=derived_id(*[text(row.get(each), each) or "" for each in _ID_PARTS], content.get("order_id") or ""),
        source=settings.source,
        type=kind,
        time_ms=_time_ms(row),
        user_id=_identifier(row.get("user_id"), "user_id"),
        anonymous_id=device,
        email_hash=address_hash_of(parameters.get("email")),
        # Google's number of a session is one of its browser
        session_id=f"{device}.{session}" if device and session else None,
        channel=marketing.utm_medium if marketing is not None else None,
        marketing=marketing,
        order=order_of(kind, content, currency, lines) if is_order else None,
        products=lines.products,
        properties=found,
        name=name if kind == CUSTOM else None,
        page=page_of(parameters.get("page_location"), parameters.get("page_referrer")),
    )


def _content(row: dict[str, Any], kind: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the order and its lines in the words that orders.py reads."""
    commerce = part(row, "ecommerce")
    listed = row.get("items")
    if listed is not None and not isinstance(listed, list):
        raise RefusedRecord("malformed", f"items is {kind_of(listed)}: allowed is a list")
    if listed is not None and len(listed) > LINES_MAX:
        raise RefusedRecord("too_many", f"there are {len(listed)} items; at most {LINES_MAX} are allowed")
    content: dict[str, Any] = {"products": [_line(item, place) for place, item in enumerate(listed or [])]}
    if kind not in _ORDERS:
        return content
    amount = "refund_value" if kind == "order_refunded" else "purchase_revenue"
    total = commerce.get(amount)
    if total is None or (kind == "order_refunded" and not exact(total, f"ecommerce.{amount}")):
        total = parameters.get("value")
    if kind == "order_refunded" and total is not None and not exact(total, "event_params.value"):
        # Google writes 0 where a refund names no amount, which is a whole one
        total = None
    number = _said(commerce.get("transaction_id")) or _said(parameters.get("transaction_id"))
    return {
        **content,
        "order_id": identifier(number, "ecommerce.transaction_id"),
        "total": total,
        "tax": commerce.get("tax_value"),
        "shipping": commerce.get("shipping_value"),
        "coupon": _said(parameters.get("coupon")),
    }


def _line(item: Any, place: int) -> Any:  # noqa: ANN401 - of a JSON document
    if not isinstance(item, dict):
        raise RefusedRecord("malformed", f"items[{place}] is {kind_of(item)}: allowed is an object")
    return {
        "sku": _said(item.get("item_id")) or _said(item.get("item_name")),
        "price": item.get("price"),
        "quantity": item.get("quantity"),
        "category": _said(item.get("item_category")),
    }


def _values(listed: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 - of a JSON document
    """Return parameters by their keys; the first of a key counts."""
    if listed is None:
        return {}
    if not isinstance(listed, list) or len(listed) > _PARAMETERS_MAX:
        raise RefusedRecord("malformed", f"{name} is {kind_of(listed)}: allowed is a list of {_PARAMETERS_MAX}")
    found: dict[str, Any] = {}
    for place, each in enumerate(listed):
        if not isinstance(each, dict) or not isinstance(each.get("key"), str):
            raise RefusedRecord("malformed", f"{name}[{place}] has no key: allowed is an object with key and value")
        held = part(each, "value", f"{name}[{place}].")
        value = next((held[field] for field in _VALUES if held.get(field) is not None), None)
        if value is not None:
            found.setdefault(each["key"], value)
    return found


def _marketing(row: dict[str, Any], parameters: dict[str, Any]) -> Marketing | None:
    """Return what brought the visit: what Google collected with the event, or else what the page's address says."""
    collected = part(row, "collected_traffic_source")
    fields = campaign_in(parameters.get("page_location"))
    said = {field: word(_said(collected.get(name)), name) for name, field in _MANUAL.items()}
    if any(value for field, value in said.items() if field != "click_id"):
        # one campaign is not mixed with another
        fields = {field: value for field, value in fields.items() if field == "click_id"}
    fields |= {field: value for field, value in said.items() if value}
    return Marketing(**fields) if fields else None


def _time_ms(row: dict[str, Any]) -> int:
    """Return the time of a row, which is in microseconds; BigQuery writes a whole number as a text."""
    stamp = row.get("event_timestamp")
    if stamp is None or stamp == "":
        raise RefusedRecord("malformed", "event_timestamp is missing: allowed is a time in microseconds since 1970")
    found: Decimal = exact(stamp, "event_timestamp")
    if not 0 <= found < _US_MAX:
        raise RefusedRecord("malformed", f"event_timestamp is {shown(found)}: allowed are microseconds since 1970")
    return int(found) // 1_000


def _identifier(value: Any, name: str) -> str | None:  # noqa: ANN401 - of a JSON document
    return identifier(_said(value), name)


def _said(value: Any) -> Any:  # noqa: ANN401 - of a JSON document
    """Return a value, but none for (not set) and other words that Google writes where there is nothing."""
    return None if isinstance(value, str) and is_nothing(value.strip()) else value
