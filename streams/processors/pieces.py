"""The facts of one commit as records that their topic takes, whatever was counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.insights import Count, Facts
from schemas.limits import (
    CHARACTER_BYTES_MAX,
    COUNT_BYTES_MIN,
    COUNTS_BYTES_MAX,
    FACTS_COUNTS_MAX,
    FACTS_ROWS_MAX,
    LONG_MAX,
    LONG_MIN,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from schemas.insights import PanelRow
    from streams.profiles.effects import CountKey


def pieces(
    partition: int, complete_to_ms: int | None, sums: Mapping[CountKey, int], panel: Sequence[PanelRow]
) -> list[Facts]:
    """Return at least one record, in the order in which their items were counted.

    Only the last record says how far the partition is complete. So insights, which add them up one by one, never close
    a window before all its facts have come. The others say None, which changes nothing that is known.
    """
    counts = list(_divided(_counts(sums)))
    rows = [panel[start : start + FACTS_ROWS_MAX] for start in range(0, len(panel), FACTS_ROWS_MAX)]
    first = [Facts(partition, None, tuple(part)) for part in counts[:-1]]
    first += [Facts(partition, None, (), tuple(part)) for part in rows[:-1]]
    last_counts, last_rows = tuple(counts[-1]), tuple(rows[-1]) if rows else ()
    return [*first, Facts(partition, complete_to_ms, last_counts, last_rows)]


def _counts(sums: Mapping[CountKey, int]) -> Iterator[Count]:
    """Yield the sums that are not 0; one that does not fit a long is divided, as counts of one key are added up."""
    for (name, hour_ms, by), value in sums.items():
        left = value
        while not LONG_MIN <= left <= LONG_MAX:
            part = LONG_MAX if left > 0 else LONG_MIN
            yield Count(name, hour_ms, by, part)
            left -= part
        if left:
            yield Count(name, hour_ms, by, left)


def _divided(counts: Iterator[Count]) -> Iterator[list[Count]]:
    """Yield at least one list, each within the limits."""
    part: list[Count] = []
    size = 0
    for count in counts:
        count_bytes = COUNT_BYTES_MIN + CHARACTER_BYTES_MAX * (len(count.name) + len(count.by))
        if part and (size + count_bytes > COUNTS_BYTES_MAX or len(part) == FACTS_COUNTS_MAX):
            yield part
            part, size = [], 0
        part.append(count)
        size += count_bytes
    yield part
