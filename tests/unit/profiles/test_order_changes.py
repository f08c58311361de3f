"""The state of an order follows from all that happened to it, not from the order in which it came in."""

from __future__ import annotations

from itertools import permutations

import pytest
from msgspec.structs import replace

from schemas.journal import RULES_3, RULES_4
from schemas.touchpoint import Order, Touchpoint
from streams.profiles.order_change import OrderChange
from streams.profiles.order_changes import (
    CANCELLED,
    COMPLETED,
    REFUNDED,
    REFUNDED_WHOLE,
    SETTLED,
    TYPES,
    acting,
    beyond,
    change_of,
    counts_of,
    is_settled,
    placed_by,
    state_of,
    united_changes,
    with_own,
    with_unsettled,
    without_settled,
)
from streams.profiles.profile import PlacedOrder

ORDER = 7
USD = "USD"


def completed(time_ms: int, minor: int = 5_000, currency: str = "") -> OrderChange:
    return OrderChange(time_ms, 0, ORDER, minor, COMPLETED, currency)


def refunded(time_ms: int, minor: int, currency: str = "") -> OrderChange:
    return OrderChange(time_ms, time_ms, ORDER, minor, REFUNDED, currency)


def cancelled(time_ms: int, minor: int = 0) -> OrderChange:
    return OrderChange(time_ms, time_ms, ORDER, minor, CANCELLED, "")


def by_browser(change: OrderChange) -> OrderChange:
    return replace(change, is_browser=True)


def left_of(*changes: OrderChange) -> tuple[int, bool]:
    """What is left and whether it counts, which is the same in any order."""
    found = {state[1:3] for each in permutations(changes) if (state := state_of(each)) is not None}
    ((left_minor, counts),) = found
    return left_minor, counts


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([completed(1)], (5_000, True)),
        ([completed(1), completed(2), completed(3, 9_000)], (5_000, True)),
        ([completed(1), refunded(2, 2_000)], (3_000, True)),
        ([completed(1), refunded(2, 2_000), completed(3)], (3_000, True)),
        ([completed(1), refunded(2, 2_000), refunded(3, 3_000)], (0, False)),
        ([completed(1), refunded(2, 9_000)], (0, False)),
        ([completed(1), cancelled(2)], (0, False)),
        ([completed(1), cancelled(2), completed(3)], (5_000, True)),
        ([completed(1), refunded(2, 5_000), completed(3), refunded(4, 1_000)], (4_000, True)),
        ([completed(1), cancelled(2), completed(3), cancelled(4)], (0, False)),
        ([completed(1), cancelled(2), cancelled(3), refunded(4, 1_000)], (0, False)),
        # clocks differ: nothing is taken back before it was ordered
        ([cancelled(1), completed(2)], (0, False)),
        ([completed(1, 0)], (0, True)),
        ([completed(1, 0), refunded(2, 0)], (0, True)),
        ([completed(1, 0), cancelled(2)], (0, False)),
        ([completed(1, currency=USD), cancelled(2)], (0, False)),
        ([completed(1, currency=USD), refunded(2, 5_000, USD)], (0, False)),
        ([completed(1, currency=USD), refunded(2, 5_000)], (5_000, True)),
    ],
)
def test_what_is_left_of_an_order(changes: list[OrderChange], expected: tuple[int, bool]) -> None:
    assert left_of(*changes) == expected


def test_an_order_that_is_only_taken_back_is_not_known() -> None:
    assert state_of((refunded(1, 500), cancelled(2))) is None


def test_a_profile_lists_an_order_in_its_reporting_currency() -> None:
    def placed(*changes: OrderChange) -> PlacedOrder:
        state = state_of(changes)
        assert state is not None
        return placed_by(state)

    assert placed(completed(1), refunded(2, 2_000)) == PlacedOrder(1, 5_000, 2_000, ORDER)
    foreign, gone = placed(completed(1, currency=USD)), placed(completed(1, currency=USD), cancelled(2))
    assert (foreign.total_minor, foreign.counts) == (0, True)
    assert (gone.total_minor, gone.counts) == (0, False)


def test_of_what_takes_an_order_back_only_what_finds_something_left_acts() -> None:
    first, second = cancelled(2), cancelled(4)
    assert acting((completed(1), first, second)) == (first,)
    assert acting((completed(1), first, completed(3), second)) == (first, second)
    # of an order that is not known yet a second cancellation does no more than the first
    assert acting((second, refunded(1, 500), first)) == (refunded(1, 500), first)


def test_an_order_of_earlier_rules_keeps_what_was_taken_back_of_it() -> None:
    known = PlacedOrder(1, 5_000, 2_000, ORDER)
    history = with_own(known, (refunded(3, 1_000),))
    assert [change.kind for change in history] == [COMPLETED, SETTLED, REFUNDED]
    assert left_of(*history) == (2_000, True)
    assert with_own(known, history) == history


def test_facts_are_the_same_whenever_the_order_comes_in() -> None:
    assert counts_of((cancelled(2, 100),)) == [("refunds", 2, 1, ""), ("refunds_minor", 2, 100, "")]
    assert counts_of((completed(1), refunded(2, 9_000), completed(3))) == [
        ("orders", 1, 1, ""),
        ("revenue_minor", 1, 5_000, ""),
        ("refunds", 2, 1, ""),
        ("refunds_minor", 2, 9_000, ""),
        ("refunds_minor", 3, -5_000, ""),
    ]
    assert ("refunds_minor", 2, 5_000, USD) in counts_of((completed(1, currency=USD), cancelled(2)))


