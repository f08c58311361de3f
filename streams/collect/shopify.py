"""The door for webhooks of Shopify, by its "Webhook topics" and the resources Order, Refund, Customer and Checkout.

Without the header with its topic a body says not what happened, so a record is `{"topic": …, "payload": …}`. Neither
the address of a browser nor its user agent is read: `client_details` are left out.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from schemas.limits import LINES_MAX
from schemas.touchpoint import CUSTOM, ERASURE_REQUESTED, IDENTITY_LINKED, Consent
from streams.collect.amounts import exact
from streams.collect.hiding import shown
from streams.collect.reading import part, text, time_ms_of
from streams.collect.refused import RefusedRecord
from streams.collect.shop_orders import CANCELLED, COMPLETED, REFUNDED, Said, arrived_of, event_id_of, objects

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.collect.arrived import Arrived
    from streams.collect.door import DoorSettings

    Map = Callable[[str, dict[str, Any], DoorSettings], list[Arrived]]

DOOR: Final = "shopify"
_TRANSACTIONS_MAX: Final = 1_000
_NOTHING: Final = Decimal(0)
_PAID: Final = ("success", "pending")
"""Statuses of money that goes back; a tuple, as what comes in may be no text."""
_LEFT_OUT: Final = frozenset({"client_details", "browser_ip", "landing_site", "token", "payment_details", "note"})
"""What does not become a property: it has addresses of machines, tokens and what people wrote."""
_CONSENTS: Final = (("email_marketing_consent", "email"), ("sms_marketing_consent", "sms"))
_STATES: Final = {"subscribed": True, "unsubscribed": False}
"""States of a consent that somebody said; others are of nobody, or wait."""
_NAMES: Final = {
    "orders/updated": "Order Updated",
    "orders/edited": "Order Edited",
    "orders/fulfilled": "Order Fulfilled",
    "orders/partially_fulfilled": "Order Partially Fulfilled",
    "carts/update": "Cart Updated",
    "checkouts/update": "Checkout Updated",
    "customers/delete": "Customer Deleted",
    "customers/data_request": "Customer Data Requested",
}


def arrived(document: dict[str, Any], settings: DoorSettings) -> list[Arrived]:
    """Map one webhook. What a topic says of articles or of the shop itself is no customer's, so nothing comes of it.

    Raises:
        RefusedRecord: there is no topic, or a field is missing or of the wrong kind; the detail has its name.
    """
    topic = text(document.get("topic"), "topic")
    if topic is None:
        raise RefusedRecord("unknown_type", "topic is missing: a record of Shopify has topic and payload")
    topic = topic.lower()
    family = _FAMILIES.get(topic.partition("/")[0])
    if family is None:
        return []
    payload = document.get("payload")
    if not isinstance(payload, dict):
        raise RefusedRecord("malformed", f"payload is missing: a record of topic {shown(topic)} has one")
    return family(topic, payload, settings)


def _order(topic: str, order: dict[str, Any], settings: DoorSettings) -> list[Arrived]:
    kind = {"orders/create": COMPLETED, "orders/paid": COMPLETED, "orders/cancelled": CANCELLED}.get(topic, CUSTOM)
    if topic == "orders/delete":
        # only its id is left; a shop deletes orders that never were
        kind = CANCELLED
    created_ms, updated_ms = _time_ms(order, "processed_at", "created_at"), _time_ms(order, "updated_at")
    # a new order and its payment are one event, which comes twice
    event_id = event_id_of("order" if kind == COMPLETED else topic, order.get("id"))
    if kind == COMPLETED:
        time_ms = created_ms
    else:
        time_ms = _time_ms(order, "cancelled_at") if kind == CANCELLED else updated_ms
        event_id = event_id if kind == CANCELLED else f"{event_id}:{updated_ms}"
    said = _of_customer(kind, event_id, _or_received(time_ms or updated_ms or created_ms, settings), order)
    said.name, said.order = _NAMES.get(topic, topic), _content(order, kind)
    said.currency = order.get("currency")
    return [arrived_of(said, settings, _properties(order))]


def _of_customer(kind: str, event_id: str, time_ms: int, document: dict[str, Any]) -> Said:
    """Return what all documents say that name a customer in the same way; `user_id` in them is a person of the shop."""
    customer = part(document, "customer")
    shipping, billing = part(document, "shipping_address"), part(document, "billing_address")
    return Said(
        kind,
        event_id,
        time_ms,
        user_id=customer.get("id"),
        addresses=(document.get("email"), document.get("contact_email"), customer.get("email")),
        country=shipping.get("country_code") or billing.get("country_code"),
    )


def _content(order: dict[str, Any], kind: str) -> dict[str, Any]:
    codes = objects(order.get("discount_codes"), "discount_codes", _TRANSACTIONS_MAX)
    # what is cancelled is taken back whole, whatever the order is worth by then
    total = {"total": order.get("total_price")} if kind == COMPLETED else {}
    return {
        "order_id": order.get("id"),
        **total,
        "discount": order.get("total_discounts") if kind == COMPLETED else None,
        "tax": order.get("total_tax"),
        "coupon": codes[0].get("code") if codes else None,
        "products": [_line(item) for item in objects(order.get("line_items"), "line_items", LINES_MAX)],
    }


def _line(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "sku": item.get("sku"),
        "product_id": item.get("variant_id") or item.get("product_id"),
        "price": item.get("price"),
        "quantity": item.get("quantity"),
        "category": item.get("product_type"),
    }


def _refund(topic: str, refund: dict[str, Any], settings: DoorSettings) -> list[Arrived]:
    """Map a refund, which names the order and no customer; the refund reaches the order's owner by its id."""
    listed = refund.get("transactions")
    paid = _paid_back(objects(listed, "transactions", _TRANSACTIONS_MAX))
    items = objects(refund.get("refund_line_items"), "refund_line_items", LINES_MAX)
    if listed is not None and paid is None:
        # articles were taken off the order, or put back on the shelf, and no money went back
        return []
    order: dict[str, Any] = {"order_id": refund.get("order_id")}
    if paid is not None:
        order["total"] = paid[0]
    elif items:
        order["total"] = sum([_worth(item) for item in items], _NOTHING)
    said = Said(
        REFUNDED,
        event_id_of("refund", refund.get("id")),
        _or_received(_time_ms(refund, "processed_at", "created_at"), settings),
        order=order,
        currency=paid[1] if paid is not None else None,
    )
    return [arrived_of(said, settings, {"order_id": refund.get("order_id"), "lines": len(items), "topic": topic})]


