"""Hours and days: counts are added in any order, windows close once, later counts correct them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from schemas.units import HOUR_MS
from streams.insights.days import day_start_ms, next_day_ms
from streams.insights.dimensions import added_to_window
from streams.insights.effects import TOO_OLD, UNKNOWN
from streams.insights.kpis import COUNTED, NOTHING, Fraction, kpi_record, measured
from streams.insights.state import LOADED, STEPPED, Window, day_key, hour_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from zoneinfo import ZoneInfo

    from schemas.insights import Count, Kpi
    from streams.insights.dimensions import Added
    from streams.insights.effects import InsightEffects
    from streams.insights.state import Clock, Loaded, Partition, Stepped
    from streams.settings import DomainSettings

# how long a closed window can be corrected, and how long a shop without facts gets empty windows
KEPT_MS = 35 * 24 * HOUR_MS


class WindowKey(NamedTuple):
    """A window by its grain (hour or day) and start."""

    grain: str
    start_ms: int

    @property
    def stored(self) -> bytes:
        """Return the key of its counts in the state."""
        return hour_key(self.start_ms) if self.grain == "hour" else day_key(self.start_ms)


class ClosedHour(NamedTuple):
    """An hour at its closing."""

    start_ms: int
    kpis: dict[str, Fraction]
    counts: Mapping[str, int]


def add_counts(
    state: Partition, clock: Clock, counts: Iterable[Count], zone: ZoneInfo, effects: InsightEffects
) -> Clock:
    """Add hourly counts to their hour and day; correct closed ones.

    A day consists of whole hours by their start, so in a time zone with half an hour its border is off by that.
    """
    by_hour: dict[int, dict[str, int]] = {}
    for count in counts:
        if count.hour_ms and count.name in COUNTED:
            key = f"{count.name}|{count.by}"
            hour = by_hour.setdefault(count.hour_ms, {})
            hour[key] = hour.get(key, 0) + count.value
    for hour_ms, added in sorted(by_hour.items()):
        is_past = clock.hour_ms is not None and hour_ms < clock.hour_kept_ms and _is_of_imports(state, hour_ms)
        if not is_past:
            clock = _started(clock, hour_ms, zone)
        if clock.closing and hour_ms < _oldest_ms(clock) and not is_past:
            effects.left_out[TOO_OLD] += len(added)
            continue
        day_ms = day_start_ms(hour_ms, zone)
        is_late = is_past or _is_late(clock.closing, hour_ms, clock.hour_ms)
        add_window(state, WindowKey("hour", hour_ms), added, effects, late=is_late)
        is_late = is_past or _is_late(clock.closing, day_ms, clock.day_ms)
        add_window(state, WindowKey("day", day_ms), added, effects, late=is_late)
        if is_past:
            continue  # what an import brought stays
        clock = replace(
            clock, hour_kept_ms=min(clock.hour_kept_ms, hour_ms), day_kept_ms=min(clock.day_kept_ms, day_ms)
        )
    return clock


def close_windows(
    state: Partition, clock: Clock, complete_to_ms: int, settings: DomainSettings, effects: InsightEffects
) -> tuple[Clock, list[ClosedHour]]:
    """Close, in order, windows that end early enough before `complete_to_ms`, and forget those too old to correct."""
    closed: list[ClosedHour] = []
    if clock.hour_ms is None or clock.day_ms is None:
        return clock, closed
    grace_ms, zone = settings.grace_ms, settings.zone
    hour_ms, busy_ms = clock.hour_ms, clock.busy_ms
    while hour_ms + HOUR_MS - 1 + grace_ms <= complete_to_ms:
        window: Window | None = state.get(hour_key(hour_ms))
        if window is not None:
            busy_ms = hour_ms
        if window is not None or _is_expected(hour_ms, busy_ms):
            counts = {} if window is None else window.counts
            closed.append(ClosedHour(hour_ms, _close(state, WindowKey("hour", hour_ms), window, effects), counts))
        hour_ms += HOUR_MS
    day_ms, end_ms = clock.day_ms, next_day_ms(clock.day_ms, zone)
    while end_ms - 1 + grace_ms <= complete_to_ms:
        day: Window | None = state.get(day_key(day_ms))
        if day is not None or _is_expected(day_ms, busy_ms):
            _close(state, WindowKey("day", day_ms), day, effects)
        day_ms, end_ms = end_ms, next_day_ms(end_ms, zone)
    if (hour_ms, day_ms) == (clock.hour_ms, clock.day_ms):
        return clock, closed
    clock = replace(clock, hour_ms=hour_ms, day_ms=day_ms, busy_ms=busy_ms, closing=True)
    return _forget(state, clock, zone), closed


def last_closed(state: Partition, clock: Clock, zone: ZoneInfo) -> Iterator[Kpi]:
    """Yield the KPIs of the last closed hour and of the last closed day, as they were published last."""
    starts_ms = (_closed_hours(clock), _closed_days(clock, zone))
    for grain, newest_first in zip(("hour", "day"), starts_ms, strict=True):
        for key in (WindowKey(grain, start_ms) for start_ms in newest_first):
            window: Window | None = state.get(key.stored)
            if window is not None and window.closed:
                for name, fraction in measured(window.counts).items():
                    yield kpi_record(name, fraction, *key, window.revisions.get(name, 0))
                break


def _closed_hours(clock: Clock) -> Iterator[int]:
    hour_ms = clock.hour_ms or 0
    while hour_ms > clock.hour_kept_ms:
        hour_ms -= HOUR_MS
        yield hour_ms


def _closed_days(clock: Clock, zone: ZoneInfo) -> Iterator[int]:
    day_ms = clock.day_ms or 0
    while day_ms > clock.day_kept_ms:
        day_ms = day_start_ms(day_ms - 1, zone)
        yield day_ms


def _started(clock: Clock, hour_ms: int, zone: ZoneInfo) -> Clock:
    """Make the first window with facts the first to close, whatever the order of facts."""
    if clock.closing or (clock.hour_ms is not None and clock.hour_ms <= hour_ms):
        return clock
    day_ms = day_start_ms(hour_ms, zone)
    return replace(clock, hour_ms=hour_ms, hour_kept_ms=hour_ms, day_ms=day_ms, day_kept_ms=day_ms)


def _is_of_imports(state: Partition, hour_ms: int) -> bool:
    """Return whether an hour is before the shop's own first one, and an import has brought something of it."""
    past: Loaded | None = state.get(LOADED)
    is_before = past is not None and (not past.live_ms or hour_ms < past.live_ms)
    return is_before and state.get(hour_key(hour_ms)) is not None


