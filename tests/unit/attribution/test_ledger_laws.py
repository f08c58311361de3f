"""Laws of the ledger: over any history its rows add up, and equal those of a calm batch run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.attribution.touches import add_touch, united
from tests.support.ledger import (
    NOW_MS,
    History,
    Shop,
    all_touches,
    assert_rows_are_apart_and_counted,
    assert_values_hold_at_every_moment,
    histories,
    played,
)

if TYPE_CHECKING:
    from streams.profiles.profile import Touch


@settings(deadline=None)
@given(histories)
def test_rows_of_a_conversion_sum_to_its_value_at_every_moment(history: History) -> None:
    assert_values_hold_at_every_moment(Shop(), history)


@settings(deadline=None)
@given(histories)
def test_the_balance_is_that_of_a_calm_batch_run(history: History) -> None:
    shop = played(Shop(), history)
    assert shop.balance() == shop.batch()


@settings(deadline=None)
@given(histories)
def test_no_two_rows_have_the_same_id_and_facts_equal_the_rows(history: History) -> None:
    assert_rows_are_apart_and_counted(played(Shop(), history))


@settings(deadline=None)
@given(st.permutations(range(8)), st.lists(all_touches, min_size=8, max_size=8, unique_by=lambda touch: touch.id_hash))
def test_touches_do_not_depend_on_the_order_of_arrival(order: list[int], given_touches: list[Touch]) -> None:
    arrived: tuple[Touch, ...] = ()
    for place in order:
        arrived = add_touch(arrived, given_touches[place], NOW_MS)
    assert arrived == united(tuple(given_touches))
