"""Rows of Google Analytics 4."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.touchpoint import CUSTOM, Touchpoint
from streams.collect.door import DoorSettings
from streams.collect.ga4 import arrived
from streams.collect.refused import RefusedRecord

ITEM = {"item_id": "mug", "item_name": "A mug", "item_category": "Kitchen", "price": 10.01, "quantity": 3}


def a_row(name: str = "page_view", parameters: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    kinds = {int: "int_value", float: "double_value", str: "string_value"}
    listed = [{"key": key, "value": {kinds[type(value)]: value}} for key, value in (parameters or {}).items()]
    row = {"event_name": name, "event_timestamp": "1612069510766593", "user_pseudo_id": "1026454.42", **fields}
    return {"event_params": listed, **row}


def event_of(*arguments: Any, **fields: Any) -> Touchpoint:
    (found,) = arrived(a_row(*arguments, **fields), DoorSettings("web", "USD"))
    return found.touchpoint


def test_a_row_says_who_and_when_and_where() -> None:
    page = "https://shop.example/mugs?utm_source=letter&utm_medium=email&token=secret&gclid=g1"
    event = event_of("page_view", {"page_location": page, "ga_session_id": 661_084_800}, user_id="7")
    assert (event.user_id, event.anonymous_id, event.session_id) == ("7", "1026454.42", "1026454.42.661084800")
    assert event.time_ms == 1_612_069_510_766
    assert event.marketing is not None
    assert (event.marketing.utm_source, event.marketing.click_id, event.channel) == ("letter", "g1", "email")
    assert event.page is not None
    assert "secret" not in str(event.page)


def test_what_google_collected_of_a_campaign_goes_first() -> None:
    collected = {"manual_source": "google", "manual_medium": "cpc", "manual_campaign_name": "jan", "gclid": "g2"}
    page = {"page_location": "https://shop.example/?utm_source=letter&utm_term=mug"}
    event = event_of("page_view", page, collected_traffic_source=collected)
    assert event.marketing is not None
    assert (event.marketing.utm_source, event.marketing.utm_term, event.marketing.click_id) == ("google", None, "g2")


def test_a_purchase_has_the_order_in_the_events_currency() -> None:
    bought = {"transaction_id": "T1", "purchase_revenue": 36.32, "tax_value": 1.11}
    event = event_of("purchase", {"currency": "jpy", "coupon": "SUMMER"}, ecommerce=bought, items=[ITEM])
    assert event.order is not None
    assert (event.order.order_id, event.order.currency, event.order.total_minor) == ("T1", "JPY", 36)
    assert event.order.coupon == "SUMMER"
    assert [(each.sku, each.quantity, each.category) for each in event.products] == [("mug", 3, "Kitchen")]


def test_a_purchase_without_revenue_is_its_value_or_its_lines() -> None:
    bought = {"transaction_id": "T1", "purchase_revenue": None}
    by_value = event_of("purchase", {"value": 12.5}, ecommerce=bought)
    by_lines = event_of("purchase", ecommerce=bought, items=[ITEM])
    assert by_value.order is not None
    assert by_lines.order is not None
    assert (by_value.order.total_minor, by_lines.order.total_minor) == (1_250, 3_003)
    with pytest.raises(RefusedRecord, match="total is missing"):
        event_of("purchase", ecommerce=bought)


@pytest.mark.parametrize(
    ("value", "total_minor"), [({"refund_value": 10.01}, 1_001), ({"refund_value": None}, 0), ({"refund_value": 0}, 0)]
)
def test_a_refund_without_an_amount_is_whole(value: dict[str, Any], total_minor: int) -> None:
    event = event_of("refund", ecommerce={"transaction_id": "T1", **value})
    assert event.order is not None
    assert event.order.total_minor == total_minor


@pytest.mark.parametrize("number", [None, "(not set)", "", "null"])
def test_an_order_needs_a_number_that_is_one(number: Any) -> None:
    with pytest.raises(RefusedRecord, match="order_id is missing"):
        event_of("purchase", {"value": 1.0}, ecommerce={"transaction_id": number})


def test_words_for_nothing_are_nothing() -> None:
    nothing = {"item_id": "(not set)", "item_category": "(not set)"}
    event = event_of("view_item", user_id="(not set)", items=[{**ITEM, **nothing}])
    assert event.user_id is None
    assert [(each.sku, each.category) for each in event.products] == [("A mug", None)]


def test_the_id_of_a_row_is_made_of_what_no_two_rows_share() -> None:
    ids = [
        event_of().event_id,
        event_of("scroll").event_id,
        event_of(event_timestamp="1612069510766594").event_id,
        event_of(user_pseudo_id="2").event_id,
        event_of(batch_event_index=2).event_id,
        event_of(event_bundle_sequence_id="5").event_id,
    ]
    assert len(set(ids)) == len(ids)
    assert event_of().event_id == ids[0]
    # BigQuery writes a whole number as a number or as a text
    assert event_of(event_timestamp=1_612_069_510_766_593).event_id == ids[0]


def test_events_of_the_shops_own_keep_their_name_and_parameters() -> None:
    properties = [{"key": "plan", "value": {"string_value": "gold", "set_timestamp_micros": "1"}}]
    row = a_row("level_up", {"level": 5, "score": 1.5}, user_properties=properties, device={"language": "de"})
    (found,) = arrived(row, DoorSettings("web", "USD"))
    assert (found.touchpoint.type, found.touchpoint.name) == (CUSTOM, "level_up")
    assert found.properties == {"level": 5, "score": 1.5}
    assert found.traits == {"plan": "gold", "language": "de"}


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({}, "event_name is missing"),
        ({"event_name": "x"}, "event_timestamp is missing"),
        ({"event_name": "x", "event_timestamp": "soon"}, "event_timestamp is 'soon'"),
        ({"event_name": "x", "event_timestamp": "-1"}, "event_timestamp"),
        ({"event_name": "x", "event_timestamp": 1e30}, "event_timestamp"),
        (a_row(items={}), "items is an object"),
        (a_row(items=[1]), r"items\[0\] is a number"),
        ({**a_row(), "event_params": {}}, "event_params is an object"),
        ({**a_row(), "event_params": [{"value": {}}]}, r"event_params\[0\] has no key"),
        (a_row(device=[1]), "device is a list"),
        (a_row(items=[ITEM] * 10_001), "10001 items"),
    ],
)
def test_what_is_wrong_is_named(row: dict[str, Any], named: str) -> None:
    with pytest.raises(RefusedRecord, match=named):
        arrived(row, DoorSettings("web", "USD"))