def _is_late(closing: bool, start_ms: int, next_ms: int | None) -> bool:  # noqa: FBT001 - a field of the clock
    return closing and next_ms is not None and start_ms < next_ms


def _is_expected(start_ms: int, busy_ms: int | None) -> bool:
    return busy_ms is not None and start_ms - busy_ms <= KEPT_MS


def _oldest_ms(clock: Clock) -> int:
    return (clock.hour_ms or 0) - KEPT_MS


def add_window(
    state: Partition, key: WindowKey, more: Mapping[str, int], effects: InsightEffects, *, late: bool
) -> None:
    """Add counts to a window; `late`: it is closed, so its KPIs are corrected."""
    window: Window | None = state.get(key.stored)
    added = added_to_window(window.counts if window else {}, more)
    if key.grain == "hour":
        effects.left_out[UNKNOWN] += added.refused
    # only a window that was published ahead of time has revisions before it is late
    revisions = _correct(key, window, added, effects) if late else dict(window.revisions) if window else {}
    was_closed = window is not None and window.closed
    state.put(key.stored, Window(added.counts, late or was_closed, revisions), 0)


def _correct(window_key: WindowKey, window: Window | None, added: Added, effects: InsightEffects) -> dict[str, int]:
    # a window without facts, or before the first one, was never published
    before = measured(window.counts) if window else {}
    after = measured(added.counts)
    revisions = {key: number for key, number in window.revisions.items() if key in after} if window else {}
    for key in sorted(before.keys() - after.keys()):
        revision = window.revisions.get(key, 0) + 1 if window else 1
        effects.corrections += 1
        _publish(key, NOTHING, window_key, revision, effects)
    for key, fraction in after.items():
        if before.get(key) == fraction:
            continue
        revision = revisions.get(key, 0) + 1 if key in before else 0
        if revision:
            revisions[key] = revision
            effects.corrections += 1
        _publish(key, fraction, window_key, revision, effects)
    return revisions


def _close(state: Partition, key: WindowKey, window: Window | None, effects: InsightEffects) -> dict[str, Fraction]:
    window = Window({}) if window is None else window
    kpis = measured(window.counts)
    revisions = {}
    # an import writes the first hour of a prefix at once
    if window.closed or _was_published(state, key):
        revisions = {name: window.revisions.get(name, 0) + 1 for name in kpis}
    for name, fraction in kpis.items():
        _publish(name, fraction, key, revisions.get(name, 0), effects)
    state.put(key.stored, replace(window, closed=True, revisions=revisions), 0)
    return kpis


def _was_published(state: Partition, key: WindowKey) -> bool:
    """Return whether the window was perhaps published when time was ahead."""
    stepped: Stepped | None = state.get(STEPPED)
    return stepped is not None and key.start_ms < (stepped.hour_ms if key.grain == "hour" else stepped.day_ms)


def _publish(key: str, fraction: Fraction, window: WindowKey, revision: int, effects: InsightEffects) -> None:
    effects.beyond_long += not fraction.fits
    effects.kpis.append(kpi_record(key, fraction, *window, revision))


def _forget(state: Partition, clock: Clock, zone: ZoneInfo) -> Clock:
    oldest_ms = _oldest_ms(clock)
    hour_ms = clock.hour_kept_ms
    while hour_ms < oldest_ms:
        if state.get(hour_key(hour_ms)) is not None:
            state.delete(hour_key(hour_ms))
        hour_ms += HOUR_MS
    day_ms = clock.day_kept_ms
    while (end_ms := next_day_ms(day_ms, zone)) <= oldest_ms:
        if state.get(day_key(day_ms)) is not None:
            state.delete(day_key(day_ms))
        day_ms = end_ms
    return replace(clock, hour_kept_ms=hour_ms, day_kept_ms=day_ms)
