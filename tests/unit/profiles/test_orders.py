"""Sums of a customer's orders fit what stores and records hold."""

from __future__ import annotations

import msgspec

from schemas.limits import LONG_MAX, LONG_MIN, MINOR_MAX
from streams.profiles.codec import decode_profile, encode_profile
from streams.profiles.order_change import Adjustment, OrderChange
from streams.profiles.order_changes import COMPLETED, REFUNDED, united_changes
from streams.profiles.orders import adjust, history_of, orders_that_count, place_order, window_sums, with_history
from streams.profiles.profile import EMPTY, ORDERS_MAX, OrderMonth, PlacedOrder, Profile
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


def with_change(profile: Profile, order: int, time_ms: int, minor: int, kind: int) -> Profile:
    change = OrderChange(time_ms, 0 if kind == COMPLETED else time_ms, order, minor, kind, "")
    return with_history(profile, order, united_changes(history_of(profile, order), (change,)))


def test_orders_whose_changes_make_room_for_newer_ones_keep_what_was_taken_back() -> None:
    profile, first_ms = EMPTY, NOW - 10 * DAY_MS
    for order in range(1, ORDERS_MAX + 1):
        profile = with_change(profile, order, first_ms + order, 1_000, COMPLETED)
        profile = with_change(profile, order, first_ms + order + 1, 400, REFUNDED)
    assert len(profile.changes) <= ORDERS_MAX
    assert history_of(profile, 1)[-1].minor == 400
    assert window_sums(profile, NOW, WINDOW_MS).minor == ORDERS_MAX * 600
    profile = with_change(profile, 1, NOW - 1, 600, REFUNDED)
    assert window_sums(profile, NOW, WINDOW_MS).orders == ORDERS_MAX - 1
    assert len(profile.changes) <= ORDERS_MAX
    profile = with_change(profile, 1, NOW, 1_000, COMPLETED)
    assert window_sums(profile, NOW, WINDOW_MS).minor == ORDERS_MAX * 600 + 400


def test_a_refund_lowers_the_spend_until_its_order_comes_in() -> None:
    profile = with_change(EMPTY, 1, NOW - 1, 400, REFUNDED)
    assert window_sums(profile, NOW, WINDOW_MS)[:2] == (0, -400)
    profile = with_change(profile, 1, NOW - 2, 1_000, COMPLETED)
    assert window_sums(profile, NOW, WINDOW_MS)[:2] == (1, 600)


def test_an_order_older_than_all_that_are_kept_is_in_its_month_without_its_refund() -> None:
    profile = with_change(EMPTY, 1, NOW - 1, 400, REFUNDED)
    for order in range(2, ORDERS_MAX + 2):
        profile = with_change(profile, order, NOW - order, 1_000, COMPLETED)
    profile = with_change(profile, 1, at("2023-05-01T00:00"), 1_000, COMPLETED)
    (month,) = profile.months
    assert (month.orders, month.minor, profile.changes) == (1, 600, ())


def test_orders_that_were_taken_back_whole_do_not_count_from_rules_3_on() -> None:
    profile = with_change(with_change(EMPTY, 1, NOW - 2, 1_000, COMPLETED), 1, NOW - 1, 1_000, REFUNDED)
    counted = [orders_that_count(msgspec.structs.replace(profile, rules=rules)) for rules in (1, 2, 3)]
    assert counted == [1, 1, 0]
