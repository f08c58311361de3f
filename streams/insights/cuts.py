"""Cuts of recency, frequency and monetary over the week's panel."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, TypeAlias

from streams.profiles.scores import CutsModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.insights.state import Row

Four: TypeAlias = tuple[int, int, int, int]


def cut_values(values: Sequence[int]) -> Four:
    """Return the cuts: cut k is the least value with a share strictly below it of at least k/5, k = 1..4.

    If no value has that many below it, the cut is one above the greatest, so that nobody of the panel reaches it.
    """
    ordered = sorted(values)
    total = len(ordered)
    found = []
    for k in range(1, 5):
        # values equal to the first one of the upper part may be in the lower part too
        at = -(-k * total // 5)
        value = ordered[min(at, total - 1)]
        if 5 * bisect_left(ordered, value) < k * total:
            value = next((later for later in ordered[at:] if later > value), ordered[-1] + 1)
        found.append(value)
    return found[0], found[1], found[2], found[3]


def held(published: Four, values: Sequence[int], dead_band: float) -> Four:
    """Return cuts of `values`, but keep a published cut whose rank among them is within `dead_band` (a share) of k/5.

    The rank of a cut is the share strictly below it. With a dead band of 0 no cut stays.
    """
    fresh = cut_values(values)
    if dead_band == 0:
        return fresh
    ordered = sorted(values)
    kept = [
        old if abs(bisect_left(ordered, old) / len(ordered) - k / 5) <= dead_band else new
        for k, (old, new) in enumerate(zip(published, fresh, strict=True), start=1)
    ]
    one, two, three, four = sorted(kept)
    return one, two, three, four


def turned(values: Four) -> Four:
    """Turn cuts of minus the age into ascending ages, and back."""
    one, two, three, four = values
    return -four, -three, -two, -one


def panel_cuts(
    version: str, time_ms: int, rows: Sequence[Row], published: CutsModel | None, dead_band: float
) -> CutsModel:
    """Return the cuts of a panel of at least one row; `held` keeps those close to the published ones."""
    later = [-row.recency_ms for row in rows]
    orders = [row.orders for row in rows]
    spend = [row.monetary_minor for row in rows]
    if published is None:
        recency, frequency, monetary = cut_values(later), cut_values(orders), cut_values(spend)
    else:
        recency = held(turned(published.recency_ms), later, dead_band)
        frequency = held(published.frequency, orders, dead_band)
        monetary = held(published.monetary_minor, spend, dead_band)
    return CutsModel(version, time_ms, turned(recency), frequency, monetary, len(rows))


def alike(one: CutsModel, other: CutsModel) -> bool:
    """Return whether both give every customer the same scores."""
    return (one.recency_ms, one.frequency, one.monetary_minor) == (
        other.recency_ms,
        other.frequency,
        other.monetary_minor,
    )
