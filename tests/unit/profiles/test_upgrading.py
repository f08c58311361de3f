"""What earlier rules kept of a profile goes on under those that hold."""

from __future__ import annotations

from msgspec.structs import replace

from streams.profiles.codec import decode_profile, encode_profile
from streams.profiles.orders import window_sums
from streams.profiles.profile import Adjustment, Cart, CartItem, OrderContent, Profile
from streams.profiles.upgrading import lowered, upgraded

BEFORE = Profile(
    cart=Cart(1, 5, (CartItem("mug", 900, 2),)), adjustments=(Adjustment(10, 300, 1), Adjustment(20, 50, 2)), rules=2
)


def test_a_refund_without_an_order_still_lowers_the_spend() -> None:
    after = upgraded(BEFORE, 3)
    assert (after.adjustments, len(after.changes)) == ((), 2)
    assert window_sums(after, 30, 25) == window_sums(BEFORE, 30, 25)
    assert upgraded(after, 3) == after


def test_a_cart_knows_from_then_on_when_articles_were_put_in() -> None:
    cart = upgraded(BEFORE, 3).cart
    assert cart is not None
    assert cart.adds == (((5, 2),),)


def test_under_earlier_rules_a_profile_stays_as_it_is() -> None:
    for rules in (1, 2):
        before = replace(BEFORE, rules=rules)
        assert upgraded(before, rules) is before


def test_earlier_rules_keep_of_a_newer_profile_what_they_store() -> None:
    newer = replace(
        upgraded(BEFORE, 3), order_content=OrderContent(1, 1, "order", "EUR", 100, ()), unanswered=(3, 20), rules=3
    )
    after = lowered(newer, 2)
    assert after == BEFORE
    assert decode_profile(encode_profile(after)) == after
    assert lowered(newer, 3) is newer
    assert lowered(BEFORE, 2) is BEFORE