def test_the_same_change_of_two_profiles_is_one() -> None:
    assert united_changes((completed(1), cancelled(2)), (cancelled(2), completed(1))) == (completed(1), cancelled(2))


def test_a_completion_is_known_by_its_time_and_a_refund_by_its_event() -> None:
    def change(kind: str, event_id: str, currency: str) -> OrderChange | None:
        return change_of(Touchpoint(event_id, kind, 5, order=Order("o", currency, 900)), "EUR")

    assert change("order_completed", "a", "EUR") == change("order_completed", "b", "EUR")
    assert change("order_refunded", "a", "EUR") != change("order_refunded", "b", "EUR")
    assert change("product_added", "a", "EUR") is None
    foreign = change("order_cancelled", "a", "USD")
    assert foreign is not None
    assert (foreign.currency, foreign.kind) == ("USD", CANCELLED)


def test_what_is_refunded_beyond_an_order_is_known_and_a_cancellation_is_no_refund() -> None:
    def more(*changes: OrderChange) -> list[tuple[int, int]]:
        state = state_of(changes)
        assert state is not None
        return [(change.time_ms, minor) for change, minor in beyond(state).items()]

    assert more(completed(1), refunded(2, 5_000)) == []
    assert more(completed(1), refunded(2, 4_000), refunded(3, 3_000), refunded(4, 100)) == [(3, 2_000), (4, 100)]
    assert more(completed(1), cancelled(2), refunded(3, 5_000)) == []
    assert more(completed(1), cancelled(2), refunded(3, 6_000)) == [(3, 1_000)]
    assert more(completed(1), refunded(2, 6_000), completed(3), refunded(4, 5_000)) == [(2, 1_000)]


@pytest.mark.parametrize(
    ("changes", "left_minor"),
    [
        ((by_browser(completed(1)), completed(2, 4_000)), 4_000),
        ((completed(1), by_browser(cancelled(2)), by_browser(refunded(3, 100)), refunded(4, 10)), 4_990),
        ((by_browser(completed(1)), by_browser(refunded(2, 100)), refunded(3, 10)), 4_890),
    ],
)
def test_what_browsers_say_of_an_order_holds_until_a_server_completes_it(
    changes: tuple[OrderChange, ...], left_minor: int
) -> None:
    for known in permutations(changes):
        history: tuple[OrderChange, ...] = ()
        for change in known:
            history = united_changes(history, (change,))
        state = state_of(history)
        assert state is not None
        assert state.left_minor == left_minor


def test_a_server_completes_no_other_order_than_its_own() -> None:
    other = by_browser(replace(completed(3), order_hash=8))
    assert united_changes((other,), (completed(1),)) == (completed(1), other)


def test_an_order_settled_by_what_browsers_said_is_as_a_server_completes_it() -> None:
    listed = placed_by(state_of((by_browser(completed(1)), by_browser(refunded(2, 2_000)))))  # type: ignore[arg-type]
    assert united_changes(with_own(listed, ()), (completed(3),)) == (completed(3),)


def test_what_was_settled_at_once_is_told_apart() -> None:
    refund, settled = refunded(3, 500), OrderChange(1, 0, ORDER, 2_500, SETTLED, "")
    history = (completed(1), settled)
    told = with_unsettled(history, refund)
    assert told == united_changes((completed(1), replace(settled, minor=2_000), refund))
    assert with_unsettled(told, refund) == told
    assert with_unsettled(history, completed(2)) == history
    assert with_unsettled(history, by_browser(refund)) == history
    assert without_settled(with_unsettled(history, cancelled(3))) == (completed(1), cancelled(3))
    assert is_settled(history)


def whole(time_ms: int, currency: str = "") -> OrderChange:
    return OrderChange(time_ms, time_ms, ORDER, 0, REFUNDED_WHOLE, currency)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ((completed(1), whole(2)), (0, False)),
        ((completed(1), refunded(2, 1_000), whole(3)), (0, False)),
        ((completed(1, currency=USD), whole(2)), (0, False)),
        ((completed(1, 0), whole(2)), (0, False)),
        ((completed(1), whole(2), completed(3)), (5_000, True)),
        ((completed(1), whole(2), refunded(3, 5_000)), (0, False)),
    ],
)
def test_a_refund_without_an_amount_takes_all_that_is_left(
    changes: tuple[OrderChange, ...], expected: tuple[int, bool]
) -> None:
    assert left_of(*changes) == expected


def test_a_whole_refund_counts_as_a_refund_of_what_was_left_and_what_is_paid_back_after_it_counts_once() -> None:
    found = counts_of((completed(1), refunded(2, 1_000), whole(3), refunded(4, 4_000)))
    assert [each for each in found if each[0] == "refunds_minor"] == [
        ("refunds_minor", 2, 1_000, ""),
        ("refunds_minor", 3, 4_000, ""),
        ("refunds_minor", 4, 0, ""),
    ]
    assert counts_of((whole(3),)) == [("refunds", 3, 1, ""), ("refunds_minor", 3, 0, "")]
    assert TYPES[REFUNDED_WHOLE] == "order_refunded"


def test_only_from_rules_4_on_a_refund_of_0_is_whole() -> None:
    event = Touchpoint("a", "order_refunded", 5, order=Order("o", "EUR", 0))
    kinds = [change.kind for rules in (RULES_3, RULES_4) if (change := change_of(event, "EUR", rules)) is not None]
    assert kinds == [REFUNDED, REFUNDED_WHOLE]
