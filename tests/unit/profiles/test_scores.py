"""Scores of a value under given cuts, and the instants at which time alone changes one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.profiles.scores import next_crossing_ms, score_f, score_m, score_r

DAY_MS = 86_400_000
AGES = (7 * DAY_MS, 30 * DAY_MS, 90 * DAY_MS, 180 * DAY_MS)
ages = st.lists(st.integers(-1, 100), min_size=4, max_size=4).map(sorted)


def test_an_age_up_to_a_cut_reaches_it() -> None:
    assert [score_r(age, AGES) for age in (0, AGES[0], AGES[0] + 1, AGES[1], AGES[3], AGES[3] + 1)] == [
        5,
        5,
        4,
        4,
        2,
        1,
    ]


def test_a_value_equal_to_a_cut_reaches_it() -> None:
    assert [score_f(orders, (2, 2, 4, 9)) for orders in (1, 2, 3, 4, 8, 9)] == [1, 3, 3, 4, 4, 5]
    assert score_m(999, (1_000, 2_000, 3_000, 4_000)) == 1
    assert score_m(-5, (0, 1, 2, 3)) == 1


def test_an_order_dated_after_the_customers_clock_is_fresh() -> None:
    assert score_r(-DAY_MS, AGES) == 5
    assert next_crossing_ms(DAY_MS, 0, AGES) == DAY_MS + AGES[0] + 1


def test_a_customer_who_does_nothing_crosses_each_cut_once() -> None:
    now_ms: int | None = 1_000
    scores = []
    while now_ms is not None:
        scores.append(score_r(now_ms - 1_000, AGES))
        now_ms = next_crossing_ms(1_000, now_ms, AGES)
    assert scores == [5, 4, 3, 2, 1]


@settings(deadline=None)
@given(ages, st.integers(-50, 50), st.integers(0, 150))
def test_the_crossing_is_the_first_instant_with_another_score(cuts: list[int], last_ms: int, later_ms: int) -> None:
    now_ms = last_ms + later_ms
    score = score_r(now_ms - last_ms, cuts)
    changes = [at for at in range(now_ms + 1, last_ms + 300) if score_r(at - last_ms, cuts) != score]
    assert next_crossing_ms(last_ms, now_ms, cuts) == (changes[0] if changes else None)


@settings(deadline=None)
@given(ages, st.integers(0, 150))
def test_a_score_is_one_and_the_number_of_cuts_reached(cuts: list[int], value: int) -> None:
    assert score_r(value, cuts) == 1 + sum(value <= cut for cut in cuts)
    assert score_f(value, cuts) == score_m(value, cuts) == 1 + sum(cut <= value for cut in cuts)
