"""What a touchpoint may hold: characters and bytes of each text, lines, properties and amounts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.limits import (
    CAMPAIGN_MAX,
    LINES_KEPT,
    LINES_MAX,
    MINOR_MAX,
    PROPERTIES_BYTES_MAX,
    PROPERTIES_MAX,
    PROPERTY_MAX,
    QUANTITY_MAX,
    TEXT_BYTES_MAX,
    TEXT_MAX,
)
from schemas.touchpoint import LINES_LEFT_OUT, Marketing, Message, Order, Page, Product, Spend, Touchpoint
from streams.collect.addresses import address_hash
from streams.collect.checks import checked
from streams.collect.refused import RefusedRecord
from tests.support.world import START_MS, a_touchpoint, an_order

FOUR_BYTES = "\U0001f600"
TOP = (
    "event_id",
    "source",
    "user_id",
    "anonymous_id",
    "session_id",
    "channel",
    "country",
    "time_zone",
    "name",
)


def with_text(place: str, text: str) -> Touchpoint:
    """An order with a text in one place, named as in a dead letter."""
    event = an_order(START_MS)
    part, _, field = place.rpartition(".")
    if not part:
        return msgspec.structs.replace(event, **{field: text})
    empty = {
        "marketing": Marketing(),
        "message": Message(),
        "order": event.order,
        "page": Page(),
        "products": Product("mug", 900, 1),
    }
    filled: Any = msgspec.structs.replace(empty[part], **{field: text})  # type: ignore[type-var]
    return msgspec.structs.replace(event, **{part: (filled,) if part == "products" else filled})


def texts_of(part: type, name: str) -> list[str]:
    fields = msgspec.structs.fields(part)
    return [f"{name}.{field.name}" for field in fields if "str" in str(field.type) and field.name != "currency"]


PLACES = [
    *TOP,
    *texts_of(Marketing, "marketing"),
    *texts_of(Message, "message"),
    *texts_of(Order, "order"),
    *texts_of(Product, "products"),
    *texts_of(Page, "page"),
]


def reason(event: Touchpoint) -> str | None:
    try:
        checked(event, START_MS)
    except RefusedRecord as refused:
        return refused.reason
    return None


def test_every_text_of_a_touchpoint_is_listed_here() -> None:
    texts = texts_of(Touchpoint, "")
    assert {text.removeprefix(".") for text in texts} == {*TOP, "type", "email_hash", "properties", "traits", "agent"}
    assert len(PLACES) == 25


@pytest.mark.parametrize("place", PLACES)
def test_a_text_has_so_many_characters_and_bytes_and_no_more(place: str) -> None:
    most = CAMPAIGN_MAX if place.startswith("marketing.") else TEXT_MAX
    assert reason(with_text(place, "a" * most)) is None
    assert reason(with_text(place, FOUR_BYTES * (TEXT_BYTES_MAX // 4))) is None
    with pytest.raises(RefusedRecord, match=f"{place} has {most + 1} characters") as refused:
        checked(with_text(place, "a" * (most + 1)), START_MS)
    assert refused.value.reason == "too_long"
    with pytest.raises(RefusedRecord, match=f"{place} has {TEXT_BYTES_MAX + 1} bytes"):
        checked(with_text(place, FOUR_BYTES * (TEXT_BYTES_MAX // 4) + "a"), START_MS)


def test_an_address_is_measured_before_it_is_looked_at() -> None:
    assert reason(a_touchpoint("page_viewed", START_MS, email_hash="a@" + "." * 400_000)) == "too_long"


def test_an_order_of_many_lines_keeps_its_total_and_says_how_many_lines_were_left_out() -> None:
    lines = tuple(Product(f"sku-{number}", 100, 1) for number in range(1_115))
    order = an_order(START_MS, 111_500, products=lines, properties={"till": "4"})
    kept = checked(order, START_MS)
    assert kept.order == order.order
    assert kept.products == lines[:LINES_KEPT]
    assert kept.properties == {"till": "4", LINES_LEFT_OUT: str(1_115 - LINES_KEPT)}


def test_an_order_of_few_lines_stays_the_same_object() -> None:
    order = an_order(START_MS, products=(Product("mug", 100, 1),) * LINES_KEPT)
    assert checked(order, START_MS) is order


def test_lines_that_are_left_out_are_not_looked_at() -> None:
    bad = Product("x" * 10_000, -1, -1)
    kept = checked(an_order(START_MS, products=(Product("mug", 100, 1),) * LINES_KEPT + (bad,)), START_MS)
    assert kept.properties == {LINES_LEFT_OUT: "1"}


def test_more_lines_than_are_read_are_too_many() -> None:
    assert reason(an_order(START_MS, products=(Product("mug", 100, 1),) * LINES_MAX)) is None
    assert reason(an_order(START_MS, products=(Product("mug", 100, 1),) * (LINES_MAX + 1))) == "too_many"


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({f"name-{number}": "" for number in range(PROPERTIES_MAX)}, None),
        ({f"name-{number}": "" for number in range(PROPERTIES_MAX + 1)}, "too_many"),
        ({"url": "https://shop.example/?q=" + "a" * (PROPERTY_MAX - 24)}, None),
        ({"url": "a" * (PROPERTY_MAX + 1)}, "too_long"),
        ({"n" * TEXT_MAX: ""}, None),
        ({"n" * (TEXT_MAX + 1): ""}, "too_long"),
        ({FOUR_BYTES * 129: ""}, "too_long"),
        ({f"{number:02}": FOUR_BYTES * 4_095 for number in range(PROPERTIES_BYTES_MAX // (4 * 4_095 + 2))}, None),
        ({f"{number:02}": FOUR_BYTES * PROPERTY_MAX for number in range(4)}, "too_long"),
    ],
    ids=["100", "101", "a long URL", "a longer one", "a name", "a longer name", "its bytes", "all", "all, longer"],
)
def test_properties_are_bounded_one_by_one_and_together(properties: dict[str, str], expected: str | None) -> None:
    assert reason(a_touchpoint("page_viewed", START_MS, properties=properties)) == expected


def test_addresses_in_properties_are_hashed_and_the_others_stay() -> None:
    event = a_touchpoint("page_viewed", START_MS, properties={"from": "write to A@b.example now", "handle": "@shop"})
    found = checked(event, START_MS)
    assert found.properties == {"from": f"write to {address_hash('a@b.example')} now", "handle": "@shop"}


@pytest.mark.parametrize(
    "text",
    ["a@b.example", " A@B.example ", "mailto:a@b.example", "Ann <a@b.example>", "a%40b.example", "a\uff20b.example"],
)
def test_an_address_in_email_hash_is_hashed_without_what_is_around_it(text: str) -> None:
    found = checked(a_touchpoint("page_viewed", START_MS, email_hash=text), START_MS)
    assert found.email_hash == address_hash("a@b.example")


def test_a_hash_in_capitals_is_taken_in_small_letters() -> None:
    found = checked(a_touchpoint("page_viewed", START_MS, email_hash="AB" * 32), START_MS)
    assert found.email_hash == "ab" * 32
    assert checked(found, START_MS) is found


@pytest.mark.parametrize("text", ["", "nobody", "ab" * 31, "a@b.example and c@d.example", "g" * 64])
def test_what_is_neither_a_hash_nor_one_address_is_refused(text: str) -> None:
    assert reason(a_touchpoint("page_viewed", START_MS, email_hash=text)) == "bad_email_hash"


@pytest.mark.parametrize(
    ("currency", "minor"),
    [("IDR", 100 * 16_000 * 10_000_000), ("IRR", 100 * 1_300_000 * 500_000), ("VND", 26_000 * 50_000_000)],
)
def test_a_large_order_between_firms_in_a_small_currency_is_taken(currency: str, minor: int) -> None:
    order = an_order(START_MS)
    assert order.order is not None
    large = msgspec.structs.replace(order.order, currency=currency, total_minor=minor)
    assert reason(msgspec.structs.replace(order, order=large)) is None


@pytest.mark.parametrize("minor", [-1, MINOR_MAX + 1, 2**63 - 1])
def test_an_amount_outside_its_range_is_refused(minor: int) -> None:
    spend = a_touchpoint("spend_recorded", START_MS, channel="ads", spend=Spend("EUR", minor))
    found = {reason(event) for event in (an_order(START_MS, minor), spend)}
    assert found == {"amount_out_of_range"}
    if minor > 0:
        assert reason(an_order(START_MS, products=(Product("mug", minor, 1),))) == "amount_out_of_range"
    assert reason(an_order(START_MS, products=(Product("mug", 1, QUANTITY_MAX + 1),))) == "amount_out_of_range"


@pytest.mark.parametrize("currency", ["EURO", "€€€", "ÄÖÜ", "EU", "E R", ""])
def test_a_currency_is_three_letters(currency: str) -> None:
    assert reason(a_touchpoint("spend_recorded", START_MS, channel="ads", spend=Spend(currency, 1))) == "bad_currency"


@pytest.mark.parametrize("agent", [None, "person", "prefetch", "scanner"])
def test_it_says_who_looked_or_that_nobody_knows(agent: str | None) -> None:
    assert reason(a_touchpoint("email_opened", START_MS, agent=agent)) is None


@pytest.mark.parametrize("agent", ["", "Person", "bot", "Mozilla/5.0 (X11; Linux x86_64)", "a" * 2_000])
def test_another_word_for_who_looked_is_refused(agent: str) -> None:
    with pytest.raises(RefusedRecord) as refused:
        checked(a_touchpoint("email_opened", START_MS, agent=agent), START_MS)
    assert refused.value.reason in {"bad_agent", "too_long"}
    if refused.value.reason == "bad_agent":
        assert "person, prefetch, scanner" in refused.value.detail
