"""A cart knows when its articles were put in."""

from __future__ import annotations

from itertools import permutations
from random import Random

from schemas.limits import INT_MAX
from schemas.touchpoint import Product
from schemas.units import DAY_MS
from streams.profiles.profile import ADDS_MAX, CART_ITEMS_MAX, Cart, CartItem
from streams.profiles.timed_cart import KEPT_MS, added, after_order, current, joined, removed, timed, united


def an_article(sku: str = "mug", quantity: int = 1, price_minor: int = 900) -> tuple[Product, ...]:
    return (Product(sku=sku, price_minor=price_minor, quantity=quantity),)


def filled(*adds: tuple[int, str, int]) -> Cart:
    """A cart after adds, (time, article, quantity)."""
    cart = None
    for time_ms, sku, quantity in adds:
        cart = added(cart, an_article(sku, quantity), time_ms, time_ms)
    assert cart is not None
    return cart


def held(cart: Cart | None) -> dict[str, int]:
    return {} if cart is None else {item.sku: item.quantity for item in cart.items}


def test_an_order_takes_what_was_there_and_leaves_what_was_put_in_later() -> None:
    cart = filled((1, "mug", 2), (2, "cup", 1), (4, "mug", 1))
    assert held(after_order(cart, 3)) == {"mug": 1}
    assert held(after_order(cart, 1)) == {"cup": 1, "mug": 1}
    assert after_order(cart, 4) is None
    assert after_order(cart, 0) is cart


def test_what_is_left_after_an_order_opened_the_cart() -> None:
    left = after_order(filled((1, "mug", 1), (4, "cup", 1), (5, "mug", 1)), 3)
    assert left is not None
    assert (left.opened_ms, left.added_ms) == (4, 5)


def test_what_is_taken_out_was_put_in_last_so_that_a_late_order_finds_the_rest() -> None:
    cart = removed(filled((1, "mug", 3), (4, "mug", 1)), an_article(quantity=2))
    assert held(cart) == {"mug": 2}
    assert after_order(cart, 2) is None
    assert removed(cart, an_article(quantity=5)) is None
    assert held(removed(cart, an_article("cup"))) == {"mug": 2}
    assert removed(None, an_article()) is None


def test_a_cart_ends_thirty_days_after_the_last_article_was_put_in() -> None:
    cart = filled((0, "coat", 1), (20 * DAY_MS, "sandals", 1))
    assert KEPT_MS == 30 * DAY_MS
    assert current(cart, 50 * DAY_MS - 1) is cart
    assert current(cart, 50 * DAY_MS) is None
    # an import of last year fills no cart of today
    assert current(added(None, an_article(), 0, 300 * DAY_MS), 300 * DAY_MS) is None


def test_more_adds_than_are_kept_count_as_of_the_later_time() -> None:
    cart = filled(*[(time_ms, "mug", 1) for time_ms in range(1, ADDS_MAX + 3)])
    assert held(cart) == {"mug": ADDS_MAX + 2}
    assert len(cart.adds[0]) == ADDS_MAX
    assert held(after_order(cart, 3)) == {"mug": ADDS_MAX - 1}


def test_of_too_many_articles_the_oldest_go_with_their_times() -> None:
    cart = filled(*[(time_ms, f"{time_ms}", 1) for time_ms in range(1, CART_ITEMS_MAX + 3)])
    assert (len(cart.items), len(cart.adds), cart.items[0].sku) == (CART_ITEMS_MAX, CART_ITEMS_MAX, "3")
    long = filled(*[(time_ms, f"{time_ms}" * 400, 1) for time_ms in range(1, 50)])
    assert len(long.items) == len(long.adds) < 49
    assert long.adds[-1] == ((49, 1),)


def test_a_quantity_is_what_a_record_can_hold() -> None:
    assert held(filled((1, "mug", INT_MAX), (2, "mug", INT_MAX))) == {"mug": INT_MAX}


def test_carts_become_one_alike_from_either_side() -> None:
    one, other = filled((1, "mug", 2), (3, "cup", 1)), filled((2, "mug", 1), (5, "tea", 1))
    both = united(one, other)
    assert both == united(other, one)
    assert held(both) == {"mug": 2, "cup": 1, "tea": 1}
    assert both is not None
    assert (both.opened_ms, both.added_ms) == (1, 5)
    assert united(one, None) is one


def test_an_article_of_two_carts_was_put_in_last_when_it_was_in_either() -> None:
    both = united(filled((1, "mug", 2)), filled((5, "mug", 1)))
    assert held(both) == {"mug": 2}
    assert current(both, KEPT_MS + 4) is both
    assert current(both, KEPT_MS + 5) is None


def test_all_of_a_cart_of_earlier_rules_was_put_in_with_the_last_article() -> None:
    cart = timed(Cart(1, 5, (CartItem("mug", 900, 2),)))
    assert cart is not None
    assert (after_order(cart, 4), after_order(cart, 5)) == (cart, None)
    assert timed(cart) is cart
    assert timed(None) is None


def test_what_comes_in_after_its_cart_had_ended_is_not_in_the_cart_of_today() -> None:
    cart = filled((40 * DAY_MS, "sandals", 1))
    assert added(cart, an_article("coat"), 10 * DAY_MS, 41 * DAY_MS) is cart
    assert held(added(cart, an_article("coat"), 10 * DAY_MS + 1, 41 * DAY_MS)) == {"sandals": 1, "coat": 1}


def test_carts_of_users_that_are_joined_do_not_depend_on_the_order(seed: int) -> None:
    random = Random(seed)
    for _ in range(300):
        carts = [a_random_cart(random) for _ in range(3)]
        found = {joined(joined(one, two), three) for one, two, three in permutations(carts)}
        found |= {joined(one, joined(two, three)) for one, two, three in permutations(carts)}
        assert len(found) == 1


def a_random_cart(random: Random) -> Cart | None:
    cart: Cart | None = None
    for _ in range(random.randrange(5)):
        time_ms = random.randrange(1, 7)
        article = an_article(random.choice(("mug", "cup")), random.randrange(1, 3), random.choice((700, 900)))
        cart = added(cart, article, time_ms, time_ms)
    return cart
