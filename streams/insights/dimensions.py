"""Values of dimensions: so many are kept apart, the others are added up under one name.

Values come from outside, so a window could hold any number of them. Kept are those with the least hashes of all that
were ever added. Who is among them was so from its first fact on. So their sums are exact, and neither they nor what is
added up as `other` depend on the order of facts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from xxhash import xxh3_64_intdigest

from schemas.limits import CURRENCIES_MAX, DIMENSION_BYTES_MAX, FLOWS_MAX
from schemas.limits_of_quality import SERIES_MAX
from streams.insights.kpis import COUNTED, OTHER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FEW = 100
"""More than there are segments, outcomes, types of touchpoints."""

WINDOW_VALUES_MAX: Mapping[str, int] = {
    "orders|currency": CURRENCIES_MAX,
    "revenue_minor|currency": CURRENCIES_MAX,
    "refunds_minor|currency": CURRENCIES_MAX,
    "messages|flow": FLOWS_MAX,
    "flow_inputs|type": _FEW,
}
"""Dimensions of hours and days by `name|dimension`, and how many values are kept apart."""
STOCK_VALUES_MAX: Mapping[str, int] = {
    "customers|segment": _FEW,
    "customers|cluster": FLOWS_MAX,
    "decisions|outcome": _FEW,
    "source_duplicates|source": SERIES_MAX,
}
"""The same of facts without an hour."""
STOCKS = frozenset(
    {
        "candidates_unaccounted",
        "customers_known",
        "customers_ordered",
        "decisions_open",
        "duplicates",
        "erasure_requests",
        "fold_dead_letters",
        "folded",
        "forwards_received",
        "forwards_sent",
        "imports",
        "links_waiting",
        "orders_repeated",
        "segment_changes",
        "triggers",
    }
)
"""Facts without an hour and without a dimension."""


class Added(NamedTuple):
    """Sums by `name|by` after an addition."""

    counts: dict[str, int]
    moved: set[str]
    """Keys whose sums are in `other` from now on."""
    refused: int
    """How many facts have a name or dimension that nothing counts."""


def added_to_window(counts: Mapping[str, int], more: Mapping[str, int]) -> Added:
    """Add facts of one hour or day."""
    return _added(counts, more, COUNTED, WINDOW_VALUES_MAX)


def added_to_stocks(counts: Mapping[str, int], more: Mapping[str, int]) -> Added:
    """Add facts without an hour."""
    return _added(counts, more, STOCKS, STOCK_VALUES_MAX)


def _added(
    before: Mapping[str, int], more: Mapping[str, int], plain: Iterable[str], values_max: Mapping[str, int]
) -> Added:
    counts, grown, refused = dict(before), set[str](), 0
    for key, value in more.items():
        name, _, by = key.partition("|")
        dimension = f"{name}|{by.partition('=')[0]}"
        if (by and dimension not in values_max) or (not by and name not in plain):
            refused += 1
            continue
        if by and len(by.encode()) > DIMENSION_BYTES_MAX:
            key = f"{dimension}={OTHER}"  # noqa: PLW2901 - it is counted under another name
        if key not in counts:
            grown.add(dimension)
        counts[key] = counts.get(key, 0) + value
    moved = {key for dimension in grown & values_max.keys() for key in _beyond(counts, dimension, values_max)}
    for key in moved:
        other = f"{key.partition('=')[0]}={OTHER}"
        counts[other] = counts.get(other, 0) + counts.pop(key)
    return Added(counts, moved, refused)


def _beyond(counts: Mapping[str, int], dimension: str, values_max: Mapping[str, int]) -> list[str]:
    prefix = f"{dimension}="
    other = prefix + OTHER
    keys = [key for key in counts if key.startswith(prefix) and key != other]
    if len(keys) <= values_max[dimension]:
        return []
    return sorted(keys, key=lambda key: (xxh3_64_intdigest(key.encode()), key))[values_max[dimension] :]
