"""Fold of one record of the facts topic: add counts and panel rows, then conclude complete hours and weeks."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec.structs import replace

from schemas.insights import Arrivals, Facts
from schemas.journal import RULES_3, RULES_4, Configured
from schemas.limits import SETTINGS_BYTES_MAX
from schemas.refusal import Refusal
from state.rules import raised_rules
from streams.flows.language.published import fault_of
from streams.insights.anomalies import WATCHED
from streams.insights.arrivals import add_arrivals, too_many_series
from streams.insights.arrived import SILENCES, SOURCES, Shape, Silences, Sources
from streams.insights.checks import too_many, usable
from streams.insights.dimensions import added_to_stocks
from streams.insights.effects import BAD_HOUR, BAD_ROW, BAD_TIME, UNKNOWN, InsightEffects
from streams.insights.history import HISTORY, History, of_earlier_rules, with_counts
from streams.insights.kpis import OTHER
from streams.insights.past import OVER, add_past, warm_up
from streams.insights.shapes import shape_key
from streams.insights.silent import watch_silence
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
    Fires,
    Inputs,
    Partition,
    Settings,
    Stocks,
    detector_key,
)
from streams.insights.stepping import is_ahead, stepped_back
from streams.insights.steps import conclude
from streams.insights.ticks import add_panel
from streams.insights.windows import add_counts, last_closed
from streams.settings import DomainSettings, parse_domain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from schemas.insights import Anomaly, Count, Kpi
    from streams.insights.detector import Detector


class FactsRefused(Refusal):
    """A record of facts cannot be added up."""


def fold_record(state: Partition, record: object, appended_ms: int = 0) -> InsightEffects:
    """Fold one record of the topic, of whatever type; see `fold_facts` and `configured`.

    Raises:
        FactsRefused: it is neither facts nor settings, or cannot be folded.
    """
    if isinstance(record, Facts):
        return fold_facts(state, record, appended_ms)
    if isinstance(record, Configured):
        return configured(state, record)
    if isinstance(record, Arrivals):
        return fold_arrivals(state, record, appended_ms)
    raise FactsRefused("unexpected_type", f"a {type(record).__name__} does not belong in facts")


def fold_arrivals(state: Partition, arrivals: Arrivals, appended_ms: int = 0) -> InsightEffects:
    """Add what arrived by source.

    Raises:
        FactsRefused: no settings were folded before, or it holds more than we write.
    """
    held: Settings | None = state.get(SETTINGS)
    if held is None:
        raise FactsRefused("not_configured", "arrivals came before the record of settings")
    excess = too_many_series(arrivals)
    if excess is not None:
        raise FactsRefused("too_large", excess)
    if held.rules < RULES_4:
        return InsightEffects()  # the record that raised them has not come in yet
    return add_arrivals(state, arrivals, _parsed(held.text), appended_ms)


def configured(state: Partition, record: Configured) -> InsightEffects:
    """Take in the settings that decide from here on.

    Raises:
        FactsRefused: they change what is fixed for the life of a prefix, so we did not write them.
        SettingsError: they are wrong, so a later release wrote them.
        NewerState: this release does not know their rules.
    """
    if len(record.settings.encode()) > SETTINGS_BYTES_MAX and record.rules > 1:
        raise FactsRefused("too_large", f"the settings have more than {SETTINGS_BYTES_MAX} bytes")
    fault = fault_of(record.settings)
    if fault is not None:
        raise FactsRefused("bad_settings", fault)
    settings = _parsed(record.settings)
    held: Settings | None = state.get(SETTINGS)
    if held is not None and _fixed(state, _parsed(held.text)) != (settings.clock, settings.journal_partitions):
        raise FactsRefused("other_prefix", "the settings have another clock or number of partitions than this prefix")
    before = held.rules if held is not None else 1
    rules = raised_rules(before, record)
    if before < RULES_3 <= rules:
        clock: Clock | None = state.get(CLOCK)
        _keep_history(state, None if clock is None or clock.hour_ms is None else of_earlier_rules(clock.spoken_ms))
    state.put(SETTINGS, Settings(record.settings, rules), 0)
    return InsightEffects()


def fold_facts(state: Partition, facts: Facts, appended_ms: int = 0) -> InsightEffects:
    """Fold one record of facts; the order of records of different journal partitions does not matter.

    `appended_ms` is when a broker appended the record, 0: no broker said so.

    Raises:
        FactsRefused: no settings were folded before, or the record names a journal partition that they do not have,
            or it holds more than we write.
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
    excess = too_many(facts)
    if excess is not None:
        raise FactsRefused("too_large", excess)
    given, effects = usable(facts, appended_ms), InsightEffects()
    effects.left_out.update({BAD_HOUR: given.bad_hours, BAD_ROW: given.bad_rows, BAD_TIME: given.bad_times})
    before: Clock = state.get(CLOCK) or Clock()
    clock = before
    if appended_ms and held.rules > 1 and settings.clock == "wall" and is_ahead(before, appended_ms):
        clock = stepped_back(state, before, appended_ms, settings, effects)
    _add_stocks(state, given.counts, effects)
    clock = _added(state, clock, replace(facts, counts=given.counts), settings.zone, effects)
    if held.rules >= RULES_3:
        _keep_history(state, with_counts(state.get(HISTORY), given.counts))
    clock = add_panel(state, clock, given.panel, effects)
    if given.complete_to_ms is not None:
        clock = _heard(clock, facts.partition, given.complete_to_ms, settings.journal_partitions)
    complete_to_ms = _complete_to_ms(clock)
    if complete_to_ms is not None:
        clock = conclude(state, clock, complete_to_ms, settings, effects)
        if held.rules >= RULES_4:
            watch_silence(state, complete_to_ms, settings, effects, may_hold=settings.clock == "wall")
    if clock != before:
        state.put(CLOCK, clock, 0)
    return effects


