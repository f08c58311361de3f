"""Marks of a replay: each full hour of UTC, and each week's Monday 00:00 of the reporting zone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.units import HOUR_MS
from streams.insights.days import next_monday_ms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class MarkDue:
    """A mark to write; at a tick the replay waits until the week's models are published."""

    time_ms: int
    is_tick: bool


class Calendar:
    """A source of all marks, each once; the first is the full hour at or before the replay's first event."""

    def __init__(self, first_ms: int, zone: ZoneInfo) -> None:
        self._zone = zone
        self._hour_ms = first_ms // HOUR_MS * HOUR_MS
        self._tick_ms = next_monday_ms(first_ms, zone)
        self.last_ms = self._hour_ms - 1

    def until(self, time_ms: int) -> Iterator[MarkDue]:
        """Yield marks not yet given, up to and including `time_ms`."""
        while (due_ms := min(self._hour_ms, self._tick_ms)) <= time_ms:
            is_tick = due_ms == self._tick_ms
            if due_ms == self._hour_ms:
                self._hour_ms += HOUR_MS
            if is_tick:
                self._tick_ms = next_monday_ms(due_ms, self._zone)
            self.last_ms = due_ms
            yield MarkDue(due_ms, is_tick)
