"""Insights whose time was pushed ahead go back to the brokers', and do again what they did ahead of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from schemas.limits import TIME_AHEAD_MS_MAX
from streams.insights.anomalies import WATCHED
from streams.insights.detector import Detector
from streams.insights.fold import fold_facts
from streams.insights.state import CLOCK, SETTINGS, Clock, Settings, detector_key
from tests.support.insights import DAY_MS, HOUR_MS, WEEK_MS, a_partition, a_row, at, counts, facts

if TYPE_CHECKING:
    from schemas.insights import Facts, Kpi
    from state.overlay import Overlay
    from streams.insights.effects import InsightEffects

NOON = at("2026-01-08T12:00")
AHEAD_MS = NOON + 20 * DAY_MS


def a_wall_partition(**given: Any) -> Overlay[Any]:
    return a_partition(clock="wall", **given)


def set_rules(state: Overlay[Any], rules: int) -> None:
    held = state.get(SETTINGS)
    assert isinstance(held, Settings)
    state.put(SETTINGS, replace(held, rules=rules), 0)


def clock_of(state: Overlay[Any]) -> Clock:
    clock = state.get(CLOCK)
    assert isinstance(clock, Clock)
    return clock


def orders(effects: InsightEffects) -> list[tuple[str, int, int, int]]:
    def shown(kpi: Kpi) -> tuple[str, int, int, int]:
        return kpi.grain, kpi.start_ms, kpi.numerator, kpi.revision

    return [shown(kpi) for kpi in effects.kpis if kpi.name == "orders"]


def concluded(state: Overlay[Any], record: Facts, appended_ms: int) -> list[tuple[str, int, int, int]]:
    """What a record, and those after it that only go on, say of orders."""
    effects = fold_facts(state, record, appended_ms)
    said = orders(effects)
    while effects.is_behind:
        effects = fold_facts(state, facts(to=record.complete_to_ms), appended_ms)
        said += orders(effects)
    return said


def pushed_ahead() -> Overlay[Any]:
    """By facts that an earlier release took in: an hour with orders, and then 20 days at once."""
    state = a_wall_partition()
    set_rules(state, 1)
    fold_facts(state, facts(*counts(NOON - 2 * HOUR_MS, orders=5), to=NOON - HOUR_MS - 1))
    concluded(state, facts(*counts(NOON, orders=1), to=AHEAD_MS, panel=[a_row(slot_ms=AHEAD_MS - DAY_MS)]), 0)
    set_rules(state, 2)
    return state


def test_time_that_was_pushed_ahead_goes_back_with_the_next_facts() -> None:
    state = pushed_ahead()
    assert clock_of(state).tick_ms is not None
    fold_facts(state, facts(to=NOON + HOUR_MS), NOON + HOUR_MS)
    clock = clock_of(state)
    assert clock.complete_ms == (NOON + HOUR_MS,)
    assert clock.tick_ms == at("2026-01-12T00:00")
    assert clock.hour_ms == NOON + HOUR_MS
    assert clock.slot_ms is not None
    assert clock.slot_ms <= NOON + 2 * HOUR_MS


def test_an_hour_that_was_published_ahead_of_time_is_published_again_as_a_revision() -> None:
    state, later = pushed_ahead(), NOON + DAY_MS
    fold_facts(state, facts(to=NOON + HOUR_MS), NOON + HOUR_MS)
    concluded(state, facts(*counts(later, orders=7), to=later + 5), later)
    assert ("hour", later, 7, 1) in concluded(state, facts(to=later + HOUR_MS), later + HOUR_MS)
    effects = fold_facts(state, facts(*counts(later, orders=1), to=later + HOUR_MS + 1), later + HOUR_MS + 1)
    assert ("hour", later, 8, 2) in orders(effects)


def test_an_hour_beyond_what_was_published_is_a_first_revision_as_ever() -> None:
    state, beyond = pushed_ahead(), AHEAD_MS + 10 * DAY_MS
    fold_facts(state, facts(to=NOON + HOUR_MS), NOON + HOUR_MS)
    concluded(state, facts(*counts(beyond, orders=7), to=beyond), beyond)
    assert ("hour", beyond, 7, 0) in concluded(state, facts(to=beyond + HOUR_MS), beyond + HOUR_MS)


def test_detectors_that_learnt_empty_hours_to_come_start_again_and_others_stay() -> None:
    state = pushed_ahead()
    fresh = Detector(warmup=((NOON - HOUR_MS, 5.0),))
    state.put(detector_key("sessions"), fresh, 0)
    fold_facts(state, facts(to=NOON + 10), NOON)
    assert {kpi: state.get(detector_key(kpi)) for kpi in WATCHED if kpi != "sessions"} == dict.fromkeys(
        set(WATCHED) - {"sessions"}
    )
    assert state.get(detector_key("sessions")) == fresh


def test_models_tick_again_on_the_mondays_that_come() -> None:
    state, monday = pushed_ahead(), at("2026-01-12T00:00")
    fold_facts(state, facts(to=NOON + HOUR_MS), NOON + HOUR_MS)
    assert clock_of(state).tick_ms == monday
    concluded(state, facts(to=monday + 1), monday + 1)
    assert clock_of(state).tick_ms == monday + WEEK_MS


def test_brokers_clocks_that_differ_by_seconds_change_nothing() -> None:
    state = a_wall_partition()
    fold_facts(state, facts(*counts(NOON - DAY_MS, orders=1), to=NOON + TIME_AHEAD_MS_MAX), NOON)
    before = clock_of(state)
    fold_facts(state, facts(to=NOON), NOON)
    assert clock_of(state) == before
