"""Cuts of recency, frequency and monetary over the week's panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from streams.profiles.scores import CutsModel

if TYPE_CHECKING:
    from collections.abc import Sequence


Whole: TypeAlias = NDArray[np.int64]
Four: TypeAlias = tuple[int, int, int, int]


def cut_values(values: Sequence[int] | Whole) -> Four:
    """Return the cuts: cut k is the least value with a share strictly below it of at least k/5, k = 1..4.

    If no value has that many below it, the cut is one above the greatest, so that nobody of the panel reaches it.
    """
    return _cuts_of(_ordered(values))


def _ordered(values: Sequence[int] | Whole) -> Whole:
    return np.sort(np.asarray(values, np.int64))


def _below(ordered: Whole, value: int) -> int:
    return int(np.searchsorted(ordered, value, side="left"))


def _cuts_of(ordered: Whole) -> Four:
    total = len(ordered)
    found = []
    for k in range(1, 5):
        # values equal to the first one of the upper part may be in the lower part too
        at = -(-k * total // 5)
        value = int(ordered[min(at, total - 1)])
        if 5 * _below(ordered, value) < k * total:
            later = int(np.searchsorted(ordered, value, side="right"))
            value = int(ordered[later]) if later < total else int(ordered[-1]) + 1
        found.append(value)
    return found[0], found[1], found[2], found[3]


def held(published: Four, values: Sequence[int] | Whole, dead_band: float) -> Four:
    """Return cuts of `values`, but keep a published cut whose rank among them is within `dead_band` (a share) of k/5.

    The rank of a cut is the share strictly below it. With a dead band of 0 no cut stays.
    """
    ordered = _ordered(values)
    fresh = _cuts_of(ordered)
    if dead_band == 0:
        return fresh
    kept = [
        old if abs(_below(ordered, old) / len(ordered) - k / 5) <= dead_band else new
        for k, (old, new) in enumerate(zip(published, fresh, strict=True), start=1)
    ]
    one, two, three, four = sorted(kept)
    return one, two, three, four


def turned(values: Four) -> Four:
    """Turn cuts of minus the age into ascending ages, and back."""
    one, two, three, four = values
    return -four, -three, -two, -one


def cuts_of(version: str, time_ms: int, columns: Whole, published: CutsModel | None, dead_band: float) -> CutsModel:
    """Return the cuts of a panel of at least one row; `held` keeps those close to the published ones.

    `columns` have the shape (3, rows): recency in ms, orders, spend in minor units.
    """
    later, orders, spend = -columns[0], columns[1], columns[2]
    if published is None:
        recency, frequency, monetary = cut_values(later), cut_values(orders), cut_values(spend)
    else:
        recency = held(turned(published.recency_ms), later, dead_band)
        frequency = held(published.frequency, orders, dead_band)
        monetary = held(published.monetary_minor, spend, dead_band)
    return CutsModel(version, time_ms, turned(recency), frequency, monetary, columns.shape[1])


def alike(one: CutsModel, other: CutsModel) -> bool:
    """Return whether both give every customer the same scores."""
    return (one.recency_ms, one.frequency, one.monetary_minor) == (
        other.recency_ms,
        other.frequency,
        other.monetary_minor,
    )
