"""Cuts: the rule, ties, the direction of recency, and the dead band."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.insights.cuts import cut_values, held, turned
from streams.profiles.scores import score_f, score_r
from tests.support.clusters import panel_cuts
from tests.support.insights import DAY_MS, a_row, as_row

ORDERS = [1] * 46 + [2] * 20 + [3] * 10 + [4] * 8 + [6] * 6 + [9] * 5 + [20] * 5


def test_single_buyers_share_the_lowest_score_however_many_they_are() -> None:
    cuts = cut_values(ORDERS)
    assert cuts == (2, 2, 3, 6)
    scores = Counter(score_f(orders, cuts) for orders in ORDERS)
    assert scores[1] == 46
    assert set(scores) == {1, 3, 4, 5}


def test_a_hundred_different_values_are_cut_into_fifths() -> None:
    assert cut_values(range(100)) == (20, 40, 60, 80)


def test_nobody_reaches_a_cut_that_has_too_few_below_it() -> None:
    assert cut_values([7] * 90 + [3] * 10) == (8, 8, 8, 8)


@settings(deadline=None)
@given(st.lists(st.integers(-20, 20), min_size=1, max_size=60))
def test_a_cut_is_the_least_value_with_enough_below_it(values: list[int]) -> None:
    for k, cut in enumerate(cut_values(values), start=1):
        enough = [value for value in values if 5 * sum(other < value for other in values) >= k * len(values)]
        assert cut == min(enough, default=max(values) + 1)


def test_recency_is_ranked_by_the_last_order_and_published_as_ages() -> None:
    rows = [as_row(a_row(day, recency_ms=day * DAY_MS)) for day in range(100)]
    cuts = panel_cuts("cuts-x", 0, rows)
    assert [age // DAY_MS for age in cuts.recency_ms] == [19, 39, 59, 79]
    assert Counter(score_r(row.recency_ms, cuts.recency_ms) for row in rows) == dict.fromkeys(range(1, 6), 20)
    assert cuts.rows == 100


@settings(deadline=None)
@given(st.tuples(st.integers(), st.integers(), st.integers(), st.integers()))
def test_turning_twice_gives_back_what_was(cuts: tuple[int, int, int, int]) -> None:
    assert turned(turned(cuts)) == cuts


@pytest.mark.parametrize(("by", "stays"), [(2, True), (3, False), (-2, True), (-3, False)])
def test_a_cut_stays_while_its_rank_is_within_the_dead_band(by: int, stays: bool) -> None:  # noqa: FBT001 - a case
    panel = range(by, 100 + by)
    before = (20, 40, 60, 80)
    assert held(before, panel, 0.025) == (before if stays else cut_values(panel))


def test_one_cut_may_move_while_others_stay() -> None:
    panel = [*range(50), *range(60, 110)]
    assert held((20, 40, 60, 80), panel, 0.025) == (20, 40, 70, 90)


def test_without_a_dead_band_cuts_are_always_new() -> None:
    assert held((20, 40, 60, 80), range(1, 101), 0.0) == (21, 41, 61, 81)


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 30), min_size=4, max_size=4).map(sorted),
    st.lists(st.integers(0, 30), min_size=1, max_size=60),
    st.floats(0, 0.1),
)
def test_cuts_ascend_whatever_was_published(old: list[int], panel: list[int], band: float) -> None:
    one, two, three, four = old
    cuts = held((one, two, three, four), panel, band)
    assert list(cuts) == sorted(cuts)
