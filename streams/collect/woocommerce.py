"""The door for webhooks of WooCommerce, by its REST API (version 3): "Webhooks", "Orders", "Customers".

A body without its topic says not what happened, so a record is `{"topic": …, "payload": …}`. Neither the address of a
browser nor its user agent is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schemas.limits import LINES_MAX
from schemas.touchpoint import CUSTOM, IDENTITY_LINKED
from streams.collect.amounts import exact
from streams.collect.hiding import shown
from streams.collect.reading import part, text, time_ms_of
from streams.collect.refused import RefusedRecord
from streams.collect.shop_orders import CANCELLED, COMPLETED, REFUNDED, Said, arrived_of, event_id_of, objects

if TYPE_CHECKING:
    from streams.collect.arrived import Arrived
    from streams.collect.door import DoorSettings

DOOR: Final = "woocommerce"
_PLACED: Final = frozenset({"processing", "completed", "on-hold", "refunded"})
"""Statuses of an order that somebody placed; `on-hold` waits for a bank's transfer."""
_ENDED: Final = frozenset({"cancelled", "failed", "trash"})
_REFUNDS_MAX: Final = 1_000
_LEFT_OUT: Final = frozenset(
    {
        "customer_ip_address",
        "customer_user_agent",
        "customer_note",
        "order_key",
        "cart_hash",
        "payment_url",
        "transaction_id",
        "avatar_url",
        "first_name",
        "last_name",
        "username",
    }
)
"""What does not become a property: addresses of machines, keys, and what people wrote. Names only as traits."""


def arrived(document: dict[str, Any], settings: DoorSettings) -> list[Arrived]:
    """Map one webhook. What a topic says of articles and coupons is no customer's, so nothing comes of it.

    Raises:
        RefusedRecord: there is no topic, or a field is missing or of the wrong kind; the detail has its name.
    """
    topic = text(document.get("topic"), "topic")
    if topic is None:
        raise RefusedRecord("unknown_type", "topic is missing: a record of WooCommerce has topic and payload")
    resource, _, what = topic.lower().partition(".")
    if resource not in {"order", "customer"}:
        return []
    payload = document.get("payload")
    if not isinstance(payload, dict):
        raise RefusedRecord("malformed", f"payload is missing: a record of topic {shown(topic)} has one")
    return _order(what, payload, settings) if resource == "order" else _customer(what, payload, settings)


def _order(what: str, order: dict[str, Any], settings: DoorSettings) -> list[Arrived]:
    status = text(order.get("status"), "status")
    if what == "deleted":
        return [_of_order(CANCELLED, "cancelled", order, settings)]
    if status in _ENDED:
        return [_of_order(CANCELLED, "cancelled", order, settings)]
    if status not in _PLACED:
        # pending, a draft, or a status that an extension has brought
        return [_of_order(CUSTOM, f"{what}:{status}", order, settings)]
    found = [_of_order(COMPLETED, "restored" if what == "restored" else "placed", order, settings)]
    refunds = objects(order.get("refunds"), "refunds", _REFUNDS_MAX)
    found += [
        _of_order(REFUNDED, f"refund:{text(each.get('id'), 'id')}", order, settings, each)
        for each in refunds
        # where it is 0, articles went back on the shelf and no money did
        if exact(each.get("total"), "refunds.total")
    ]
    if status == "refunded" and not refunds:
        found.append(_of_order(REFUNDED, "refunded", order, settings))
    return found


def _of_order(
    kind: str, what: str, order: dict[str, Any], settings: DoorSettings, refund: dict[str, Any] | None = None
) -> Arrived:
    billing, shipping = part(order, "billing"), part(order, "shipping")
    created_ms, changed_ms = _gmt_ms(order, "date_created"), _gmt_ms(order, "date_modified")
    is_first = kind == COMPLETED and what != "restored"
    time_ms = created_ms if is_first else changed_ms or created_ms
    event_id = event_id_of("order", order.get("id"), what)
    if kind == CUSTOM or what == "restored":
        event_id = f"{event_id}:{time_ms}"
    content: dict[str, Any] = {"order_id": order.get("id")}
    if kind in {COMPLETED, CUSTOM}:
        coupons = objects(order.get("coupon_lines"), "coupon_lines", _REFUNDS_MAX)
        items = objects(order.get("line_items"), "line_items", LINES_MAX)
        content |= {"total": order.get("total"), "discount": order.get("discount_total")}
        content |= {"coupon": coupons[0].get("code") if coupons else None, "products": [_line(each) for each in items]}
    elif refund is not None:
        content["total"] = exact(refund.get("total"), "refunds.total")
    said = Said(
        kind,
        event_id,
        _or_received(time_ms, settings),
        name="Order Updated",
        user_id=order.get("customer_id"),
        addresses=(billing.get("email"),),
        country=shipping.get("country") or billing.get("country"),
        order=content,
        currency=order.get("currency"),
    )
    return arrived_of(said, settings, _properties(order))


def _line(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "sku": item.get("sku"),
        "product_id": item.get("variation_id") or item.get("product_id"),
        "price": item.get("price"),
        "quantity": item.get("quantity"),
    }


def _customer(what: str, customer: dict[str, Any], settings: DoorSettings) -> list[Arrived]:
    kind = {"created": "signed_up", "deleted": CUSTOM}.get(what, IDENTITY_LINKED)
    changed = _gmt_ms(customer, "date_modified") if what != "created" else None
    time_ms = _or_received(changed or _gmt_ms(customer, "date_created"), settings)
    billing = part(customer, "billing")
    said = Said(
        kind,
        event_id_of("customer", customer.get("id"), what, time_ms),
        time_ms,
        name="Customer Deleted",
        user_id=customer.get("id"),
        addresses=(customer.get("email"), billing.get("email")),
        country=part(customer, "shipping").get("country") or billing.get("country"),
    )
    names = {name: customer[name] for name in ("first_name", "last_name") if customer.get(name)}
    return [arrived_of(said, settings, {}, {**_properties(customer), **names})]


def _properties(document: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a document that are no parts of their own; of these the catalogue names what is kept."""
    return {
        name: value for name, value in document.items() if name not in _LEFT_OUT and not isinstance(value, dict | list)
    }


def _gmt_ms(document: dict[str, Any], name: str) -> int | None:
    """Return a time by its field in GMT, which WooCommerce writes without a time zone."""
    found = document.get(f"{name}_gmt")
    if not isinstance(found, str) or not found.strip():
        return None
    stamp = found.strip()
    return time_ms_of(stamp if stamp[-1:] in "Zz" or "+" in stamp else f"{stamp}Z", f"{name}_gmt")


def _or_received(time_ms: int | None, settings: DoorSettings) -> int:
    found = time_ms if time_ms is not None else settings.received_ms
    if found is None:
        raise RefusedRecord("malformed", "date_created_gmt is missing: allowed is ISO 8601 in GMT")
    return found
