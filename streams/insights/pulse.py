"""When touchpoints of each source and type came in: the state behind silence, hour by hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from schemas.limits_of_quality import DAYS_KEPT, HOURS_KEPT, SERIES_MAX
from schemas.units import HOUR_MS
from streams.insights.arrived import SOURCES, Past, Pulse, Sources
from streams.insights.kpis import OTHER

if TYPE_CHECKING:
    from schemas.insights import SourceCount
    from streams.insights.state import Partition

BINS: Final = 12
"""Parts of an hour in each of which something came in or not: it says whether a source sends in batches."""


def pulse_key(series: tuple[str, str]) -> bytes:
    return b"pulse/" + "|".join(series).encode()


def past_key(series: tuple[str, str]) -> bytes:
    return b"past/" + "|".join(series).encode()


def series_of(state: Partition, source: str, kind: str) -> tuple[str, str]:
    """Return under which name a series is kept: its own, or that of all others once there are SERIES_MAX."""
    held: Sources = state.get(SOURCES) or Sources()
    series = (source, kind)
    if series in held.series:
        return series
    if len(held.series) >= SERIES_MAX:
        return (OTHER, OTHER)
    state.put(SOURCES, replace(held, series=(*held.series, series)), 0)
    return series


def beat(state: Partition, series: tuple[str, str], counted: SourceCount) -> None:
    """Add what came in of a series in one hour."""
    pulse: Pulse = state.get(pulse_key(series)) or Pulse(first_ms=counted.hour_ms, hour_ms=counted.hour_ms)
    if counted.hour_ms < pulse.hour_ms:
        # another worker was behind
        _add(state, series, counted.hour_ms, counted.live, pulse.hour_ms)
    else:
        if counted.hour_ms > pulse.hour_ms:
            pulse = _rolled(state, series, pulse, counted.hour_ms)
        bins = pulse.bins | 1 << (counted.last_ms % HOUR_MS * BINS // HOUR_MS)
        pulse = replace(pulse, count=pulse.count + counted.live, bins=bins)
    first_ms = min(pulse.first_ms, counted.hour_ms)
    state.put(pulse_key(series), replace(pulse, first_ms=first_ms, last_ms=max(pulse.last_ms, counted.last_ms)), 0)


def _rolled(state: Partition, series: tuple[str, str], pulse: Pulse, hour_ms: int) -> Pulse:
    if not pulse.count:
        return replace(pulse, hour_ms=hour_ms)
    _add(state, series, pulse.hour_ms, pulse.count, hour_ms)
    by_chance = BINS * (1 - (1 - 1 / BINS) ** pulse.count)
    return replace(
        pulse,
        hour_ms=hour_ms,
        count=0,
        bins=0,
        bins_seen=pulse.bins_seen + pulse.bins.bit_count(),
        bins_due=pulse.bins_due + by_chance,
    )


def _add(state: Partition, series: tuple[str, str], hour_ms: int, count: int, newest_ms: int) -> None:
    past: Past = state.get(past_key(series)) or Past({})
    oldest = newest_ms // HOUR_MS - HOURS_KEPT
    hours = {hour: held for hour, held in past.hours.items() if hour >= oldest}
    hour = hour_ms // HOUR_MS
    if hour >= oldest:
        hours[hour] = hours.get(hour, 0) + count
    state.put(past_key(series), Past(hours), 0)


def note_day(state: Partition, day: int) -> None:
    """Keep a day on which something came in."""
    held: Sources = state.get(SOURCES) or Sources()
    if day not in held.days:
        days = sorted((*held.days, day))
        state.put(SOURCES, replace(held, days=tuple(days[-DAYS_KEPT:])), 0)


class Beats(msgspec.Struct, frozen=True):
    """All that is known of when a series came in, or several of them together."""

    hours: dict[int, int]
    first_ms: int
    last_ms: int
    is_in_batches: bool
    days: tuple[int, ...] = ()
    """On which anything came in, of whatever series."""


def beats_of(state: Partition, several: list[tuple[str, str]]) -> Beats | None:
    """Return what is known of several series together; None: none of them has come in within a day of its time."""
    hours: dict[int, int] = {}
    pulses = [(series, pulse) for series in several if (pulse := state.get(pulse_key(series))) is not None]
    if not pulses:
        return None
    for series, pulse in pulses:
        past: Past | None = state.get(past_key(series))
        for hour, count in past.hours.items() if past is not None else ():
            hours[hour] = hours.get(hour, 0) + count
        newest = pulse.hour_ms // HOUR_MS
        hours[newest] = hours.get(newest, 0) + pulse.count
    return Beats(
        hours,
        min(pulse.first_ms for _, pulse in pulses),
        max(pulse.last_ms for _, pulse in pulses),
        all(pulse.is_in_batches for _, pulse in pulses),
        (state.get(SOURCES) or Sources()).days,
    )
