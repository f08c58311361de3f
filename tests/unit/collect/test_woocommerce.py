"""Webhooks of WooCommerce."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.touchpoint import CUSTOM, Touchpoint
from streams.collect.door import DoorSettings
from streams.collect.refused import RefusedRecord
from streams.collect.woocommerce import arrived

CREATED_MS = 1_490_210_882_000


def came(topic: str, payload: Any) -> list[Touchpoint]:
    return [each.touchpoint for each in arrived({"topic": topic, "payload": payload}, DoorSettings("shop", "EUR"))]


def an_order(status: str = "processing", **fields: Any) -> dict[str, Any]:
    return {
        "id": 727,
        "status": status,
        "currency": "USD",
        "date_created_gmt": "2017-03-22T19:28:02",
        "date_modified_gmt": "2017-03-23T08:00:00",
        "discount_total": "2.00",
        "total": "29.35",
        "customer_id": 26,
        "customer_ip_address": "192.0.2.1",
        "customer_user_agent": "Mozilla/5.0",
        "billing": {"email": "ann@x.de", "country": "US"},
        "coupon_lines": [{"code": "10off"}],
        "line_items": [{"sku": "", "product_id": 93, "variation_id": 0, "quantity": 2, "price": 3}],
        "refunds": [],
        **fields,
    }


def test_an_order_is_the_customers_with_its_amounts() -> None:
    (event,) = came("order.created", an_order())
    assert event.order is not None
    assert (event.order.order_id, event.order.total_minor, event.order.discount_minor) == ("727", 2_935, 200)
    assert (event.order.coupon, event.user_id, event.country, event.time_ms) == ("10off", "26", "US", CREATED_MS)
    assert [(each.sku, each.price_minor, each.quantity) for each in event.products] == [("93", 300, 2)]


def test_a_guest_is_nobody_but_their_address() -> None:
    (event,) = came("order.created", an_order(customer_id=0))
    assert event.user_id is None
    assert event.email_hash is not None


def test_an_order_that_is_sent_again_is_the_same_event() -> None:
    (created,) = came("order.created", an_order())
    (updated,) = came("order.updated", an_order("completed", date_modified_gmt="2017-03-30T08:00:00"))
    assert created == updated


@pytest.mark.parametrize(
    ("topic", "status", "kinds"),
    [
        ("order.created", "on-hold", ["order_completed"]),
        ("order.updated", "completed", ["order_completed"]),
        ("order.updated", "cancelled", ["order_cancelled"]),
        ("order.updated", "failed", ["order_cancelled"]),
        ("order.updated", "trash", ["order_cancelled"]),
        ("order.deleted", None, ["order_cancelled"]),
        ("order.created", "pending", [CUSTOM]),
        ("order.created", "checkout-draft", [CUSTOM]),
        ("order.updated", "packed-by-elves", [CUSTOM]),
        ("order.updated", "refunded", ["order_completed", "order_refunded"]),
        ("product.updated", "publish", []),
        ("action.wc_custom", None, []),
    ],
)
def test_what_a_status_becomes(topic: str, status: Any, kinds: list[str]) -> None:
    assert [event.type for event in came(topic, an_order(status))] == kinds


def test_refunds_are_events_of_their_own() -> None:
    refunds = [{"id": 726, "total": "-10.00"}, {"id": 725, "total": "0.00"}, {"id": 724, "total": "-9.00"}]
    found = came("order.updated", an_order(refunds=refunds))
    assert [event.order.total_minor for event in found[1:] if event.order] == [1_000, 900]
    assert [event.event_id for event in found[1:]] == ["order:727:refund:726", "order:727:refund:724"]
    assert [event.products for event in found[1:]] == [(), ()]


def test_a_restored_order_is_later_than_its_end() -> None:
    (deleted,) = came("order.updated", an_order("trash"))
    (restored,) = came("order.restored", an_order(date_modified_gmt="2017-03-24T08:00:00"))
    assert restored.type == "order_completed"
    assert restored.time_ms > deleted.time_ms


@pytest.mark.parametrize(
    ("topic", "kind"),
    [("customer.created", "signed_up"), ("customer.updated", "identity_linked"), ("customer.deleted", CUSTOM)],
)
def test_customers(topic: str, kind: str) -> None:
    customer = {"id": 25, "email": "ann@x.de", "date_created_gmt": "2017-03-22T19:28:02", "first_name": "Ann"}
    settings = DoorSettings("shop", "EUR")
    (found,) = arrived({"topic": topic, "payload": customer}, settings)
    assert (found.touchpoint.type, found.touchpoint.user_id) == (kind, "25")
    assert found.traits["first_name"] == "Ann"


def test_neither_a_program_nor_its_address_goes_on() -> None:
    found = arrived({"topic": "order.created", "payload": an_order()}, DoorSettings("shop", "EUR"))
    assert not any(word in repr(found) for word in ("Mozilla", "192.0.2.1"))


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({}, "topic is missing"),
        ({"topic": "order.created"}, "payload is missing"),
        ({"topic": "order.created", "payload": an_order(id=None)}, "order_id is missing"),
        ({"topic": "order.created", "payload": an_order(line_items=[1])}, "line_items is a list"),
        ({"topic": "order.deleted", "payload": {"id": 1}}, "date_created_gmt is missing"),
        ({"topic": "order.created", "payload": an_order(refunds=[{"id": 1, "total": "x"}])}, "refunds.total is 'x'"),
    ],
)
def test_what_is_wrong_is_named(document: dict[str, Any], named: str) -> None:
    with pytest.raises(RefusedRecord, match=named):
        arrived(document, DoorSettings("shop", "EUR"))