def _added(state: Partition, clock: Clock, facts: Facts, zone: ZoneInfo, effects: InsightEffects) -> Clock:
    """Add counts by hour; the clock does not follow those of an import."""
    if facts.is_imported:
        add_past(state, clock, facts.counts, zone, effects)
        return clock
    clock = add_counts(state, clock, facts.counts, zone, effects)
    if any(count.name == OVER for count in facts.counts):
        warm_up(state, clock, zone)
    return clock


def _fixed(state: Partition, settings: DomainSettings) -> tuple[str, int]:
    """Return the clock and the number of journal partitions, which repartition has raised in a copied state."""
    clock: Clock | None = state.get(CLOCK)
    heard = len(clock.complete_ms) if clock is not None else 0
    return settings.clock, heard or settings.journal_partitions


def open_anomalies(state: Partition) -> list[Anomaly]:
    """Return anomalies raised and not cleared, for gauges that are set again when the partition is assigned."""
    detectors: list[Detector | None] = [state.get(detector_key(kpi)) for kpi in WATCHED]
    fires: Fires | None = state.get(FIRES)
    inputs: Inputs | None = state.get(INPUTS)
    off = [fire.raised for fire in fires.flows.values()] if fires is not None else []
    sources: Sources = state.get(SOURCES) or Sources()
    shapes: list[Shape | None] = [state.get(shape_key(series)) for series in (*sources.series, (OTHER, OTHER))]
    silences: Silences = state.get(SILENCES) or Silences()
    silent = [known.raised for known in inputs.types.values()] if inputs is not None else []
    return [
        *(found.incident.raised for found in detectors if found is not None and found.incident is not None),
        *(raised for raised in (*off, *silent) if raised is not None),
        *(each.raised for each in silences.open.values()),
        *(drift.raised for shape in shapes if shape is not None for drift in shape.drifts.values()),
    ]


def last_kpis(state: Partition) -> tuple[Kpi, ...]:
    """Return the KPIs of the last closed hour and day, for gauges that are set again likewise."""
    held: Settings | None = state.get(SETTINGS)
    clock: Clock | None = state.get(CLOCK)
    return () if held is None or clock is None else tuple(last_closed(state, clock, _parsed(held.text).zone))


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


def _keep_history(state: Partition, history: History | None) -> None:
    if history is not None and history is not state.get(HISTORY):
        state.put(HISTORY, history, 0)


def _add_stocks(state: Partition, counts: Iterable[Count], effects: InsightEffects) -> None:
    more: dict[str, int] = {}
    for count in counts:
        if not count.hour_ms:
            key = f"{count.name}|{count.by}"
            more[key] = more.get(key, 0) + count.value
    if not more:
        return
    held: Stocks | None = state.get(STOCKS)
    before = held.totals if held else {}
    added = added_to_stocks(before, more)
    effects.left_out[UNKNOWN] += added.refused
    for key in added.moved & before.keys():
        effects.stocks[_named(key)] = 0
    for key, total in added.counts.items():
        if before.get(key) != total:
            effects.stocks[_named(key)] = total
    state.put(STOCKS, Stocks(added.counts), 0)


def _heard(clock: Clock, partition: int, reached_ms: int, partitions: int) -> Clock:
    missing = (None,) * (partitions - len(clock.complete_ms))
    spoken = list(clock.spoken_ms + missing)
    complete = list(clock.complete_ms + missing)
    last_ms = complete[partition]
    if last_ms is not None and reached_ms <= last_ms:
        return clock
    complete[partition] = reached_ms
    first_ms = spoken[partition]
    spoken[partition] = reached_ms if first_ms is None else first_ms
    return replace(clock, spoken_ms=tuple(spoken), complete_ms=tuple(complete))


def _complete_to_ms(clock: Clock) -> int | None:
    complete = [each for each in clock.complete_ms if each is not None]
    return min(complete) if complete and len(complete) == len(clock.complete_ms) else None
