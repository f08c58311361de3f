"""Every metric of a worker, with what its rise means and what to do about it.

Amounts are minor units of the reporting currency. Counters (`_total`) count what this worker committed since it
started: sum them over workers. What the facts' owner alone knows (stock, KPIs, anomalies, models) is shown by that
worker only: take the maximum. No label names a customer.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from streams.telemetry.gauges import HeldGauge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client.core import Metric

COMMIT_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class EngineStatus(Protocol):
    """What the engine tells of itself, at any time, on the event loop. Times are unix seconds, 0 before the first."""

    @property
    def ready(self) -> bool:
        """A member of the group, every assigned partition restored."""

    @property
    def polled_s(self) -> float:
        """When the poller last came round, with or without records."""

    @property
    def committed_s(self) -> float:
        """When the last commit succeeded."""

    @property
    def commits(self) -> int:
        """Cycles committed since the start."""

    @property
    def aborts(self) -> int:
        """Cycles aborted since the start."""

    @property
    def unsent(self) -> int:
        """Records handed to the producer that the brokers have not taken yet."""

    @property
    def restore_s(self) -> float:
        """How long the last restore of a partition took."""

    def lags(self) -> Mapping[tuple[str, int], int]:
        """By owned (topic, partition): records not yet processed."""

    def restored(self) -> Mapping[tuple[str, int], float]:
        """By owned (topic, partition) with state: the share restored, 0 to 1."""


class Metrics:
    """All metrics of one worker, in a registry of their own. `clock`: seconds for what is held."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._declare_flow()
        self._declare_effects()
        self._declare_shop()
        self._declare_stock(clock)
        self._declare_worker()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"touchstream_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"touchstream_{name}", text, labels, registry=self.registry)

    def _declare_flow(self) -> None:
        # Follows the producers. Flat while they send: look at the lag and at /health/ready.
        self.collected = self._counter("touchpoints_collected", "Records taken from the touchpoints topic")
        # Falls behind `collected` by what collect refused, and by nothing else.
        self.journalled = self._counter("touchpoints_journalled", "Touchpoints written to the journal")
        # A rise: a producer sends what cannot be used. The reason says what, the dead-letters topic has the bytes.
        self.dead_letters = self._counter("dead_letters", "Records that could not be used", "stage", "reason")
        # Follows `journalled`, later where a device's records are forwarded to its user.
        self.folded = self._counter("folded", "Touchpoints folded at their final profile")
        # A rise: a producer retries, or a file is sent twice. Harmless, each counts once; ask the producer.
        self.duplicates = self._counter("duplicates", "Touchpoints seen before")

    def _declare_effects(self) -> None:
        # What subscribers send. A jump without more entries: a changed flow file; pause the flow while you look.
        self.triggers = self._counter("triggers", "Messages to be sent", "flow")
        # Where the no's come from. Many `capped` or `too_old`: see the flow's limits, and the delay of events.
        self.decisions = self._counter("decisions", "Records about candidates of flows", "flow", "outcome")
        # A wave on Mondays is new cuts; a wave on another day is an import, or a fault upstream.
        self.segment_changes = self._counter("segment_changes", "Customers who entered a segment", "segment")
        # Credit follows revenue. More `direct`: touches arrive without a channel, look at the mapping of campaigns.
        self.credited = self._counter("credited_minor", "Revenue credited to a channel", "model", "channel")
        # A rise: refunds. Above a fifth of what is credited, look at the shop's returns before blaming a channel.
        self.reversed = self._counter("reversed_minor", "Credit taken back after refunds", "model", "channel")

    def _declare_shop(self) -> None:
        # The shop's trade as folded here. Down while `collected` is steady: the events of checkout are missing.
        self.orders = self._counter("orders", "Orders folded")
        # As orders; up without orders: look for a price error.
        self.revenue = self._counter("revenue_minor", "Revenue of the orders folded")
        # The shop's returns.
        self.refunds = self._counter("refunds_minor", "Refunds folded")
        # The last closed window, corrected as late facts come; nan: no such window yet, or nothing to divide by.
        self.kpi = self._gauge("kpi", "KPI of the last closed window", "kpi", "grain")
        # Stands still: a partition's facts do not come, see the event time of the partitions.
        self.kpi_window = self._gauge(
            "kpi_window_timestamp_seconds", "Start of the window shown, of the shop's time", "kpi", "grain"
        )
        # Incidents raised. More than a few a day on one KPI: its season changed, or its source is broken.
        self.anomalies = self._counter("anomalies", "Anomalies raised", "kpi")

    def _declare_stock(self, clock: Callable[[], float]) -> None:
        # 1: a KPI is off, alert KpiAnomaly fires; the anomalies topic has the observed and the expected value.
        self.anomaly_active = HeldGauge(
            "touchstream_anomaly_active", "1 while a KPI is off, held for several scrapes", clock
        )
        self.registry.register(self.anomaly_active)
        # The base by value. A growing At Risk or Hibernating wants a win-back, not an engineer.
        self.customers = self._gauge("customers", "Customers now in a segment", "segment")
        # Groups by behaviour; a cluster that empties is renamed or merged at the next tick.
        self.cluster_customers = self._gauge("cluster_customers", "Customers now in a cluster", "cluster")
        # Above 0: a customer left a flow, or entered it, without a record in decisions; alert ReceiptsMissing.
        self.candidates_unaccounted = self._counter(
            "candidates_unaccounted", "Candidates of flows that came or went without a receipt"
        )
        # Candidates that wait for their time. Only ever up: the journal's time stands still.
        self.decisions_open = self._gauge("decisions_open", "Candidates of flows without a final record")
        # Records on their way from a device's profile to its user's. Above 0 for minutes: a worker is missing.
        self.forwards_open = self._gauge("forwards_open", "Records forwarded and not yet received")
        # 1 for the version in force of each kind; a version older than a week: a tick did not come.
        self.model = self._gauge("model_info", "Version of each model in force", "kind", "version")

    def _declare_worker(self) -> None:
        # Which group, slot and version run here.
        self.worker = Info("touchstream_worker", "This worker", registry=self.registry)
        # 1 on wall time. 0: a replay whose own time may be years ago; its delay means nothing.
        self.wall_clock = self._gauge("wall_clock", "1 where the journal's time is wall time")
        # How far a journal partition is complete. Far behind now: one input partition is stuck and holds all up.
        self.event_time = self._gauge(
            "event_time_seconds", "Unix time up to which a journal partition is complete", "partition"
        )
        # A second or two. More: a journal partition has a lag or no owner, and timers everywhere wait for it, so that
        # nobody is written to whose withdrawal still lies in it.
        self.time_held_back = self._gauge(
            "time_held_back_seconds", "Collected time that waits until all of it is folded", "partition"
        )
        # Up to 50 ms is usual. Slow commits: the brokers are busy, or a transaction coordinator is moving.
        self.commit_seconds = Histogram(
            "touchstream_commit_seconds", "Duration of commits", buckets=COMMIT_BUCKETS_S, registry=self.registry
        )

    def watch(self, status: EngineStatus) -> None:
        """Ask the engine at each scrape."""
        self.registry.register(_Engine(status))

    def withdraw_insights(self) -> None:
        """The facts have gone to another worker, which shows what they say."""
        self.anomaly_active.withdraw()
        for gauge in (self.customers, self.cluster_customers, self.kpi, self.kpi_window, self.model):
            gauge.clear()
        for alone in (self.decisions_open, self.forwards_open):
            alone.set(0)

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)


