"""What a shop says, in the words of our own touchpoints."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.touchpoint import Consent
from streams.collect.door import DoorSettings
from streams.collect.refused import RefusedRecord
from streams.collect.shop_orders import Said, arrived_of, event_id_of, objects

SETTINGS = DoorSettings("shop", "EUR")


def test_0_is_the_guest_of_shops() -> None:
    for number in (0, "0", None, ""):
        assert arrived_of(Said("signed_up", "e", 1, user_id=number), SETTINGS, {}).touchpoint.user_id is None
    assert arrived_of(Said("signed_up", "e", 1, user_id=7), SETTINGS, {}).touchpoint.user_id == "7"


@pytest.mark.parametrize(
    ("given", "code"), [("de", "DE"), ("US", "US"), ("Germany", None), ("", None), (7, None), ("d1", None)]
)
def test_a_country_is_a_code(given: Any, code: str | None) -> None:
    assert arrived_of(Said("signed_up", "e", 1, country=given), SETTINGS, {}).touchpoint.country == code


def test_a_foreign_currency_of_a_cart_is_said() -> None:
    cart = {"products": [{"sku": "mug", "price": "9.99", "quantity": 1}]}
    for currency, said in (("USD", {"currency": "USD"}), ("EUR", {}), (None, {})):
        event = arrived_of(Said("product_added", "e", 1, order=cart, currency=currency), SETTINGS, {}).touchpoint
        assert event.properties == said


def test_parts_are_of_their_types_only() -> None:
    consent = Consent("email", granted=True)
    said = Said("product_added", "e", 1, name="x", consent=consent, order={"order_id": 7})
    event = arrived_of(said, SETTINGS, {}).touchpoint
    assert (event.consent, event.order, event.name) == (None, None, None)


def test_objects_are_a_bounded_list_of_them() -> None:
    assert objects(None, "items", 2) == []
    assert objects([{"a": 1}], "items", 2) == [{"a": 1}]
    wrong: list[Any] = [{}, "x", [1], [{}, None]]
    for value in wrong:
        with pytest.raises(RefusedRecord, match="items is"):
            objects(value, "items", 2)
    with pytest.raises(RefusedRecord, match="at most 2"):
        objects([{}, {}, {}], "items", 2)


def test_an_events_id_is_of_the_shops_own_ids() -> None:
    assert event_id_of("order", 820_982_911_946_154_508, None) == "order:820982911946154508:"
    with pytest.raises(RefusedRecord):
        event_id_of("order", {})
