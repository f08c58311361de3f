"""What a message shows and says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.outputs import TriggerProduct
from schemas.touchpoint import Product
from schemas.units import DAY_MS
from streams.profiles.effects import hash_64
from streams.profiles.profile import CartItem, Conversion, OrderContent, PlacedOrder
from tests.support.flows import a_bare_flow
from tests.support.journeys import GRANTED, START_MS, Journey, an_event

MUG = CartItem("mug", 900, 2)
SAID = {"class": "promotional", "currency": "EUR", "time_zone": "UTC", "segment": "none"}


def placed(order_id: str, time_ms: int, total_minor: int = 4_200, refunded_minor: int = 0) -> PlacedOrder:
    return PlacedOrder(time_ms, total_minor, refunded_minor, hash_64(order_id))


def content(order_id: str, time_ms: int, currency: str = "EUR") -> OrderContent:
    return OrderContent(time_ms, hash_64(order_id), order_id, currency, 4_200, (MUG,))


def sent(event: str = "signed_up", *, has: dict[str, Any] | None = None, **changes: Any) -> Journey:
    """A customer of whom that is known enters, and the message comes due."""
    journey = Journey(a_bare_flow("mine", event, exits=[], **changes)).has(cart=None, **(has or {}))
    journey.meets(an_event(event))
    journey.comes_due()
    return journey


def test_every_message_says_its_class_currency_time_zone_and_segment() -> None:
    journey = sent(has={"time_zone": "Europe/Oslo"}, **{"class": "transactional"})
    assert journey.triggers[0].facts == SAID | {"class": "transactional", "time_zone": "Europe/Oslo"}


def test_a_message_says_its_offer() -> None:
    journey = sent(steps=[{"name": "gift", "do": "trigger", "offer": "ten_percent"}])
    assert journey.triggers[0].facts["offer"] == "ten_percent"


def test_a_message_shows_the_last_order() -> None:
    orders = (placed("o-1", START_MS - DAY_MS), placed("o-2", START_MS))
    journey = sent(has={"orders": orders, "order_content": content("o-2", START_MS, "USD")}, products="order")
    (trigger,) = journey.triggers
    assert trigger.products == (TriggerProduct("mug", 900, 2),)
    assert trigger.facts == SAID | {
        "currency": "USD",
        "order_id": "o-2",
        "order_total_minor": "4200",
        "order_time_ms": str(START_MS),
    }


def test_of_an_order_before_the_last_one_open_credit_knows_the_id() -> None:
    orders = (placed("o-1", START_MS - DAY_MS, 0), placed("o-2", START_MS, 4_200, refunded_minor=4_200))
    conversions = (
        Conversion("other", START_MS - DAY_MS, 1, "GBP", (), 0),
        Conversion("o-1", START_MS - DAY_MS, 7_000, "USD", (), 0),
    )
    known = {"orders": orders, "order_content": content("o-2", START_MS)}
    (trigger,) = sent(has={**known, "conversions": conversions}, products="order").triggers
    assert trigger.products == ()
    assert (trigger.facts["order_id"], trigger.facts["currency"]) == ("o-1", "USD")
    assert (trigger.facts["order_total_minor"], trigger.facts["order_time_ms"]) == ("7000", str(START_MS - DAY_MS))
    (trigger,) = sent(has=known, products="order").triggers
    assert trigger.facts == SAID | {"order_time_ms": str(START_MS - DAY_MS)}


@pytest.mark.parametrize("changes", [{"products": "order"}, {"products": "cart"}])
def test_a_message_with_nothing_to_show_is_not_sent_unless_it_makes_an_offer(changes: dict[str, Any]) -> None:
    sent_back = {"orders": (placed("o-1", START_MS, 4_200, refunded_minor=4_200),)}
    journey = sent(has=sent_back, **changes)
    assert journey.outcomes == ["entered", "exited"]
    assert journey.decisions[-1].reason == "The message has nothing to show, so the customer left the flow."
    gift = [{"name": "gift", "do": "trigger", "offer": "gift"}]
    assert sent(has=sent_back, steps=gift, **changes).outcomes == ["entered", "sent"]


def test_a_flow_of_an_earlier_release_that_says_nothing_goes_on() -> None:
    assert sent().outcomes == ["entered", "sent"]


def test_an_event_without_articles_starts_nothing_that_would_show_them() -> None:
    journey = Journey(a_bare_flow("mine", "product_viewed", products="entry", wait={"for": "1h"}))
    journey.meets(an_event("product_viewed"))
    assert journey.decisions == []


def test_before_rules_3_a_message_says_no_more_than_its_cart() -> None:
    journey = Journey(a_bare_flow("mine", "signed_up", products="order"), settings=GRANTED)
    journey.rules = 2
    journey.meets(an_event("signed_up"))
    journey.comes_due()
    assert journey.triggers[0].facts == {}
    assert journey.decisions[-1].models == {}


def test_a_message_about_the_order_of_the_entry_shows_that_one() -> None:
    """Of two orders of one instant it shows the articles of neither, unless the profile knows whose they are."""
    journey = Journey(a_bare_flow("mine", "order_completed", products="order", exits=[]))
    event = msgspec.structs.replace(an_event("order_completed"), products=(Product("rug", 3_600, 1),))
    later = placed("o-2", START_MS + 1)
    journey.has(cart=None, orders=(placed("o-1", START_MS), later), order_content=content("o-2", START_MS + 1))
    journey.meets(event)
    journey.comes_due()
    assert [product.sku for product in journey.triggers[-1].products] == ["rug"]
    journey.has(orders=(placed("o-1", START_MS), placed("o-3", START_MS), later), messages=())
    journey.meets(event)
    journey.comes_due()
    assert journey.triggers[-1].products == ()
    assert journey.triggers[-1].facts["order_time_ms"] == str(START_MS)
