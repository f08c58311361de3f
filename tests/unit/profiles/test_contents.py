"""What a profile keeps to say of its last order."""

from __future__ import annotations

from itertools import permutations

from schemas.limits import RUN_PRODUCTS_BYTES_MAX
from schemas.touchpoint import Product, Touchpoint
from streams.profiles.contents import PRODUCTS_MAX, united, with_order_content
from streams.profiles.profile import EMPTY, CartItem, OrderContent, Profile
from streams.settings import parse_domain
from tests.support.flows import a_bare_flow
from tests.support.world import HOUR_MS, START_MS, World, a_touchpoint, an_order

SETTINGS = parse_domain("{}")
SHOWS_ORDERS = a_bare_flow("later", "order_completed", products="order", exits=[])


def with_orders(*orders: Touchpoint) -> Profile:
    profile = EMPTY
    for event in orders:
        assert event.order is not None
        profile = with_order_content(profile, event, SETTINGS)
    return profile


def test_the_last_order_by_time_stays_whatever_came_in_last() -> None:
    orders = [an_order(START_MS + at, order_id=f"o-{at}") for at in range(3)]
    kept = {with_orders(*arrived).order_content for arrived in permutations(orders)}
    assert {content.order_id for content in kept if content} == {"o-2"}


def test_a_few_articles_that_fit_are_kept() -> None:
    few = tuple(Product(f"sku-{number}", 900, -1) for number in range(PRODUCTS_MAX + 1))
    content = with_orders(an_order(START_MS, products=few)).order_content
    assert content is not None
    assert content.products == tuple(CartItem(f"sku-{number}", 900, 1) for number in range(PRODUCTS_MAX))
    wide = tuple(Product(f"{number:0200}", 900, 1) for number in range(PRODUCTS_MAX))
    content = with_orders(an_order(START_MS, products=wide)).order_content
    assert content is not None
    assert len(content.products) == RUN_PRODUCTS_BYTES_MAX // 224


def test_of_two_profiles_the_later_order_stays_from_either_side() -> None:
    one, other = (OrderContent(START_MS, id_hash, f"o-{id_hash}", "EUR", 1, ()) for id_hash in (1, 2))
    assert united(one, other) == united(other, one) == other
    assert united(one, None) == united(None, one) == one
    assert united(None, None) is None


def test_profiles_keep_it_only_where_a_published_flow_shows_orders() -> None:
    for flow, order_id in ((SHOWS_ORDERS, "o-1"), (a_bare_flow("later", "order_completed"), None)):
        world = World(flows=(flow,))
        world.send(an_order(START_MS, order_id="o-1"))
        profile = world.profile("u:1")
        assert profile is not None
        assert (profile.order_content and profile.order_content.order_id) == order_id


def test_a_users_device_brings_its_order_along() -> None:
    world = World(flows=(SHOWS_ORDERS,))
    world.send(an_order(START_MS, order_id="first"))
    world.send(an_order(START_MS + HOUR_MS, order_id="on the phone", user=None, anonymous_id="phone"))
    world.send(a_touchpoint("page_viewed", START_MS + 2 * HOUR_MS, anonymous_id="phone"))
    profile = world.profile("u:1")
    assert profile is not None
    assert profile.order_content is not None
    assert profile.order_content.order_id == "on the phone"
