"""A list within its limit of bytes holds the newest items that fit, in whatever order they came."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.attribute_limits import ATTRIBUTE_NAME_MAX, FIRST_BYTES_MAX, TRAIT_BYTES_MAX, TRAITS_MAX
from schemas.limits import (
    CART_BYTES_MAX,
    ENTRY_TIMERS_MAX,
    INT_MAX,
    LINKED_BYTES_MAX,
    MINOR_MAX,
    MONTHS_MAX,
    NAMES_BYTES_MAX,
    OWN_LINKS_BYTES_MAX,
    PARKED_MAX,
    PATH_MAX,
    PENDING_BYTES_MAX,
    PRICES_BYTES_MAX,
    PROFILE_BYTES_MAX,
    RUN_PRODUCTS_BYTES_MAX,
    RUNS_MAX,
    STATEMENTS_BYTES_MAX,
    TEXT_BYTES_MAX,
    TRAIL_BYTES_MAX,
    TRAIL_MAX,
    UNMATCHED_BYTES_MAX,
    VIEWS_BYTES_MAX,
)
from streams.flows.runtime.asking import LIMITS_MAX
from streams.profiles.address_entry import Asked, Granted, Waiting
from streams.profiles.attributes import Attributes, First
from streams.profiles.bounds import (
    SLOTS_MAX,
    SLOTS_WAITING_BYTES_MAX,
    bounded_cart,
    bounded_months,
    bounded_products,
    bounded_touches,
    fitting,
    newest,
    within_limits,
)
from streams.profiles.joins import LINKED_MAX
from streams.profiles.profile import (
    ENTRIES_MAX,
    MESSAGES_MAX,
    ORDERS_MAX,
    PENDING_MAX,
    Cart,
    CartItem,
    Conversion,
    OrderMonth,
    Profile,
    Sent,
    Touch,
)
from streams.profiles.statement import WHO_BYTES_MAX, WHY_BYTES_MAX, ConsentState, Listing, Mailbox
from tests.support.world import DAY_MS, START_MS


def test_the_parts_of_a_profile_add_up_to_less_than_a_profile_may_have() -> None:
    """The sum in PROFILE_BYTES_MAX: what is left out there has a limit of its own in bytes."""
    lists = OWN_LINKS_BYTES_MAX + ORDERS_MAX * (38 + 44) + MONTHS_MAX * 28 + MESSAGES_MAX * 128 + ENTRIES_MAX * 79
    timers = RUNS_MAX * 1_300 + ENTRY_TIMERS_MAX * 80 + PARKED_MAX * 73
    texts = CART_BYTES_MAX + 50 * 8 * 15 + PENDING_BYTES_MAX + PRICES_BYTES_MAX + VIEWS_BYTES_MAX + 1_100
    small = 2_500 + 1_000 * 8 + 100 + 92 * 19 + STATEMENTS_BYTES_MAX + 8 * 640 + UNMATCHED_BYTES_MAX + PENDING_MAX * 30
    small += TRAITS_MAX * 256 + 440
    credit = 2 * 100 * (36 + 203) + (TRAIL_MAX + PATH_MAX) * 36
    credit += NAMES_BYTES_MAX + TRAIL_BYTES_MAX + (TRAIL_MAX + PATH_MAX) * 2 * 3
    together = lists + timers + texts + small
    assert together <= 296_200
    assert credit <= 114_000
    assert together + 2 * credit < PROFILE_BYTES_MAX
    before_rules_4 = OWN_LINKS_BYTES_MAX + STATEMENTS_BYTES_MAX + 8 * 640 + UNMATCHED_BYTES_MAX + MESSAGES_MAX * 44
    before_rules_4 += TRAITS_MAX * 256 + 440
    assert together - before_rules_4 + LINKED_MAX * 518 + 4 * 19 + 2 * credit < PROFILE_BYTES_MAX


def test_the_largest_message_of_the_log_and_the_largest_address_have_the_bytes_of_the_sum() -> None:
    sent = Sent(
        1 << 62, "email", "shadow:" + "f" * 59, is_promotional=True, candidate_id="c" * 32, address_hash=1 << 62
    )
    assert len(msgspec.msgpack.encode(sent)) <= 128
    long = 1 << 62
    box = Mailbox("a" * 64, long, long, is_own=True, hard_ms=long, soft_ms=(long,) * 10, complaint_ms=long)
    box = msgspec.structs.replace(box, proof_ms=long, ordered_ms=long, linked_ms=long, erased_ms=long, is_shared=True)
    entry = Listing(is_all=True, is_on=True, time_ms=long, who="w" * WHO_BYTES_MAX, why="y" * WHY_BYTES_MAX)
    box = msgspec.structs.replace(box, listed=(entry, entry))
    assert len(msgspec.msgpack.encode(box)) <= 640


def test_the_largest_attributes_have_the_bytes_of_the_sum() -> None:
    long = 1 << 62
    texts = {f"{number:02}".ljust(ATTRIBUTE_NAME_MAX, "n"): "t" * TRAIT_BYTES_MAX for number in range(TRAITS_MAX)}
    assert len(msgspec.msgpack.encode(Attributes(texts, (long,) * TRAITS_MAX))) <= TRAITS_MAX * 256
    first = First(long, "f" * FIRST_BYTES_MAX)
    assert len(msgspec.msgpack.encode(Attributes({}, (), first, first, first))) + 3 <= 440


def test_an_address_that_several_profiles_have_fits_with_all_that_it_is_asked() -> None:
    long = 1 << 62
    assert len(msgspec.msgpack.encode(Asked(long, long, long))) <= 30
    assert len(msgspec.msgpack.encode(Granted(long, long))) <= 20
    limits = ((100, long),) * LIMITS_MAX
    request = Waiting(long, long, "u:" + "x" * TEXT_BYTES_MAX, "c" * 32, limits)
    assert len(msgspec.msgpack.encode(request)) <= 514 + 80 + 12 * LIMITS_MAX
    entry = SLOTS_MAX * 20 + SLOTS_WAITING_BYTES_MAX
    assert LINKED_BYTES_MAX + STATEMENTS_BYTES_MAX + 8 * 640 + entry < 172_000


def a_touch(number: int, channel: str = "ads", campaign: str | None = None) -> Touch:
    return Touch(START_MS + number, number, channel, campaign, number, is_view=False)


def named(number: int) -> str:
    return f"{number:\N{DRAGON}>{TEXT_BYTES_MAX // 4}}"


def test_the_items_added_last_stay_and_the_same_object_if_all_fit() -> None:
    texts = ("aaa", "bb", "c")
    assert newest(texts, len, 6) is texts
    assert newest(texts, len, 5) == ("bb", "c")
    assert newest(texts, len, 0) == ()


def test_bytes_are_those_of_utf_8() -> None:
    wide = CartItem("\N{DRAGON}" * 128, 1, 1)
    cart = bounded_cart(Cart(0, 0, (wide,) * 50))
    assert cart is not None
    assert len(cart.items) == CART_BYTES_MAX // (512 + 24)


def test_a_cart_whose_last_article_does_not_fit_is_empty() -> None:
    assert bounded_cart(Cart(0, 0, (CartItem("x" * CART_BYTES_MAX, 1, 1),))) is None
    assert bounded_cart(None) is None


def test_pieces_of_an_article_stay_an_avro_int_and_the_sum_of_months_a_long() -> None:
    mug, cup = CartItem("mug", 1, INT_MAX + 1), CartItem("cup", 1, 2)
    cart = bounded_cart(Cart(0, 0, (mug, cup)))
    assert cart is not None
    assert [item.quantity for item in cart.items] == [INT_MAX, 2]
    months = bounded_months(tuple(OrderMonth(number, 1, 10**18) for number in range(MONTHS_MAX + 3)))
    assert (len(months), months[0].end_ms) == (MONTHS_MAX, 3)
    assert sum(month.minor for month in months) + ORDERS_MAX * MINOR_MAX < 1 << 63


def test_a_run_shows_the_first_articles_that_fit() -> None:
    items = tuple(CartItem(f"{number:050}", 1, 1) for number in range(10))
    assert bounded_products(items) == items[: RUN_PRODUCTS_BYTES_MAX // 74]
    few = items[:2]
    assert bounded_products(few) is few


@settings(deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=40), st.integers(0, 40))
def test_touches_that_are_bounded_on_the_way_are_those_that_are_bounded_in_the_end(names: list[int], cut: int) -> None:
    touches = tuple(a_touch(number, named(name), named(name + 1)) for number, name in enumerate(names))
    # what was kept of some of them, united with the others
    early = bounded_touches(touches[::2][:cut])
    others = tuple(touch for touch in touches if touch not in touches[::2][:cut])
    united = tuple(sorted({*early, *others}, key=lambda touch: touch.time_ms))
    assert bounded_touches(united) == bounded_touches(touches)


def test_equal_names_count_once() -> None:
    touches = tuple(a_touch(number, named(number % 20), named(number % 20)) for number in range(100))
    assert bounded_touches(touches) is touches
    different = tuple(a_touch(number, named(number)) for number in range(100))
    assert len(bounded_touches(different)) == NAMES_BYTES_MAX // len(named(0).encode())


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([[number] for number in range(100)], 100),
        ([range(number * 50, number * 50 + 50) for number in range(20)], TRAIL_MAX // 50),
        ([range(101), [1], [2]], 2),
    ],
    ids=["all fit", "too many touches", "one path is too long"],
)
def test_the_newest_conversions_fit(paths: list[list[int]], expected: int) -> None:
    conversions = tuple(
        Conversion(f"o{number}", START_MS + number, 1, "EUR", tuple(map(a_touch, path)), 0)
        for number, path in enumerate(paths)
    )
    assert fitting(conversions, {}) == expected


def test_ids_of_orders_and_names_of_paths_share_their_bytes() -> None:
    conversions = tuple(
        Conversion(named(number), START_MS + number, 1, "EUR", (a_touch(number, named(1_000 + number)),), 0)
        for number in range(100)
    )
    assert fitting(conversions, {}) == TRAIL_BYTES_MAX // (2 * len(named(0).encode()))


def test_what_the_ledger_holds_of_a_conversion_takes_room_too() -> None:
    conversion = Conversion(named(0), START_MS, 1, "EUR", (a_touch(1, named(1)),), 0)
    written = msgspec.structs.replace(conversion, path=tuple(a_touch(number, named(number)) for number in range(2, 50)))
    assert fitting((conversion,), {}) == 1
    assert fitting((conversion,), {conversion.order_id: (written,)}) == 0


def test_what_earlier_rules_took_in_leaves() -> None:
    profile = Profile(
        clock_ms=START_MS,
        answers=((1, 5), (START_MS // DAY_MS, 2)),
        consents=(
            ConsentState("carrier pigeon", granted=True, time_ms=1),
            ConsentState("email", granted=True, time_ms=2),
        ),
    )
    found = within_limits(profile, 2)
    assert (found.rules, found.answers) == (2, ((START_MS // DAY_MS, 2),))
    assert [item.channel for item in found.consents] == ["email"]
