"""What earlier rules kept of a profile goes on under those that hold."""

from __future__ import annotations

from msgspec.structs import replace

from streams.profiles.attributes import Attributes, First
from streams.profiles.codec import decode_profile, encode_profile
from streams.profiles.mailboxes import with_naming
from streams.profiles.order_change import Adjustment
from streams.profiles.orders import window_sums
from streams.profiles.profile import Cart, CartItem, OrderContent, Profile, Touch
from streams.profiles.standing import promotional_consent
from streams.profiles.statement import ConsentState, Mailbox
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


def test_the_first_channel_is_that_of_the_first_touch_that_is_kept() -> None:
    touches = (Touch(5, 1, "ads", None, 0, is_view=False), Touch(7, 2, "email", None, 0, is_view=False))
    after = upgraded(replace(BEFORE, touches=touches), 4)
    assert after.attributes == Attributes(channel=First(5, "ads"))
    assert upgraded(replace(BEFORE, touches=touches), 3).attributes is None
    known = replace(after, attributes=Attributes(channel=First(1, "sms")))
    assert upgraded(known, 4).attributes == known.attributes


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


def test_an_earlier_grant_is_promotional_and_for_the_address_of_its_time() -> None:
    before = Profile(
        clock_ms=50,
        first_ms=10,
        email_hash="aa",
        consents=(ConsentState("all", granted=False, time_ms=20), ConsentState("email", granted=True, time_ms=30)),
        rules=3,
    )
    after = upgraded(before, 4)
    assert (after.email_ms, after.mailboxes) == (50, (Mailbox("aa", 10, 50, is_own=True),))
    assert [(each.purpose, each.address, each.received_ms) for each in after.consents] == [
        ("promotional", "", 20),
        ("promotional", "aa", 30),
    ]
    assert promotional_consent(after) == {"all": False, "email": True}
    moved = with_naming(after, "bb", 60)
    assert promotional_consent(moved) == {"all": False, "email": False}
    assert upgraded(replace(after, rules=4), 4) == replace(after, rules=4)
    assert lowered(replace(after, rules=4), 3) == before


def test_an_earlier_grant_without_an_address_is_for_the_first_that_comes() -> None:
    before = Profile(clock_ms=50, consents=(ConsentState("email", granted=True, time_ms=30),), rules=3)
    first = with_naming(upgraded(before, 4), "aa", 60)
    assert promotional_consent(first) == {"email": True}
    assert promotional_consent(with_naming(first, "bb", 70)) == {}


def test_a_limit_of_another_profile_is_no_grant_under_earlier_rules() -> None:
    limit = ConsentState("email", granted=True, time_ms=30, at_most=1, is_of_other=True)
    assert lowered(Profile(consents=(limit,), rules=4), 3).consents == ()