class _Engine(Collector):
    """The engine's state at the moment of a scrape: a partition that has left leaves no series behind."""

    def __init__(self, status: EngineStatus) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status
        # Flat with a lag: nothing gets through; the log names the batch or the broker.
        yield CounterMetricFamily("touchstream_commits", "Cycles committed", value=status.commits)
        # A few at a rebalance. A steady rise: the log says whether a broker or a record is to blame.
        yield CounterMetricFamily("touchstream_aborts", "Cycles aborted", value=status.aborts)
        # 0 for long: a restore that does not end, or no seat in the group.
        yield _gauge("touchstream_ready", "1 while this worker is restored and in the group", status.ready)
        # Stands still: the poller hangs; the worker loses its partitions, and a restart helps.
        yield _gauge("touchstream_polled_timestamp_seconds", "Last round of the poller", status.polled_s)
        # Stands still with a lag: as commits.
        yield _gauge("touchstream_committed_timestamp_seconds", "Last commit", status.committed_s)
        # Minutes: local state was lost, or is far behind; keep the state's folder over restarts.
        yield _gauge("touchstream_restore_seconds", "Duration of the last restore", status.restore_s)
        # Stays high: the brokers do not take what is sent. A cycle has a bound, so the worker waits with it.
        yield _gauge("touchstream_unsent_records", "Records sent that the brokers have not taken yet", status.unsent)
        lags = status.lags()
        # Grows: more comes than is worked off; add workers, up to the number of partitions.
        yield _by_partition("touchstream_lag_records", "Records not yet processed", lags)
        # Below 1: being restored; its customers wait.
        yield _by_partition("touchstream_restored_ratio", "Share of the state restored", status.restored())
        # Uneven for long: a worker is missing, or there are more workers than partitions.
        yield _gauge("touchstream_partitions_owned", "Input partitions owned", len(lags))


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))


def _by_partition(name: str, text: str, values: Mapping[tuple[str, int], float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["topic", "partition"])
    for (topic, partition), value in sorted(values.items()):
        family.add_metric([topic, str(partition)], value)
    return family
