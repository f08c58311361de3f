"""What of a record of facts can be added up: its producer is ours, or someone with the right to write to the topic."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from schemas.limits import (
    COUNTS_TAKEN_MAX,
    ENGAGEMENT_MAX,
    LATE_MS_MAX,
    ROWS_TAKEN_MAX,
    TIME_AHEAD_MS_MAX,
    TIME_MS_MAX,
    TIME_MS_MIN,
)
from schemas.units import HOUR_MS

if TYPE_CHECKING:
    from schemas.insights import Count, Facts, PanelRow


class Usable(NamedTuple):
    """The usable part of a record, and how many items were left out of it."""

    counts: tuple[Count, ...]
    panel: tuple[PanelRow, ...]
    complete_to_ms: int | None
    bad_hours: int
    bad_rows: int
    bad_times: int


def usable(facts: Facts, appended_ms: int) -> Usable:
    """Leave out what no release of ours writes: one bad item does not cost the others of its record.

    `appended_ms` is when a broker appended the record, 0: no broker said so, as in the prefix of a replay. Nothing may
    be later than that, but for some patience.
    """
    latest_ms = min(appended_ms + LATE_MS_MAX, TIME_MS_MAX) if appended_ms else TIME_MS_MAX
    counts = tuple([count for count in facts.counts if not count.hour_ms or _is_hour(count.hour_ms, latest_ms)])
    panel = tuple([row for row in facts.panel if _is_row(row, latest_ms)])
    complete_to_ms = facts.complete_to_ms
    if complete_to_ms is not None and not TIME_MS_MIN <= complete_to_ms <= _reached_max_ms(appended_ms):
        complete_to_ms = None
    return Usable(
        counts,
        panel,
        complete_to_ms,
        len(facts.counts) - len(counts),
        len(facts.panel) - len(panel),
        int(complete_to_ms != facts.complete_to_ms),
    )


def too_many(facts: Facts) -> str | None:
    """Return what a record has too much of; None: it may be added up."""
    for name, items, most in (("counts", facts.counts, COUNTS_TAKEN_MAX), ("panel rows", facts.panel, ROWS_TAKEN_MAX)):
        if len(items) > most:
            return f"the record has {len(items)} {name}; at most {most} are allowed"
    return None


def _reached_max_ms(appended_ms: int) -> int:
    return appended_ms + TIME_AHEAD_MS_MAX if appended_ms else TIME_MS_MAX


def _is_hour(hour_ms: int, latest_ms: int) -> bool:
    return TIME_MS_MIN <= hour_ms <= latest_ms and hour_ms % HOUR_MS == 0


def _is_row(row: PanelRow, latest_ms: int) -> bool:
    """Return whether features can be taken of it; what is beyond would make distances infinite."""
    return (
        TIME_MS_MIN <= row.slot_ms <= latest_ms
        and abs(row.recency_ms) <= TIME_MS_MAX
        and row.orders >= 0
        and 0 <= row.gap_ms <= TIME_MS_MAX
        and isfinite(row.engagement)
        and 0 <= row.engagement <= ENGAGEMENT_MAX
    )
