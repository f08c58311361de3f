"""Clocks of brokers."""

from __future__ import annotations

import pytest

from streams.doctor.clock import Skew, judge


@pytest.mark.parametrize(
    ("ahead_ms", "error_ms", "status"),
    [(0, 5, "ok"), (900, 5, "ok"), (1_100, 5, "fail"), (1_100, 200, "ok"), (-1_100, 5, "warn"), (-900, 5, "ok")],
)
def test_clocks_may_differ_by_the_margin_of_time_as_far_as_is_known(
    ahead_ms: float, error_ms: float, status: str
) -> None:
    assert judge(Skew(1, ahead_ms, error_ms)).status == status
