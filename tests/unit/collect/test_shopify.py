"""Webhooks of Shopify."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.touchpoint import CUSTOM, Consent, Touchpoint
from streams.collect.addresses import address_hash
from streams.collect.door import DoorSettings
from streams.collect.refused import RefusedRecord
from streams.collect.shopify import arrived

CREATED = "2026-01-01T10:00:00+01:00"
CREATED_MS = 1_767_258_000_000
RECEIVED_MS = CREATED_MS + 60_000


def came(topic: str, payload: Any) -> list[Touchpoint]:
    settings = DoorSettings("shop", "EUR", received_ms=RECEIVED_MS)
    return [each.touchpoint for each in arrived({"topic": topic, "payload": payload}, settings)]


def an_order(**fields: Any) -> dict[str, Any]:
    return {
        "id": 820_982_911_946_154_508,
        "email": "ann@x.de",
        "created_at": CREATED,
        "updated_at": CREATED,
        "currency": "USD",
        "total_price": "388.00",
        "total_discounts": "20.00",
        "discount_codes": [{"code": "SPRING"}],
        "line_items": [{"sku": "mug", "price": "199.00", "quantity": 2}, {"sku": "", "variant_id": 7, "price": "10"}],
        "customer": {"id": 115, "email": "other@x.de"},
        "user_id": 548_380_009,
        "shipping_address": {"country_code": "de"},
        "client_details": {"user_agent": "Mozilla/5.0", "browser_ip": "192.0.2.1"},
        **fields,
    }


def test_an_order_is_the_customers_with_its_amounts() -> None:
    (event,) = came("orders/create", an_order())
    assert event.order is not None
    assert (event.order.order_id, event.order.currency) == ("820982911946154508", "USD")
    assert (event.order.total_minor, event.order.discount_minor, event.order.coupon) == (38_800, 2_000, "SPRING")
    assert [(each.sku, each.price_minor, each.quantity) for each in event.products] == [
        ("mug", 19_900, 2),
        ("7", 1_000, 1),
    ]
    # user_id in an order is a person of the shop
    assert (event.user_id, event.email_hash, event.country) == ("115", address_hash("ann@x.de"), "DE")
    assert event.time_ms == CREATED_MS


def test_creation_and_payment_are_one_event() -> None:
    (created,), (paid,) = (
        came("orders/create", an_order()),
        came("orders/paid", an_order(updated_at="2026-01-02T10:00Z")),
    )
    assert created == paid


def test_a_yen_has_no_cents() -> None:
    (event,) = came("orders/create", an_order(currency="JPY", total_price="388", total_discounts="20", line_items=[]))
    assert event.order is not None
    assert event.order.total_minor == 388


def test_an_order_without_a_total_is_derived_from_its_lines_or_refused() -> None:
    order = an_order(total_price=None, total_discounts=None, total_tax="1.00")
    (event,) = came("orders/create", order)
    assert event.order is not None
    assert event.order.total_minor == 2 * 19_900 + 1_000 + 100
    with pytest.raises(RefusedRecord, match="total is missing"):
        came("orders/create", an_order(total_price=None, line_items=[]))


def test_a_cancelled_order_is_taken_back_whole_when_it_was() -> None:
    (event,) = came("orders/cancelled", an_order(cancelled_at="2026-01-03T10:00:00Z", line_items=[]))
    assert event.order is not None
    assert (event.type, event.order.total_minor, event.time_ms) == ("order_cancelled", 0, 1_767_434_400_000)


@pytest.mark.parametrize(
    ("fields", "total_minor"),
    [
        ({"transactions": [{"kind": "refund", "status": "success", "amount": "199.00", "currency": "USD"}]}, 19_900),
        (
            {
                "transactions": [
                    {"kind": "refund", "status": "success", "amount": "100.00", "currency": "USD"},
                    {"kind": "refund", "status": "failure", "amount": "99.00", "currency": "USD"},
                    {"kind": "void", "status": "success", "amount": "7.00", "currency": "USD"},
                ]
            },
            10_000,
        ),
        ({"refund_line_items": [{"subtotal": 10.5, "total_tax": "1.50"}, {"subtotal": 3}]}, 1_500),
        ({}, 0),
    ],
)
def test_how_much_a_refund_is(fields: dict[str, Any], total_minor: int) -> None:
    (event,) = came("refunds/create", {"id": 1, "order_id": 2, "created_at": CREATED, "user_id": 9, **fields})
    assert event.order is not None
    assert (event.type, event.order.order_id, event.order.total_minor) == ("order_refunded", "2", total_minor)
    assert event.user_id is None


def test_a_refund_without_money_is_none() -> None:
    refund = {"id": 1, "order_id": 2, "created_at": CREATED, "refund_line_items": [{"subtotal": 5}], "transactions": []}
    assert came("refunds/create", refund) == []


def test_consents_of_a_customer_are_said_once() -> None:
    consent = {"state": "unsubscribed", "consent_updated_at": CREATED}
    customer = {"id": 7, "email": "ann@x.de", "updated_at": CREATED, "email_marketing_consent": consent}
    changed = {**customer, "updated_at": "2026-02-01T00:00:00Z", "sms_marketing_consent": {"state": "pending"}}
    _, one = came("customers/update", customer)
    _, other = came("customers/update", changed)
    assert one == other
    assert one.consent == Consent("email", granted=False, purpose="promotional")
    assert one.time_ms == CREATED_MS


@pytest.mark.parametrize(
    ("topic", "fields", "kind", "name"),
    [
        ("customers/create", {"state": "enabled"}, "signed_up", None),
        ("customers/create", {"state": "disabled"}, "identity_linked", None),
        ("customers/update", {}, "identity_linked", None),
        ("customers/enable", {}, "identity_linked", None),
        ("customers/delete", {}, CUSTOM, "Customer Deleted"),
        ("customers/redact", {"customer": {"id": 7}}, "erasure_requested", None),
        ("orders/updated", {}, CUSTOM, "Order Updated"),
        ("orders/fulfilled", {}, CUSTOM, "Order Fulfilled"),
        ("orders/delete", {}, "order_cancelled", None),
        ("orders/tomorrow", {}, CUSTOM, "orders/tomorrow"),
        ("carts/update", {"line_items": []}, CUSTOM, "Cart Updated"),
        ("checkouts/create", {"token": "c"}, "checkout_started", None),
        ("checkouts/update", {"token": "c"}, CUSTOM, "Checkout Updated"),
        ("fulfillments/create", {}, CUSTOM, "Order Shipped"),
        ("fulfillments/update", {"shipment_status": "in_transit"}, CUSTOM, "Fulfillment Updated"),
        ("fulfillments/update", {"shipment_status": "delivered"}, CUSTOM, "Order Delivered"),
    ],
)
def test_what_a_topic_becomes(topic: str, fields: dict[str, Any], kind: str, name: str | None) -> None:
    (event,) = came(topic.upper(), {"id": 7, "updated_at": CREATED, **fields})
    assert (event.type, event.name) == (kind, name.lower() if name == "orders/tomorrow" else name)


def test_a_cart_is_a_device_that_the_checkout_links() -> None:
    line = {"sku": "mug", "price": "9.99", "quantity": 1}
    (cart,) = came("carts/create", {"token": "c1", "updated_at": CREATED, "line_items": [line]})
    checkout_of = {
        "token": "k1",
        "cart_token": "c1",
        "updated_at": CREATED,
        "customer": {"id": 7},
        "line_items": [line],
    }
    (checkout,) = came("checkouts/create", checkout_of)
    assert (cart.type, cart.anonymous_id, cart.user_id) == ("product_added", "c1", None)
    assert (checkout.anonymous_id, checkout.user_id) == ("c1", "7")
    assert came("carts/create", {"token": "c1", "updated_at": CREATED, "line_items": []}) == []


@pytest.mark.parametrize("topic", ["products/update", "app/uninstalled", "shop/redact", "bulk_operations/finish"])
def test_what_is_of_no_customer_is_nothing(topic: str) -> None:
    assert came(topic, {"id": 1}) == []


def test_neither_a_program_nor_its_address_goes_on() -> None:
    document = {"topic": "orders/create", "payload": an_order(browser_ip="192.0.2.1", landing_site="/?email=ann@x.de")}
    (found,) = arrived(document, DoorSettings("shop", "EUR"))
    assert not any(word in repr(found) for word in ("Mozilla", "192.0.2.1", "landing"))


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({}, "topic is missing"),
        ({"topic": "orders/create"}, "payload is missing"),
        ({"topic": "orders/create", "payload": []}, "payload is missing"),
        ({"topic": "orders/create", "payload": an_order(id=None)}, "order_id is missing"),
        ({"topic": "orders/create", "payload": an_order(currency="XYZ")}, "currency is 'XYZ'"),
        ({"topic": "orders/create", "payload": an_order(line_items={})}, "line_items is an object"),
        ({"topic": "orders/create", "payload": an_order(total_price="a lot")}, "total is 'a lot'"),
        ({"topic": "orders/create", "payload": an_order(created_at="soon")}, "created_at is 'soon'"),
        ({"topic": "orders/create", "payload": an_order(customer=[1])}, "customer is a list"),
    ],
)
def test_what_is_wrong_is_named(document: dict[str, Any], named: str) -> None:
    with pytest.raises(RefusedRecord, match=named):
        arrived(document, DoorSettings("shop", "EUR"))
