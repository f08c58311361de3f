"""Hours, days and weeks that are complete, one after the other; a record concludes only so many of them.

After a silence, or at the first record of an import, years may be complete at once. What is left is concluded by the
next records, and insights write one to their own topic so that there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from schemas.limits import KPIS_A_STEP, SLOT_ROWS_MAX, STEPS_A_RECORD
from schemas.units import HOUR_MS
from streams.insights.anomalies import WATCHED, Hour, observe
from streams.insights.days import next_day_ms
from streams.insights.detector import Detector
from streams.insights.fires import watch_days
from streams.insights.inputs import watch_inputs
from streams.insights.kpis import OF_IMPORTS
from streams.insights.scratch import Scratch
from streams.insights.state import SETTINGS, detector_key
from streams.insights.ticks import advance, first_tick_ms, go_on, is_large
from streams.insights.windows import close_windows
from streams.insights.work import WORK

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from streams.insights.effects import InsightEffects
    from streams.insights.state import Clock, Partition, Settings
    from streams.insights.windows import ClosedHour
    from streams.settings import DomainSettings


def conclude(
    state: Partition, clock: Clock, complete_to_ms: int, settings: DomainSettings, effects: InsightEffects
) -> Clock:
    """Conclude in order of time what is complete; `effects.is_behind` says whether anything is left."""
    if clock.tick_ms is None:
        clock = replace(clock, tick_ms=first_tick_ms(clock, settings))
    held: Settings = state.get(SETTINGS)
    is_at_once, has_worked = held.rules == 1, False
    if is_at_once:
        # so release 0.1 reads the state
        state = Scratch(state)
    for _ in range(STEPS_A_RECORD):
        while state.get(WORK) is not None and (is_at_once or not (has_worked or _is_enough(effects))):
            was_large = is_large(state)
            clock = go_on(state, clock, effects)
            has_worked = not is_at_once and (was_large or is_large(state))
        if state.get(WORK) is not None:
            break
        due_ms = next_due_ms(clock, settings)
        if due_ms > complete_to_ms:
            return clock
        if has_worked or _is_enough(effects):
            break
        clock = _step(state, clock, due_ms, settings, effects)
    effects.is_behind = state.get(WORK) is not None or next_due_ms(clock, settings) <= complete_to_ms
    return clock


def next_due_ms(clock: Clock, settings: DomainSettings) -> int:
    """Return the time at which the next hour, day, slot or week is complete."""
    due = [each for each in (clock.tick_ms, clock.slot_ms) if each is not None]
    if clock.hour_ms is not None and clock.day_ms is not None:
        ends = (clock.hour_ms + HOUR_MS, next_day_ms(clock.day_ms, settings.zone))
        due += [end_ms - 1 + settings.grace_ms for end_ms in ends]
    return min(due)


def _is_enough(effects: InsightEffects) -> bool:
    """Return whether the record has done its share: a tick is one of its own."""
    return len(effects.kpis) >= KPIS_A_STEP or effects.rows_learnt >= SLOT_ROWS_MAX or bool(effects.broadcast)


def _step(state: Partition, clock: Clock, until_ms: int, settings: DomainSettings, effects: InsightEffects) -> Clock:
    day_ms = clock.day_ms
    clock, hours = close_windows(state, clock, until_ms, settings, effects)
    if clock.day_ms != day_ms:
        watch_days(state, day_ms, clock.day_ms, settings, effects)
    if hours:
        _watch(state, hours, settings.zone, effects)
        watch_inputs(state, hours, settings, effects)
    return advance(state, clock, until_ms, settings, effects)


def _watch(state: Partition, hours: Iterable[ClosedHour], zone: ZoneInfo, effects: InsightEffects) -> None:
    held: Settings = state.get(SETTINGS)
    for hour in hours:
        for kpi in WATCHED:
            detector: Detector = state.get(detector_key(kpi)) or Detector()
            imported = hour.counts.get(f"{OF_IMPORTS}{kpi}|", 0)
            seen = Hour(kpi, hour.start_ms, float(hour.kpis[f"{kpi}|"].numerator - imported))
            detector, anomaly = observe(detector, seen, zone, held.rules)
            state.put(detector_key(kpi), detector, 0)
            if anomaly is not None:
                effects.anomalies.append(anomaly)
