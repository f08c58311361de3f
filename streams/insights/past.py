"""Hours and days of an import: outside the limit for corrections, and no news for what watches the shop.

A window that is closed, or that is before the first one, is written at once, and again with each part of an import that
changes it. The windows before the shop's own first hour are of imports alone. They stay, so that a second import adds
to them, at about 300 bytes an hour: ten years are 26 MB. A window of the shop's own that is too old to be corrected is
forgotten, so what an import has of it is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from schemas.units import HOUR_MS
from streams.insights.anomalies import WARMUP_HOURS, WATCHED, warmed
from streams.insights.days import day_start_ms
from streams.insights.detector import Detector
from streams.insights.effects import TOO_OLD
from streams.insights.history import HISTORY
from streams.insights.kpis import COUNTED, OF_IMPORTS
from streams.insights.state import LOADED, Loaded, Window, day_key, detector_key, hour_key
from streams.insights.windows import WindowKey, add_window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo

    from schemas.insights import Count
    from streams.insights.effects import InsightEffects
    from streams.insights.history import History
    from streams.insights.state import Clock, Partition

OVER: Final = "imports"
"""The fact that an import is over."""
_GAP_HOURS: Final = 24
"""A detector learns from an import that ends so close to the hours that it has seen."""


def add_past(state: Partition, clock: Clock, counts: Iterable[Count], zone: ZoneInfo, effects: InsightEffects) -> None:
    """Add hourly counts of an import to their hours and days; call it before the import changes the shop's history."""
    live_ms = _live_ms(state, clock)
    by_day: dict[int, dict[str, int]] = {}
    for hour_ms, added in sorted(_by_hour(counts).items()):
        if _is_forgotten(state, hour_key(hour_ms), live_ms, hour_ms, clock.hour_kept_ms):
            effects.left_out[TOO_OLD] += len(added)
            continue
        is_open = clock.hour_ms is not None and hour_ms >= clock.hour_ms
        more = {**added, **_marked(added)} if is_open else added
        add_window(state, WindowKey("hour", hour_ms), more, effects, late=not is_open)
        day = by_day.setdefault(day_start_ms(hour_ms, zone), {})
        for key, value in added.items():
            day[key] = day.get(key, 0) + value
    live_day_ms = live_ms and day_start_ms(live_ms, zone)
    for day_ms, added in by_day.items():
        if _is_forgotten(state, day_key(day_ms), live_day_ms, day_ms, clock.day_kept_ms):
            effects.left_out[TOO_OLD] += len(added)
            continue
        is_open = clock.day_ms is not None and day_ms >= clock.day_ms
        add_window(state, WindowKey("day", day_ms), added, effects, late=not is_open)


def warm_up(state: Partition, clock: Clock, zone: ZoneInfo) -> None:
    """Let detectors that have not seen enough hours learn from the windows before them; it raises nothing."""
    for kpi in WATCHED:
        held: Detector | None = state.get(detector_key(kpi))
        detector = held or Detector()
        first_ms = detector.warmup[0][0] if detector.warmup else clock.hour_ms
        if detector.season is not None or first_ms is None:
            continue
        before = _hours_before(state, kpi, first_ms, WARMUP_HOURS - len(detector.warmup))
        if before:
            hours = (*before, *detector.warmup)
            detector = warmed(hours, zone) if len(hours) >= WARMUP_HOURS else replace(detector, warmup=hours)
            state.put(detector_key(kpi), detector, 0)


def _hours_before(state: Partition, kpi: str, first_ms: int, count: int) -> tuple[tuple[int, float], ...]:
    """Return so many hours with their values; none if there are not as many, or a gap is before `first_ms`."""
    found: list[tuple[int, float]] = []
    empty = 0
    for hour_ms in range(first_ms - count * HOUR_MS, first_ms, HOUR_MS):
        window: Window | None = state.get(hour_key(hour_ms))
        empty = 0 if window is not None else empty + 1
        found.append((hour_ms, float(window.counts.get(f"{kpi}|", 0)) if window is not None else 0.0))
    history: History | None = state.get(HISTORY)
    is_known = history is not None and history.first_ms <= first_ms - count * HOUR_MS
    return tuple(found) if is_known and empty < _GAP_HOURS else ()


def _live_ms(state: Partition, clock: Clock) -> int:
    """Return the hour in which the prefix began to run; 0: its partitions have not spoken of time yet.

    That is not where its history begins: one event with a wrong time would make years of an import seem forgotten.
    """
    past: Loaded = state.get(LOADED) or Loaded()
    spoken_ms = min([each for each in clock.spoken_ms if each is not None], default=0)
    if not past.live_ms:
        past = Loaded(spoken_ms - spoken_ms % HOUR_MS)
        state.put(LOADED, past, 0)
    return past.live_ms


def _is_forgotten(state: Partition, key: bytes, live_ms: int, start_ms: int, kept_ms: int) -> bool:
    return 0 < live_ms <= start_ms < kept_ms and state.get(key) is None


def _marked(added: Mapping[str, int]) -> dict[str, int]:
    """Return the counts that detectors take off again: of an hour that is not over they see what came in by itself."""
    return {f"{OF_IMPORTS}{kpi}|": added[f"{kpi}|"] for kpi in WATCHED if f"{kpi}|" in added}


def _by_hour(counts: Iterable[Count]) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    for count in counts:
        if count.hour_ms and count.name in COUNTED:
            key = f"{count.name}|{count.by}"
            hour = found.setdefault(count.hour_ms, {})
            hour[key] = hour.get(key, 0) + count.value
    return found
