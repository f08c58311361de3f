"""An order has an amount that was said or that follows, or it is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

from schemas.touchpoint import LINES_LEFT_OUT, Order, Product
from streams.collect.refused import RefusedRecord
from tests.support.calls import a_call, touchpoint_of

MUG = {"sku": "mug", "price": 21.25, "quantity": 2}


def order(name: str = "Order Completed", /, **properties: Any) -> Order:
    found = touchpoint_of(a_call(name, {"order_id": "o-1", **properties})).order
    assert found is not None
    return found


def refusal(name: str = "Order Completed", /, **properties: Any) -> RefusedRecord:
    with pytest.raises(RefusedRecord) as refused:
        order(name, **properties)
    return refused.value


@pytest.mark.parametrize(
    ("properties", "total"),
    [
        ({"total": 40}, 4_000),
        ({"total": "40.00"}, 4_000),
        ({"total": None, "revenue": 40}, 4_000),
        ({"total": "", "value": 40}, 4_000),
        ({"total": 0, "revenue": 40}, 0),
        ({"products": [MUG]}, 4_250),
        ({"products": [MUG], "discount": 2.5, "tax": 1, "shipping": 3}, 4_400),
        ({"products": [MUG], "discount": -2.5}, 4_000),
        ({"products": [MUG, {"sku": "voucher", "price": -7.5}]}, 3_500),
        ({"products": [MUG, {"sku": "voucher", "price": -7.5}], "discount": 7.5}, 3_500),
        ({"products": [{"sku": "ham", "price": 20, "quantity": 1.5}]}, 3_000),
        ({"products": [{"price": 20}]}, 2_000),
        ({"products": [MUG], "discount": 100}, 0),
    ],
)
def test_an_orders_amount_is_what_was_said_or_what_follows_from_its_lines(
    properties: dict[str, Any], total: int
) -> None:
    assert order(**properties).total_minor == total


@pytest.mark.parametrize(
    "properties",
    [{}, {"products": []}, {"products": [MUG, {"sku": "tea"}]}, {"products": [{"sku": "tea", "price": None}]}],
)
def test_an_order_whose_amount_nobody_knows_is_refused(properties: dict[str, Any]) -> None:
    assert refusal(**properties).reason == "no_amount"


@pytest.mark.parametrize(
    ("properties", "total"),
    [
        ({}, 0),
        ({"total": None}, 0),
        ({"total": 30}, 3_000),
        ({"total": -30}, 3_000),
        ({"products": [MUG]}, 4_250),
    ],
)
def test_a_refund_is_of_what_was_said_or_of_its_lines_or_whole(properties: dict[str, Any], total: int) -> None:
    assert order("Order Refunded", **properties).total_minor == total


def test_a_refund_of_nothing_or_of_what_nobody_knows_is_refused() -> None:
    assert refusal("Order Refunded", total=0).reason == "no_amount"
    assert refusal("Order Refunded", products=[{"sku": "tea"}]).reason == "no_amount"
    assert order("Order Cancelled", products=[{"sku": "tea"}]).total_minor == 0


@pytest.mark.parametrize("order_id", [None, "", " ", "null", "undefined", "None", True, "[object Object]"])
def test_an_order_without_an_id_of_its_own_is_refused(order_id: Any) -> None:
    """All such orders would be one, and only the first would count."""
    assert refusal(order_id=order_id, total=1).reason == "no_order"


@pytest.mark.parametrize(
    ("order_id", "expected"), [(1001, "1001"), (1001.0, "1001"), ("1001.0", "1001"), ("A-7", "A-7")]
)
def test_the_id_of_an_order_has_one_form(order_id: Any, expected: str) -> None:
    assert order(order_id=order_id, total=1).order_id == expected


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        ({"total": "1,042.50"}, "properties.total"),
        ({"total": [1]}, "properties.total is a list"),
        ({"total": 1, "discount": "much"}, "properties.discount"),
        ({"total": 1, "products": [MUG, {"sku": "m", "price": "19,99"}]}, r"properties.products\[1\].price"),
        ({"total": 1, "products": [{"sku": "m", "quantity": "two"}]}, r"properties.products\[0\].quantity"),
        ({"total": 1, "products": {"sku": "m"}}, "properties.products is an object"),
        ({"total": 1, "products": ["mug"]}, r"properties.products\[0\] is a text"),
        ({"total": 1, "coupon": ["MAY"]}, "properties.coupon is a list"),
        ({"total": 1, "currency": "points"}, "properties.currency"),
        ({"total": -1}, "properties.total is below 0"),
        ({"total": 1e30}, "properties.total is larger"),
        ({"total": 1, "order_id": {}}, "properties.order_id is an object"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(properties: dict[str, Any], name: str) -> None:
    detail = refusal(**properties).detail
    assert re.search(name, detail), detail


def test_lines_that_are_no_articles_are_left_out() -> None:
    products = [{"sku": "voucher", "price": -5}, {"sku": None, "product_id": "p-1"}, {"sku": "None", "price": 5}, MUG]
    event = touchpoint_of(a_call("Order Completed", {"order_id": "o", "total": 1, "products": products}))
    assert event.products == (Product("p-1", 0, 1), Product("mug", 2_125, 2))
    assert event.properties == {LINES_LEFT_OUT: "1"}
    assert event.order is not None
    assert event.order.discount_minor == 500


def test_a_quantity_of_0_is_none() -> None:
    event = touchpoint_of(a_call("Order Completed", {"order_id": "o", "products": [{**MUG, "quantity": 0}, MUG]}))
    assert [line.quantity for line in event.products] == [0, 2]
    assert event.order is not None
    assert event.order.total_minor == 4_250
