"""A rate fills again with time, and one second's worth may come at once."""

from __future__ import annotations

import pytest

from streams.serve.rates import Bucket


def test_one_seconds_worth_comes_at_once_and_then_as_time_goes() -> None:
    bucket = Bucket(10, 0.0)
    assert [bucket.wait_s(1, 0.0) for _ in range(10)] == [0.0] * 10
    assert bucket.wait_s(1, 0.0) == pytest.approx(0.1)
    assert bucket.wait_s(1, 0.05) == pytest.approx(0.05)
    assert bucket.wait_s(1, 0.1) == 0
    assert bucket.wait_s(5, 100.0) == 0
    assert bucket.wait_s(6, 100.0) == pytest.approx(0.1)


def test_what_is_more_than_ever_fits_goes_from_a_full_bucket_and_is_paid_for_later() -> None:
    bucket = Bucket(10, 0.0)
    assert bucket.wait_s(35, 0.0) == 0
    assert bucket.wait_s(1, 0.0) == pytest.approx(2.6)
    assert bucket.wait_s(1, 2.6) == pytest.approx(0, abs=1e-9)


def test_less_than_one_a_second_lets_one_through() -> None:
    bucket = Bucket(0.1, 0.0)
    assert bucket.wait_s(1, 0.0) == 0
    assert bucket.wait_s(1, 0.0) == pytest.approx(10)


def test_what_came_in_already_counts_too() -> None:
    bucket = Bucket(10, 0.0)
    bucket.take(12)
    assert bucket.wait_s(1, 0.0) == pytest.approx(0.3)
