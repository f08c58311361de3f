"""Metrics from committed records: one table from a record's type to the metrics that it changes."""

from __future__ import annotations

import math
from collections import Counter as Tally
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from schemas.insights import Anomaly, Arrivals, Facts, Kpi, Model
from schemas.limits import CURRENCIES_MAX
from schemas.outputs import Credit, DeadLetter, Decision, SegmentChanged, Trigger
from streams.flows.runtime.receipts import OUTCOMES
from streams.fold.machines import MACHINE_CLICKS, MACHINE_OPENS, MACHINE_VIEWS
from streams.insights.effects import FOREIGN, LEFT_OUT
from streams.insights.fires import KPI as FLOW_MESSAGES
from streams.insights.inputs import KPI as FLOW_INPUTS
from streams.insights.kpis import FORMULAS
from streams.profiles.segments import GRID_SEGMENTS, NO_ORDER, UNSCORED
from streams.telemetry.gauges import Bounded
from streams.telemetry.source_gauges import FAULTS_OF, SOURCE_DUPLICATES, SourceGauges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import msgspec
    from prometheus_client import Counter

    from streams.settings import DomainSettings
    from streams.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

NOTHING_ERASED = "customers asked to be forgotten: they get no more promotions, and nothing was erased yet"
REQUESTS = "erasure_requests"
MACHINE_FACTS = (MACHINE_OPENS, MACHINE_CLICKS, MACHINE_VIEWS)
GRAINS = ("hour", "day")
STAGE_COLLECT = "collect"
NONE = "none"
SEGMENT = "segment="
CLUSTER = "cluster="


@dataclass(frozen=True, slots=True)
class Known:
    """Label values that show as 0 before they are first counted, so that panels and alerts have them from the start."""

    segments: tuple[str, ...] = ()
    flows: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = OUTCOMES
    models: tuple[str, ...] = ("linear", "last")
    channels: tuple[str, ...] = ("direct",)
    currency: str = "EUR"
    kpis: tuple[str, ...] = ()
    reasons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by stage
    wall_clock: bool = True


def known_labels(domain: DomainSettings, *, flows: tuple[str, ...], reasons: Mapping[str, tuple[str, ...]]) -> Known:
    """Return label values that follow from the settings; `reasons` are those of dead letters by stage."""
    segments = (NO_ORDER, UNSCORED, *GRID_SEGMENTS) if domain.rfm_profile == "grid" else (NO_ORDER, UNSCORED)
    return Known(
        segments=segments,
        flows=flows,
        currency=domain.reporting_currency,
        kpis=tuple(formula.name for formula in FORMULAS),
        reasons=reasons,
        wall_clock=domain.clock == "wall",
    )


@dataclass(frozen=True, slots=True)
class InsightSnapshot:
    """The state of insights at an assignment. `stock`: sums of the facts without an hour, by (name, by)."""

    stock: Mapping[tuple[str, str], int] = field(default_factory=dict)
    anomalies: tuple[tuple[str, str], ...] = ()  # (kpi, by) of the open incidents
    faults: tuple[Anomaly, ...] = ()  # open, of sources
    models: Mapping[str, str | None] = field(default_factory=dict)  # version by kind; None before the first
    kpis: tuple[Kpi, ...] = ()


