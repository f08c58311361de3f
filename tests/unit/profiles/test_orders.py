"""Sums of a customer's orders fit what stores and records hold."""

from __future__ import annotations

import msgspec

from schemas.limits import LONG_MAX, LONG_MIN, MINOR_MAX
from streams.profiles.codec import decode_profile, encode_profile
from streams.profiles.orders import adjust, place_order, window_sums
from streams.profiles.profile import EMPTY, ORDERS_MAX, Adjustment, OrderMonth, PlacedOrder
from tests.support.insights import DAY_MS, at

NOW = at("2024-03-01T00:00")
WINDOW_MS = 730 * DAY_MS


def test_more_orders_than_a_long_can_add_up_make_the_largest_sum_of_a_month_and_of_the_window() -> None:
    profile = msgspec.structs.replace(EMPTY, months=(OrderMonth(at("2024-02-01T00:00") - 1, 92_000, LONG_MAX - 5),))
    for number in range(ORDERS_MAX + 3):
        placed = PlacedOrder(at("2024-01-05T00:00") + number, MINOR_MAX, 0, number)
        profile = place_order(profile, placed)
    (month,) = profile.months
    assert (month.orders, month.minor) == (92_003, LONG_MAX)
    assert decode_profile(encode_profile(profile)) == profile
    sums = window_sums(profile, NOW, WINDOW_MS)
    assert (sums.orders, sums.minor) == (92_003 + ORDERS_MAX, LONG_MAX)


def test_the_sum_of_refunds_ends_at_the_least_long() -> None:
    profile = EMPTY
    for number in range(3):
        profile = adjust(profile, Adjustment(NOW - 1, LONG_MAX, number))
    assert window_sums(profile, NOW, WINDOW_MS).minor == LONG_MIN
