"""Laws of the ledger: over any history its rows add up, and equal those of a calm batch run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.outputs import Credit
from streams.attribution.models import MODELS
from streams.attribution.touches import add_touch, united
from tests.support.ledger import NOW_MS, Shop, Step, all_touches, histories

if TYPE_CHECKING:
    from streams.profiles.profile import Touch


@settings(deadline=None)
@given(histories)
def test_rows_of_a_conversion_sum_to_its_value_at_every_moment(history: list[tuple[str, Step]]) -> None:
    shop = Shop()
    for key, step in history:
        shop.fold(key, step)
        sums: Counter[tuple[str, str]] = Counter()
        for (order_id, model, _), minor in shop.balance().items():
            sums[order_id, model] += minor
        for order_id, placed in shop.values.items():
            assert {sums[order_id, model] for model in MODELS} == {placed.minor}


@settings(deadline=None)
@given(histories)
def test_the_balance_is_that_of_a_calm_batch_run(history: list[tuple[str, Step]]) -> None:
    shop = Shop()
    for key, step in history:
        shop.fold(key, step)
    assert shop.balance() == shop.batch()


@settings(deadline=None)
@given(histories)
def test_no_two_rows_have_the_same_id_and_facts_equal_the_rows(history: list[tuple[str, Step]]) -> None:
    shop = Shop()
    for key, step in history:
        shop.fold(key, step)
    rows = [row for _, row in shop.effects.outputs if isinstance(row, Credit)]
    assert len({row.credit_id for row in rows}) == len(rows)
    assert sum(shop.effects.counts.values()) == sum(row.amount_minor for row in rows)


@settings(deadline=None)
@given(st.permutations(range(8)), st.lists(all_touches, min_size=8, max_size=8, unique_by=lambda touch: touch.id_hash))
def test_touches_do_not_depend_on_the_order_of_arrival(order: list[int], given_touches: list[Touch]) -> None:
    arrived: tuple[Touch, ...] = ()
    for place in order:
        arrived = add_touch(arrived, given_touches[place], NOW_MS)
    assert arrived == united(tuple(given_touches))