class Observer:
    """A feeder of `metrics` from committed records; called on the event loop only."""

    def __init__(self, metrics: Metrics, known: Known) -> None:
        self._metrics = metrics
        self._known = known
        self._sources = SourceGauges(metrics)
        self._channel = Bounded()
        self._currency = Bounded(CURRENCIES_MAX)
        self._kpi = Bounded()
        self._flow = Bounded()
        self._windows: dict[tuple[str, str], int] = {}  # start_ms of the window shown, by (kpi, grain)
        self._versions: dict[str, str] = {}  # by kind of model
        # for frequent records: (counter, labels) -> what one commit adds
        self._sums: Tally[tuple[Any, ...]] = Tally()
        self._counters: dict[str, Counter] = {
            "folded": metrics.folded,
            "duplicates": metrics.duplicates,
            "orders": metrics.orders,
            "revenue_minor": metrics.revenue,
            "refunds_minor": metrics.refunds,
            "candidates_unaccounted": metrics.candidates_unaccounted,
            **{name: metrics.machines.labels(name) for name in MACHINE_FACTS},
        }
        self._table: dict[type[msgspec.Struct], Callable[[Any], None]] = {
            Trigger: self._trigger,
            Decision: self._decision,
            SegmentChanged: self._segment_changed,
            Credit: self._credit,
            DeadLetter: self._dead_letter,
            Facts: self._facts,
            Arrivals: self._sources.arrived,
            Kpi: self._kpi_closed,
            Anomaly: self._anomaly,
            Model: self._model,
        }
        self._show_zeros()

    def observe_committed(self, records: Iterable[msgspec.Struct]) -> None:
        """Count the records of one commit; skip types without a metric."""
        self._sums.clear()
        for record in records:
            handler = self._table.get(type(record))
            if handler is not None:
                handler(record)
        for (counter, *labels), value in self._sums.items():
            counter.labels(*labels).inc(value)

    def observe_journalled(self, count: int) -> None:
        """Count touchpoints written to the journal; refused ones come as dead letters."""
        self._metrics.collected.inc(count)
        self._metrics.journalled.inc(count)

    def observe_misplaced(self, count: int) -> None:
        """Count touchpoints, of those looked at, that are in another partition than their key's."""
        self._metrics.misplaced.inc(count)

    def observe_let_go(self, let_go: Mapping[tuple[str, str], int]) -> None:
        """Count values of attributes that were not kept, by attribute and why."""
        for (attribute, why), count in let_go.items():
            self._metrics.let_go.labels(attribute, why).inc(count)

    def observe_commit(self, duration_s: float) -> None:
        self._metrics.commit_seconds.observe(duration_s)

    def observe_left_out(self, left_out: Mapping[str, int], beyond_long: int) -> None:
        """Count facts that were not added up, by why, and KPIs of which a part is not exact."""
        for why, count in left_out.items():
            self._metrics.facts_left_out.labels(why).inc(count)
        self._metrics.kpis_beyond_long.inc(beyond_long)
        foreign = {why: count for why, count in left_out.items() if count and why in FOREIGN}
        if foreign:
            _log.error(
                "facts that touchstream does not write were left out; check who may write to the topic", **foreign
            )
        if beyond_long:
            _log.warning("sums are larger than a 64-bit number; the value of these KPIs is right", kpis=beyond_long)

    def observe_held_back(self, by_partition: Mapping[int, int]) -> None:
        """Show how far the time of journal partitions is behind the collected time, in ms of the prefix's time."""
        for partition, held_ms in by_partition.items():
            self._metrics.time_held_back.labels(str(partition)).set(held_ms / 1000)

    def show_insights(self, held: InsightSnapshot) -> None:
        """Show what the state says, as this worker owns the facts now."""
        metrics = self._metrics
        self.withdraw_insights()
        metrics.anomaly_active.restore(held.anomalies)
        self._sources.restore(held.faults)
        for kpi in self._known.kpis:
            for grain in GRAINS:
                metrics.kpi.labels(kpi, grain).set(math.nan)
                metrics.kpi_window.labels(kpi, grain).set(math.nan)
        for segment in self._known.segments:
            metrics.customers.labels(segment).set(0)
        for closed in held.kpis:
            self._kpi_closed(closed)
        for kind, version in held.models.items():
            self._show_model(kind, version or NONE)
        self.show_stock(held.stock)

    def show_stock(self, stock: Mapping[tuple[str, str], int]) -> None:
        """Show, after a commit of insights, the sums of the facts without an hour, by (name, by)."""
        metrics, in_clusters = self._metrics, 0
        for (name, by), value in stock.items():
            if name != "customers":
                continue
            if by.startswith(SEGMENT):
                metrics.customers.labels(by.removeprefix(SEGMENT)).set(value)
            elif by.startswith(CLUSTER):
                in_clusters += value
                metrics.cluster_customers.labels(by.removeprefix(CLUSTER)).set(value)
        metrics.cluster_customers.labels(NONE).set(stock.get(("customers_known", ""), 0) - in_clusters)
        metrics.decisions_open.set(stock.get(("decisions_open", ""), 0))
        sent, received = stock.get(("forwards_sent", ""), 0), stock.get(("forwards_received", ""), 0)
        metrics.forwards_open.set(sent - received)
        metrics.links_waiting.set(stock.get(("links_waiting", ""), 0))

    def withdraw_insights(self) -> None:
        """Withdraw what facts show, because another worker owns them now."""
        self._windows.clear()
        self._versions.clear()
        self._metrics.withdraw_insights()

    def withdraw_partition(self, partition: int) -> None:
        """Withdraw how far a journal partition is complete, because another worker owns it now."""
        for gauge in (self._metrics.event_time, self._metrics.time_held_back):
            with suppress(KeyError):  # it may have been given up before its first facts
                gauge.remove(str(partition))

    def _show_zeros(self) -> None:
        metrics, known = self._metrics, self._known
        metrics.wall_clock.set(known.wall_clock)
        for why in LEFT_OUT:
            metrics.facts_left_out.labels(why)
        metrics.anomaly_active.know((*known.kpis, FLOW_MESSAGES, FLOW_INPUTS, *FAULTS_OF))
        for stage, reasons in known.reasons.items():
            for reason in reasons:
                metrics.dead_letters.labels(stage, reason)
        for flow in known.flows:
            metrics.triggers.labels(self._flow(flow))
            for outcome in known.outcomes:
                metrics.decisions.labels(self._flow(flow), outcome)
        for segment in known.segments:
            metrics.segment_changes.labels(segment)
        for model in known.models:
            for channel in known.channels:
                labels = (model, self._channel(channel), self._currency(known.currency))
                metrics.credited.labels(*labels)
                metrics.reversed.labels(*labels)
        for kpi in known.kpis:
            metrics.anomalies.labels(self._kpi(kpi))

    def _trigger(self, trigger: Trigger) -> None:
        self._sums[self._metrics.triggers, self._flow(trigger.flow_id)] += 1

    def _decision(self, decision: Decision) -> None:
        self._sums[self._metrics.decisions, self._flow(decision.flow_id), decision.outcome] += 1

    def _segment_changed(self, change: SegmentChanged) -> None:
        self._sums[self._metrics.segment_changes, change.after] += 1

    def _credit(self, credit: Credit) -> None:
        counter = self._metrics.credited if credit.amount_minor >= 0 else self._metrics.reversed
        labels = (credit.model, self._channel(credit.channel), self._currency(credit.currency))
        self._sums[counter, *labels] += abs(credit.amount_minor)

    def _dead_letter(self, letter: DeadLetter) -> None:
        self._metrics.dead_letters.labels(letter.stage, letter.reason).inc()
        if letter.stage == STAGE_COLLECT:
            self._metrics.collected.inc()

    def _facts(self, facts: Facts) -> None:
        if facts.complete_to_ms is not None:
            self._metrics.event_time.labels(str(facts.partition)).set(facts.complete_to_ms / 1000)
        for count in facts.counts:
            counter = self._counters.get(count.name)
            # a counter only rises; negative facts (a merge found a duplicate) show in the KPIs
            if counter is not None and not count.by and count.value > 0:
                counter.inc(count.value)
            elif count.name == SOURCE_DUPLICATES:
                self._sources.repeated(count)
            elif count.name == REQUESTS:
                _log.warning(NOTHING_ERASED, requests=count.value, partition=facts.partition)

    def _kpi_closed(self, kpi: Kpi) -> None:
        window = (kpi.name, kpi.grain)
        if kpi.by or kpi.start_ms < self._windows.get(window, 0):
            return
        self._windows[window] = kpi.start_ms
        label = self._kpi(kpi.name)
        self._metrics.kpi.labels(label, kpi.grain).set(math.nan if kpi.value is None else kpi.value)
        self._metrics.kpi_window.labels(label, kpi.grain).set(kpi.start_ms / 1000)

    def _anomaly(self, anomaly: Anomaly) -> None:
        if anomaly.kpi in FAULTS_OF:
            self._sources.told(anomaly)
        label = self._kpi(anomaly.kpi)
        if anomaly.status == "raised":
            self._metrics.anomalies.labels(label).inc()
            self._metrics.anomaly_active.opened(label, anomaly.by)
        else:
            self._metrics.anomaly_active.closed(label, anomaly.by)

    def _model(self, model: Model) -> None:
        self._show_model(model.kind, model.version)

    def _show_model(self, kind: str, version: str) -> None:
        before = self._versions.get(kind)
        if before is not None:
            self._metrics.model.remove(kind, before)
        self._versions[kind] = version
        self._metrics.model.labels(kind, version).set(1)
