"""Recency, frequency and monetary scores: pure functions of a value and the published cuts.

A score is 1 + the number of cuts that the value reaches. So equal values get equal scores, and cuts may be equal.
Recency ranks by the time of the last order, later is better. Its cuts are published as ascending ages, and an age
reaches a cut up to and including it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.settings import Cuts

CUTS_KIND = "cuts"
FIXED = "cuts-fixed"
"""Version of the cuts that the settings name."""


class CutsModel(msgspec.Struct, frozen=True, gc=False):
    """Body of a model of kind `cuts`: ages in ms, orders, minor units; four ascending values each."""

    version: str
    time_ms: int
    recency_ms: tuple[int, int, int, int]
    frequency: tuple[int, int, int, int]
    monetary_minor: tuple[int, int, int, int]
    rows: int


def fixed_cuts(cuts: Cuts, time_ms: int) -> CutsModel:
    """Return the cuts that the settings name, as a model."""
    return CutsModel(FIXED, time_ms, cuts.recency_ms, cuts.frequency, cuts.monetary_minor, 0)


def score_r(age_ms: int, cuts: Sequence[int]) -> int:
    """Score the age of the last order, 1..5; an order dated after the customer's clock has age 0."""
    return 5 - bisect_left(cuts, max(age_ms, 0))


def score_f(orders: int, cuts: Sequence[int]) -> int:
    """Score the number of orders in the window, 1..5."""
    return 1 + bisect_right(cuts, orders)


def score_m(monetary_minor: int, cuts: Sequence[int]) -> int:
    """Score the sum of the orders less refunds, 1..5."""
    return 1 + bisect_right(cuts, monetary_minor)


def next_crossing_ms(last_order_ms: int, now_ms: int, cuts: Sequence[int]) -> int | None:
    """Return the first instant strictly after `now_ms` at which time alone lowers the recency score.

    An age equal to a cut still reaches it, so that instant is one ms later. None: all cuts are passed.
    """
    index = bisect_left(cuts, max(now_ms - last_order_ms, 0))
    return last_order_ms + cuts[index] + 1 if index < len(cuts) else None
