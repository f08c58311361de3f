"""Prices: the highest that a customer was shown of late, and by how much an article has fallen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.touchpoint import CURRENCY, Product
from streams.profiles.prices import KEPT_MS, after, drop_percent, united
from streams.profiles.profile import PRICES_MAX, Profile, ShownPrice
from tests.support.flows import a_reminder
from tests.support.world import DAY_MS, START_MS, World, a_touchpoint, an_order

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint

CHEAPER = {"event": "product_viewed", "condition": {"field": "event.products.price_drop_percent", "at_least": 5}}


def a_view(price_minor: int, days: int = 0, sku: str = "rug", user: str = "1") -> Touchpoint:
    products = (Product(sku=sku, price_minor=price_minor, quantity=1),)
    return a_touchpoint("product_viewed", START_MS + days * DAY_MS, user, products=products)


def fallen(*views: Touchpoint) -> int:
    """At the last view, after all of them."""
    prices: tuple[ShownPrice, ...] = ()
    for view in views:
        prices = after(prices, view)
    return drop_percent(Profile(prices=prices), views[-1])


def test_a_price_has_fallen_from_the_highest_that_was_shown() -> None:
    assert fallen(a_view(10_000), a_view(9_000, 1), a_view(8_001, 2)) == 19
    assert fallen(a_view(8_000), a_view(10_000, 1), a_view(9_000, 2)) == 10


def test_what_is_new_or_dearer_or_was_dearer_long_ago_has_not_fallen() -> None:
    assert fallen(a_view(10_000)) == 0
    assert fallen(a_view(10_000), a_view(12_000, 1)) == 0
    assert fallen(a_view(10_000), a_view(5_000, 1, sku="mug")) == 0
    assert fallen(a_view(10_000), a_view(9_000, 31)) == 0


def test_an_article_without_a_price_says_nothing_of_prices() -> None:
    assert fallen(a_view(10_000), a_view(0, 1)) == 0
    assert fallen(a_view(0), a_view(10_000, 1), a_view(9_000, 2)) == 10


def test_only_the_newest_articles_are_kept() -> None:
    prices: tuple[ShownPrice, ...] = ()
    for number in range(PRICES_MAX + 5):
        prices = after(prices, a_view(100, number, sku=f"sku-{number}"))
    assert [item.sku for item in prices] == [f"sku-{number}" for number in range(5, PRICES_MAX + 5)]


shown = st.lists(
    st.builds(
        ShownPrice,
        st.sampled_from(["a", "b", "c"]),
        st.integers(1, 4),
        st.integers(0, 3).map(lambda n: n * KEPT_MS // 2),
    ),
    max_size=8,
)


@given(shown, shown)
def test_two_profiles_that_become_one_know_the_same_prices_from_either_side(
    one: list[ShownPrice], other: list[ShownPrice]
) -> None:
    mine, theirs = united((), one), united((), other)
    assert united(mine, theirs) == united(theirs, mine)


views = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 2).map(lambda n: n * 20), st.sampled_from("abc")), max_size=9
)


@given(views)
def test_a_view_more_is_taken_in_as_two_profiles_would_be(shown: list[tuple[int, int, str]]) -> None:
    prices: tuple[ShownPrice, ...] = ()
    for price_minor, days, sku in shown:
        one = (ShownPrice(sku, price_minor, START_MS + days * DAY_MS),) if price_minor else ()
        expected = united(prices, one)
        prices = after(prices, a_view(price_minor, days, sku))
        assert prices == expected


@given(shown, st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), max_size=3), st.integers(0, 3))
def test_the_article_that_fell_most_is_what_counts(
    before: list[ShownPrice], items: list[tuple[str, int]], halves: int
) -> None:
    time_ms = halves * KEPT_MS // 2
    prices = united((), before)
    view = a_touchpoint("product_viewed", time_ms, products=tuple(Product(sku, price, 1) for sku, price in items))
    falls = [
        (shown.price_minor - price) * 100 // shown.price_minor
        for sku, price in items
        for shown in prices
        if shown.sku == sku and price and abs(time_ms - shown.time_ms) <= KEPT_MS
    ]
    assert drop_percent(Profile(prices=prices), view) == max(falls, default=0)


def test_prices_are_kept_only_where_a_published_flow_compares_them() -> None:
    for flow, kept in ((a_reminder(), 0), (a_reminder(entry=CHEAPER), 1)):
        world = World(flows=[flow])
        world.send(a_view(10_000))
        profile = world.profile("u:1")
        assert profile is not None
        assert len(profile.prices) == kept


def test_what_a_customer_has_ordered_is_forgotten() -> None:
    world = World(flows=[a_reminder(entry=CHEAPER)])
    world.send(a_view(10_000), a_view(500, sku="mug"))
    world.send(an_order(START_MS + 1, products=(Product(sku="rug", price_minor=10_000, quantity=1),)))
    profile = world.profile("u:1")
    assert profile is not None
    assert [item.sku for item in profile.prices] == ["mug"]


def test_prices_in_another_currency_are_not_compared() -> None:
    """A shop with a switch of currencies shows 25.00 dollars and 21.00 euros for the same price."""
    for currency, prices in (("USD", ()), ("EUR", (2_500,))):
        world = World(flows=[a_reminder(entry=CHEAPER)])
        world.send(msgspec.structs.replace(a_view(2_500), properties={CURRENCY: currency}))
        profile = world.profile("u:1")
        assert profile is not None
        assert tuple([item.price_minor for item in profile.prices]) == prices
