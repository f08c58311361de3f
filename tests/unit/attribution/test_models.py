"""Models: how a value is divided over touches."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.attribution.models import apportion, split_last, split_linear
from tests.support.touches import a_touch


def test_the_linear_model_gives_odd_minor_units_to_the_earliest() -> None:
    assert split_linear(100, (a_touch(), a_touch(), a_touch())) == (34, 33, 33)


def test_the_last_model_gives_all_to_the_last_touch() -> None:
    assert split_last(100, (a_touch(), a_touch(), a_touch())) == (0, 0, 100)


def test_the_largest_remainder_gets_the_odd_unit() -> None:
    assert apportion(10, (1, 2, 4)) == (1, 3, 6)


@settings(deadline=None)
@given(st.integers(0, 10**12), st.lists(st.integers(1, 10**6), min_size=1, max_size=100))
def test_shares_sum_to_the_value_and_are_within_one_unit_of_exact(value_minor: int, weights: list[int]) -> None:
    amounts = apportion(value_minor, weights)
    assert sum(amounts) == value_minor
    for amount, weight in zip(amounts, weights, strict=True):
        assert abs(amount * sum(weights) - value_minor * weight) < sum(weights)