def _worth(item: dict[str, Any]) -> Decimal:
    parts = [(name, item.get(name)) for name in ("subtotal", "total_tax")]
    return sum([exact(value, f"refund_line_items.{name}") for name, value in parts if value is not None], _NOTHING)


def _paid_back(transactions: list[dict[str, Any]]) -> tuple[Decimal, Any] | None:
    """Return the money that went back, and its currency; None: none did."""
    amounts = [
        (exact(each.get("amount"), "transactions.amount"), each.get("currency"))
        for each in transactions
        if each.get("kind") == "refund" and each.get("status", "success") in _PAID
    ]
    total = sum([amount for amount, _ in amounts], _NOTHING)
    return (total, amounts[0][1]) if amounts and total else None


def _customer(topic: str, customer: dict[str, Any], settings: DoorSettings) -> list[Arrived]:
    if topic == "customers/redact":
        who = part(customer, "customer")
        number = event_id_of(topic, who.get("id"))
        said = Said(ERASURE_REQUESTED, number, _or_received(None, settings), user_id=who.get("id"))
        said.addresses = (who.get("email"),)
        return [arrived_of(said, settings, {})]
    updated_ms = _or_received(_time_ms(customer, "updated_at", "created_at"), settings)
    kind, name = _kind_of_customer(topic, customer)
    address = part(customer, "default_address")
    who = {"user_id": customer.get("id"), "addresses": (customer.get("email"),)}
    event_id = event_id_of(topic, customer.get("id"), updated_ms)
    said = Said(kind, event_id, updated_ms, name=name, country=address.get("country_code"), **who)
    found = [arrived_of(said, settings, {}, _properties(customer))]
    for field, channel in _CONSENTS:
        consent = part(customer, field)
        state = consent.get("state")
        granted = _STATES.get(state) if isinstance(state, str) else None
        said_ms = _time_ms(consent, "consent_updated_at")
        if granted is None or said_ms is None:
            continue
        number = event_id_of(field, customer.get("id"), state, said_ms)
        stated = Said("consent_changed", number, said_ms, consent=Consent(channel, granted, "promotional"), **who)
        found.append(arrived_of(stated, settings, {}))
    return found


