"""Insights go back to the brokers' time, after time was pushed ahead.

What windows, models and detectors did in the time ahead is done again when that time comes. Facts that were thrown
away meanwhile, because their hour seemed too old, are not made up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from schemas.limits import TIME_AHEAD_MS_MAX
from schemas.units import HOUR_MS
from streams.insights.anomalies import WATCHED
from streams.insights.days import day_start_ms, next_monday_ms, slot_hour_ms
from streams.insights.state import STEPPED, Clock, Stepped, detector_key, slot_key
from streams.insights.ticks import drop_work

if TYPE_CHECKING:
    from streams.insights.detector import Detector
    from streams.insights.effects import InsightEffects
    from streams.insights.state import Partition
    from streams.settings import DomainSettings


def is_ahead(clock: Clock, appended_ms: int) -> bool:
    """Return whether a partition was complete to a time that the brokers have not reached."""
    return max([each for each in clock.complete_ms if each is not None], default=0) > appended_ms + TIME_AHEAD_MS_MAX


def stepped_back(
    state: Partition, clock: Clock, appended_ms: int, settings: DomainSettings, effects: InsightEffects
) -> Clock:
    """Return the clock as of the latest time that is allowed, and make the rest of the state follow it.

    What partitions are complete to goes back to `appended_ms`: more would let nothing smaller count for a while.
    """
    until_ms = appended_ms + TIME_AHEAD_MS_MAX
    zone, hour_ms = settings.zone, until_ms // HOUR_MS * HOUR_MS
    day_ms = day_start_ms(hour_ms, zone)
    before: Stepped = state.get(STEPPED) or Stepped()
    published = Stepped(max(before.hour_ms, clock.hour_ms or 0), max(before.day_ms, clock.day_ms or 0))
    if published != before:
        state.put(STEPPED, published, 0)
    drop_work(state)
    _forget_rows(state, clock, hour_ms)
    _restart_detectors(state, until_ms, effects)
    return replace(
        clock,
        spoken_ms=tuple([_least(each, appended_ms) for each in clock.spoken_ms]),
        complete_ms=tuple([_least(each, appended_ms) for each in clock.complete_ms]),
        hour_ms=_least(clock.hour_ms, hour_ms),
        hour_kept_ms=min(clock.hour_kept_ms, hour_ms),
        day_ms=_least(clock.day_ms, day_ms),
        day_kept_ms=min(clock.day_kept_ms, day_ms),
        slot_ms=_least(clock.slot_ms, slot_hour_ms(until_ms)),
        slot_kept_ms=min(clock.slot_kept_ms, slot_hour_ms(until_ms)),
        tick_ms=_least(clock.tick_ms, next_monday_ms(until_ms, zone)),
        busy_ms=_least(clock.busy_ms, hour_ms),
    )


def _least(time_ms: int | None, until_ms: int) -> int | None:
    return None if time_ms is None else min(time_ms, until_ms)


def _forget_rows(state: Partition, clock: Clock, hour_ms: int) -> None:
    """Drop panel rows of slots that are yet to come: their customers give new ones."""
    if clock.slot_ms is None:
        return
    for end_ms in range(max(clock.slot_kept_ms, hour_ms + HOUR_MS), clock.slot_ms + HOUR_MS, HOUR_MS):
        if state.get(slot_key(end_ms)) is not None:
            state.delete(slot_key(end_ms))


def _restart_detectors(state: Partition, until_ms: int, effects: InsightEffects) -> None:
    """Forget detectors that have learnt hours to come, all of them empty; an open anomaly is cleared."""
    for kpi in WATCHED:
        detector: Detector | None = state.get(detector_key(kpi))
        if detector is None:
            continue
        learnt_ms = detector.season.time_ms if detector.season is not None else detector.warmup[-1][0]
        if learnt_ms <= until_ms:
            continue
        if detector.incident is not None:
            effects.anomalies.append(replace(detector.incident.raised, status="cleared", time_ms=until_ms))
        state.delete(detector_key(kpi))
