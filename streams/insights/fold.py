"""Fold of one record of the facts topic: add counts and panel rows, then conclude complete hours and weeks."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec.structs import replace

from schemas.refusal import Refusal
from state.rules import raised_rules
from streams.insights.anomalies import WATCHED, observe
from streams.insights.effects import InsightEffects
from streams.insights.fires import watch_days
from streams.insights.inputs import watch_inputs
from streams.insights.state import (
    CLOCK,
    CLUSTERS,
    CUTS,
    FIRES,
    INPUTS,
    SETTINGS,
    STOCKS,
    Clock,
    Clusters,
    Cuts,
    Detector,
    Fires,
    Inputs,
    Partition,
    Settings,
    Stocks,
    detector_key,
)
from streams.insights.ticks import add_panel, advance
from streams.insights.windows import add_counts, close_windows
from streams.settings import DomainSettings, parse_domain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from schemas.insights import Anomaly, Count, Facts
    from schemas.journal import Configured
    from streams.insights.windows import ClosedHour

# apart from segments and the like, the code names totals, so there are few
STOCKS_MAX = 1_000


class FactsRefused(Refusal):
    """A record of facts cannot be added up."""


def configured(state: Partition, record: Configured) -> InsightEffects:
    """Take in the settings that decide from here on.

    Raises:
        SettingsError: they are wrong.
        NewerState: this release does not know their rules.
    """
    _parsed(record.settings)
    held: Settings | None = state.get(SETTINGS)
    rules = raised_rules(held.rules if held is not None else 1, record)
    state.put(SETTINGS, Settings(record.settings, rules), 0)
    return InsightEffects()


def fold_facts(state: Partition, facts: Facts) -> InsightEffects:
    """Fold one record of facts; the order of records of different journal partitions does not matter.

    Raises:
        FactsRefused: no settings were folded before, or the record names a journal partition that they do not have.
    """
    held: Settings | None = state.get(SETTINGS)
    if held is None:
        raise FactsRefused("not_configured", "facts came before the record of settings")
    settings = _parsed(held.text)
    if not 0 <= facts.partition < settings.journal_partitions:
        raise FactsRefused(
            "unknown_partition",
            f"facts of journal partition {facts.partition}; there are {settings.journal_partitions}",
        )
    effects = InsightEffects()
    before: Clock = state.get(CLOCK) or Clock()
    _add_stocks(state, facts.counts, effects)
    clock = add_counts(state, before, facts.counts, settings.zone, effects)
    clock = add_panel(state, clock, facts.panel, effects)
    clock = _heard(clock, facts, settings.journal_partitions)
    complete_to_ms = _complete_to_ms(clock)
    if complete_to_ms is not None:
        day_ms = clock.day_ms
        clock, hours = close_windows(state, clock, complete_to_ms, settings, effects)
        if clock.day_ms != day_ms:
            watch_days(state, day_ms, clock.day_ms, settings, effects)
        _watch(state, hours, settings.zone, effects)
        watch_inputs(state, hours, settings, effects)
        clock = advance(state, clock, complete_to_ms, settings, effects)
    if clock != before:
        state.put(CLOCK, clock, 0)
    return effects


def open_anomalies(state: Partition) -> list[Anomaly]:
    """Return anomalies raised and not cleared, for gauges that are set again when the partition is assigned."""
    detectors: list[Detector | None] = [state.get(detector_key(kpi)) for kpi in WATCHED]
    fires: Fires | None = state.get(FIRES)
    inputs: Inputs | None = state.get(INPUTS)
    off = [fire.raised for fire in fires.flows.values()] if fires is not None else []
    silent = [known.raised for known in inputs.types.values()] if inputs is not None else []
    return [
        *(found.incident.raised for found in detectors if found is not None and found.incident is not None),
        *(raised for raised in (*off, *silent) if raised is not None),
    ]


def versions(state: Partition) -> dict[str, str | None]:
    """Return the last published version of each kind of model."""
    cuts: Cuts | None = state.get(CUTS)
    clusters: Clusters | None = state.get(CLUSTERS)
    return {"cuts": cuts.model.version if cuts else None, "clusters": clusters.version if clusters else None}


def stocks(state: Partition) -> dict[tuple[str, str], int]:
    """Return totals of facts without an hour, by (name, by)."""
    held: Stocks | None = state.get(STOCKS)
    return {_named(key): total for key, total in held.totals.items()} if held else {}


# the text changes only with a record of settings, but is needed for every record of facts
@lru_cache(maxsize=8)
def _parsed(text: str) -> DomainSettings:
    return parse_domain(text)


def _named(key: str) -> tuple[str, str]:
    name, _, by = key.partition("|")
    return name, by


def _add_stocks(state: Partition, counts: Iterable[Count], effects: InsightEffects) -> None:
    added: dict[str, int] = {}
    for count in counts:
        if not count.hour_ms:
            key = f"{count.name}|{count.by}"
            added[key] = added.get(key, 0) + count.value
    if not added:
        return
    held: Stocks | None = state.get(STOCKS)
    totals = dict(held.totals) if held else {}
    for key, value in added.items():
        if key not in totals and len(totals) >= STOCKS_MAX:
            effects.dimensions_refused += 1
            continue
        totals[key] = totals.get(key, 0) + value
        effects.stocks[_named(key)] = totals[key]
    state.put(STOCKS, Stocks(totals), 0)


def _heard(clock: Clock, facts: Facts, partitions: int) -> Clock:
    told_ms = facts.complete_to_ms
    if told_ms is None:
        return clock
    missing = (None,) * (partitions - len(clock.complete_ms))
    spoken = list(clock.spoken_ms + missing)
    complete = list(clock.complete_ms + missing)
    at = facts.partition
    last_ms = complete[at]
    if last_ms is not None and told_ms <= last_ms:
        return clock
    complete[at] = told_ms
    first_ms = spoken[at]
    spoken[at] = told_ms if first_ms is None else first_ms
    return replace(clock, spoken_ms=tuple(spoken), complete_ms=tuple(complete))


def _complete_to_ms(clock: Clock) -> int | None:
    complete = [each for each in clock.complete_ms if each is not None]
    return min(complete) if complete and len(complete) == len(clock.complete_ms) else None


def _watch(state: Partition, hours: Iterable[ClosedHour], zone: ZoneInfo, effects: InsightEffects) -> None:
    for hour in hours:
        for kpi in WATCHED:
            detector: Detector = state.get(detector_key(kpi)) or Detector()
            detector, anomaly = observe(detector, kpi, hour.start_ms, float(hour.kpis[f"{kpi}|"].numerator), zone)
            state.put(detector_key(kpi), detector, 0)
            if anomaly is not None:
                effects.anomalies.append(anomaly)