def _kind_of_customer(topic: str, customer: dict[str, Any]) -> tuple[str, str | None]:
    if topic == "customers/create" and customer.get("state") == "enabled":
        return "signed_up", None
    # a guest who orders gets a record too, which is no account
    return (CUSTOM, _NAMES[topic]) if topic in _NAMES else (IDENTITY_LINKED, None)


def _cart(topic: str, cart: dict[str, Any], settings: DoorSettings) -> list[Arrived]:
    """Map a cart, which knows no customer but its own id, or a checkout, which knows both.

    A new cart is what was put in. A changed one says what is in it by then, not what was added, so it is an own event.
    """
    kind = {"carts/create": "product_added", "checkouts/create": "checkout_started"}.get(topic, CUSTOM)
    number = cart.get("cart_token") or cart.get("token") or cart.get("id")
    time_ms = _or_received(_time_ms(cart, "updated_at", "created_at"), settings)
    said = _of_customer(kind, event_id_of(topic, cart.get("token") or cart.get("id"), time_ms), time_ms, cart)
    said.anonymous_id, said.name, said.currency = number, _NAMES.get(topic, topic), cart.get("currency")
    said.order = {"products": [_line(item) for item in objects(cart.get("line_items"), "line_items", LINES_MAX)]}
    if not said.order["products"] and kind == "product_added":
        return []
    return [arrived_of(said, settings, _properties(cart))]


def _fulfillment(topic: str, sent: dict[str, Any], settings: DoorSettings) -> list[Arrived]:
    shipment = sent.get("shipment_status")
    if shipment == "delivered":
        name = "Order Delivered"
    else:
        name = "Order Shipped" if topic == "fulfillments/create" else "Fulfillment Updated"
    time_ms = _or_received(_time_ms(sent, "updated_at", "created_at"), settings)
    number = event_id_of(topic, sent.get("id"), time_ms)
    address = part(sent, "destination")
    said = Said(CUSTOM, number, time_ms, name=name, addresses=(sent.get("email"),), country=address.get("country_code"))
    said.order = {"products": [_line(item) for item in objects(sent.get("line_items"), "line_items", LINES_MAX)]}
    return [arrived_of(said, settings, _properties(sent))]


def _properties(document: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a document that are no parts of their own; of these the catalogue names what is kept."""
    return {
        name: value for name, value in document.items() if name not in _LEFT_OUT and not isinstance(value, dict | list)
    }


def _time_ms(document: dict[str, Any], *names: str) -> int | None:
    return next((found for name in names if (found := time_ms_of(document.get(name), name)) is not None), None)


def _or_received(time_ms: int | None, settings: DoorSettings) -> int:
    found = time_ms if time_ms is not None else settings.received_ms
    if found is None:
        raise RefusedRecord("malformed", "created_at and updated_at are missing: allowed is ISO 8601 with a time zone")
    return found


_FAMILIES: Final[dict[str, Map]] = {
    "orders": _order,
    "refunds": _refund,
    "customers": _customer,
    "carts": _cart,
    "checkouts": _cart,
    "fulfillments": _fulfillment,
}
"""By the first part of a topic; that of others is of no customer."""
