"""Marks of a replay: each full hour of UTC, and each week's Monday 00:00 of the reporting zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from schemas.units import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

_DAYS = 7


@dataclass(frozen=True, slots=True)
class MarkDue:
    """A mark to write; at a tick the replay waits until the week's models are out."""

    time_ms: int
    is_tick: bool


def next_tick_ms(after_ms: int, zone: ZoneInfo) -> int:
    """The first Monday 00:00 in `zone` that is later than `after_ms`."""
    local = datetime.fromtimestamp(after_ms / 1000, zone)
    monday = (local - timedelta(days=local.weekday())).date()
    while True:
        midnight = datetime(monday.year, monday.month, monday.day, tzinfo=zone)
        tick_ms = int(midnight.timestamp()) * 1000
        if tick_ms > after_ms:
            return tick_ms
        monday += timedelta(days=_DAYS)


def shown(time_ms: int) -> str:
    """ISO 8601 in UTC, for people."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds")


class Calendar:
    """Gives every mark once; the first is the full hour at or before the replay's first event."""

    def __init__(self, first_ms: int, zone: ZoneInfo) -> None:
        self._zone = zone
        self._hour_ms = first_ms // HOUR_MS * HOUR_MS
        self._tick_ms = next_tick_ms(first_ms, zone)
        self.last_ms = self._hour_ms - 1

    def until(self, time_ms: int) -> Iterator[MarkDue]:
        """Marks not yet given, up to and including `time_ms`; each counts as given when it is taken."""
        while (due_ms := min(self._hour_ms, self._tick_ms)) <= time_ms:
            is_tick = due_ms == self._tick_ms
            if due_ms == self._hour_ms:
                self._hour_ms += HOUR_MS
            if is_tick:
                self._tick_ms = next_tick_ms(due_ms, self._zone)
            self.last_ms = due_ms
            yield MarkDue(due_ms, is_tick)
