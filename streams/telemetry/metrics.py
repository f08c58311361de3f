"""All metrics of a worker; a comment says what a rise means and what to do about it.

Amounts are minor units of the reporting currency, or of the one that a label names. Counters (`_total`) count what this
worker committed since it started: sum them over workers. Only the owner of the facts shows stock, KPIs, anomalies and
models: take the maximum over workers. No label names a customer.
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


SILENT_S_MAX = 30.0
"""Brokers that have not answered for longer are away: the worker is not ready, and its lag is not known."""


class EngineStatus(Protocol):
    """The engine's status, at any time, on the event loop. Times are unix seconds, 0 before the first."""

    @property
    def ready(self) -> bool:
        """Return whether the worker is in the group and every assigned partition is restored."""

    @property
    def polled_s(self) -> float:
        """Return when the poller last polled, with or without records."""

    @property
    def committed_s(self) -> float:
        """Return when the last commit succeeded."""

    @property
    def commits(self) -> int:
        """Return how many cycles were committed since the start."""

    @property
    def aborts(self) -> int:
        """Return how many cycles were aborted since the start."""

    @property
    def silent_s(self) -> float:
        """Return for how long the brokers have not answered."""

    @property
    def unsent(self) -> int:
        """Return how many records the producer has that the brokers have not yet accepted."""

    @property
    def restore_s(self) -> float:
        """Return how long the last restore of a partition took."""

    @property
    def clock_ahead_s(self) -> float:
        """Return how far this machine's clock is ahead of the brokers'; nan: not known."""

    @property
    def failure(self) -> str:
        """Return why the worker is about to end; empty: it is not."""

    @property
    def lost(self) -> Mapping[tuple[str, int], int]:
        """Return by (topic, partition) how many records, at most, were deleted before they were read."""

    def lags(self) -> Mapping[tuple[str, int], int]:
        """Return by owned (topic, partition) the records not yet processed."""

    def restored(self) -> Mapping[tuple[str, int], float]:
        """Return by owned (topic, partition) with state the share restored, 0 to 1."""


class Metrics:
    """All metrics of one worker, in a registry of their own; `clock` gives seconds for held gauges."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._declare_flow()
        self._declare_effects()
        self._declare_shop()
        self._declare_sources(clock)
        self._declare_stock(clock)
        self._declare_worker()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"touchstream_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"touchstream_{name}", text, labels, registry=self.registry)

    def _declare_flow(self) -> None:
        # Rises with what producers send. Flat while they send: check the lag and /health/ready.
        self.collected = self._counter("touchpoints_collected", "Records read from the touchpoints topic")
        # Lower than `collected` only by the records that collect refused.
        self.journalled = self._counter("touchpoints_journalled", "Touchpoints written to the journal")
        # A rise: a producer has another partitioner than murmur2, so a customer's touchpoints may come out of order.
        # deploy/guide/messages.md says what each client needs. One record in sixteen is looked at.
        self.misplaced = self._counter("misplaced_touchpoints", "Touchpoints in another partition than their key's")
        # `wrong_type`, `too_long`: a source sends what the catalogue does not say; compare a record with the catalogue.
        # `not_named`: properties and traits that nobody asked for. Name them in the setting `attributes` to keep them.
        self.let_go = self._counter("attributes_let_go", "Values that were not kept", "attribute", "why")
        # A rise: a producer sends unusable records. The reason says why, the dead-letters topic has the bytes.
        self.dead_letters = self._counter("dead_letters", "Records that could not be used", "stage", "reason")
        # Follows `journalled`; later for a device's records, which are forwarded to its user.
        self.folded = self._counter("folded", "Touchpoints processed in their final profile")
        # A rise: a producer retries, or a file was sent twice. It does no harm, as each counts once; ask the producer.
        self.duplicates = self._counter("duplicates", "Touchpoints that arrived again")
        # What programs opened, clicked and looked at, kept out of all else. A rise: a mailbox provider or a crawler.
        self.machines = self._counter("machine_touchpoints", "Touchpoints of machines, which only count here", "fact")

    def _declare_effects(self) -> None:
        # Messages that subscribers send. A jump without more entries: a flow file changed; pause the flow and check it.
        self.triggers = self._counter("triggers", "Messages to send", "flow")
        # Why messages were not sent. Many `capped` or `too_old`: check the flow's limits, and the delay of events.
        self.decisions = self._counter("decisions", "Decisions about possible messages of flows", "flow", "outcome")
        # A wave on Mondays comes from new boundaries. A wave on another day: an import, or a fault in the data sent.
        self.segment_changes = self._counter("segment_changes", "Customers who entered a segment", "segment")
        # Credit follows revenue. More `direct`: touches arrive without a channel; check the mapping of campaigns.
        self.credited = self._counter("credited_minor", "Revenue credited to a channel", "model", "channel", "currency")
        # A rise: refunds. Above a fifth of the credit, check the shop's returns before you blame a channel.
        self.reversed = self._counter("reversed_minor", "Credit reversed after refunds", "model", "channel", "currency")

    def _declare_shop(self) -> None:
        # Orders that this worker processed. Down while `collected` is steady: checkout events are missing.
        self.orders = self._counter("orders", "Orders processed")
        # Follows orders. A rise without more orders: look for a price error.
        self.revenue = self._counter("revenue_minor", "Revenue of the orders processed")
        # A rise: the shop has more returns.
        self.refunds = self._counter("refunds_minor", "Refunds processed")
        # The last closed window, corrected when late facts come; nan: no such window yet, or division by zero.
        self.kpi = self._gauge("kpi", "KPI of the last closed window", "kpi", "grain")
        # Does not move: a partition's facts do not arrive; check the event time of the partitions.
        self.kpi_window = self._gauge(
            "kpi_window_timestamp_seconds", "Start of the window shown, in the shop's time", "kpi", "grain"
        )
        # Facts that no KPI has. `too_old`: events came weeks late; replay them into another prefix. `row_beyond` and
        # `late_row`: models learn from the other rows. Any other: someone else writes to the topic; check its grants.
        self.facts_left_out = self._counter("facts_left_out", "Facts that were not added up", "why")
        # A rise: producers send absurd amounts. The value of such a KPI is right; look for the orders and refuse them.
        self.kpis_beyond_long = self._counter(
            "kpis_beyond_long", "KPIs of which no 64-bit number holds the exact parts"
        )
        # Incidents raised. More than a few a day on one KPI: its usual pattern changed, or its source is broken.
        self.anomalies = self._counter("anomalies", "Anomalies raised", "kpi")

    def _declare_sources(self, clock: Callable[[], float]) -> None:
        by = ("source", "type")
        # What each producer sends. Flat while it usually sends: see the runbook, SourceSilent.
        self.source_touchpoints = self._counter("source_touchpoints", "Touchpoints written to the journal", *by)
        # Those looked at closely, of which the next ones are shares: one in sixteen, and the first of a commit.
        self.source_looked = self._counter("source_looked", "Touchpoints looked at closely", *by)
        # A rise of its share: a producer is behind, sends in batches, or sends history. See the runbook, SourceLate.
        self.source_late = self._counter("source_late", "Of these, received more than an hour after their time", *by)
        # A rise: the clock of a producer is wrong. See the runbook, SourceClockAhead.
        self.source_ahead = self._counter("source_ahead", "Of these, with a time that was yet to come", *by)
        # A rise of its share: a producer no longer knows who its users are, or sends an id that means nobody.
        self.source_no_user = self._counter("source_no_user", "Of these, without user_id", *by)
        # A rise: orders of guests, or an id is missing. Such touchpoints belong to no customer.
        self.source_no_key = self._counter("source_no_key", "Of these, without user, device and address", *by)
        # A rise: the source retries, or sends a file twice. Each counts once.
        self.source_duplicates = self._counter("source_duplicates", "Touchpoints that had arrived before", "source")
        # 1: silent, or a field vanished, was renamed or has another kind; the topic anomalies names the field.
        self.source_fault = HeldGauge(
            "touchstream_source_fault",
            "1 while a source has this fault, held for several scrapes",
            clock,
            labels=("source", "type", "fault"),
        )
        self.registry.register(self.source_fault)

    def _declare_stock(self, clock: Callable[[], float]) -> None:
        # 1: a KPI left its range, and KpiAnomaly fires; the anomalies topic has the observed and the expected value.
        self.anomaly_active = HeldGauge(
            "touchstream_anomaly_active", "1 while a KPI is outside its expected range, held for several scrapes", clock
        )
        self.registry.register(self.anomaly_active)
        # Customers by value. If At Risk or Hibernating grows, the shop needs a win-back, not an engineer.
        self.customers = self._gauge("customers", "Customers now in a segment", "segment")
        # Customers by behaviour; a cluster without customers is renamed or merged at the next weekly tick.
        self.cluster_customers = self._gauge("cluster_customers", "Customers now in a cluster", "cluster")
        # Above 0: a customer left a flow, or entered it, without a record in decisions; alert ReceiptsMissing.
        self.candidates_unaccounted = self._counter(
            "candidates_unaccounted", "Possible messages of flows that began or ended without a decision record"
        )
        # Possible messages that wait for their time. Only ever up: the journal's time does not advance.
        self.decisions_open = self._gauge("decisions_open", "Possible messages of flows without a final decision")
        # Records on their way from a device's profile to its user's. Above 0 for minutes: a worker is missing.
        self.forwards_open = self._gauge("forwards_open", "Records forwarded to another profile and not yet received")
        # Mostly the second id never came as a user's: a source may send ids of devices. They stay until it comes.
        self.links_waiting = self._gauge("links_waiting", "Links of two users that wait until both are known")
        # 1 for the current version of each kind. A version older than a week: a weekly tick did not come.
        self.model = self._gauge("model_info", "Current version of each model", "kind", "version")

    def _declare_worker(self) -> None:
        # The group, instance and version that run here.
        self.worker = Info("touchstream_worker", "This worker", registry=self.registry)
        # 1 on wall time. 0: a replay whose own time may be years ago, so its delay means nothing.
        self.wall_clock = self._gauge("wall_clock", "1 if the journal's time is wall time")
        # How far a journal partition is complete. Far in the past: one input partition is stuck and delays all.
        self.event_time = self._gauge(
            "event_time_seconds", "Unix time up to which a journal partition is complete", "partition"
        )
        # A second or two is usual. More: a journal partition has a lag or no owner. Timers everywhere wait for it,
        # because it may still hold a customer's withdrawal of consent.
        self.time_held_back = self._gauge(
            "time_held_back_seconds",
            "How far time waits for records that are collected but not yet processed",
            "partition",
        )
        # Up to 50 ms is usual. Slow commits: the brokers are busy, or a transaction coordinator is moving.
        self.commit_seconds = Histogram(
            "touchstream_commit_seconds", "Duration of commits", buckets=COMMIT_BUCKETS_S, registry=self.registry
        )

    def watch(self, status: EngineStatus) -> None:
        """Ask the engine at each scrape."""
        self.registry.register(_Engine(status))

    def withdraw_insights(self) -> None:
        """Withdraw what facts show, because another worker owns them now."""
        self.anomaly_active.withdraw()
        self.source_fault.withdraw()
        for gauge in (self.customers, self.cluster_customers, self.kpi, self.kpi_window, self.model):
            gauge.clear()
        for alone in (self.decisions_open, self.forwards_open, self.links_waiting):
            alone.set(0)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class _Engine(Collector):
    """The engine's state at the moment of a scrape, so that a partition given up leaves no series."""

    def __init__(self, status: EngineStatus) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status
        # Flat with a lag: nothing is processed; the log names the batch or the broker.
        yield CounterMetricFamily("touchstream_commits", "Cycles committed", value=status.commits)
        # A few at a rebalance are usual. A steady rise: the log names the broker or the record at fault.
        yield CounterMetricFamily("touchstream_aborts", "Cycles aborted", value=status.aborts)
        # 0 for long: a restore does not end, or the worker is not in the group.
        yield _gauge("touchstream_ready", "1 while this worker is restored and in the group", status.ready)
        # Does not move: the poller hangs. The worker loses its partitions; restart it.
        yield _gauge("touchstream_polled_timestamp_seconds", "Time of the last poll", status.polled_s)
        # Does not move with a lag: see commits.
        yield _gauge("touchstream_committed_timestamp_seconds", "Last commit", status.committed_s)
        # Minutes: local state was lost, or is far behind. Keep the state folder over restarts.
        yield _gauge("touchstream_restore_seconds", "Duration of the last restore", status.restore_s)
        # Stays high: the brokers do not accept records fast enough, and the worker waits for them.
        yield _gauge("touchstream_unsent_records", "Records that the brokers have not yet accepted", status.unsent)
        # More than half a second off: set this machine's clock, or a broker's. nan: no broker stamped a record lately.
        yield _gauge("touchstream_clock_ahead_seconds", "Clock here, ahead of the brokers'", status.clock_ahead_s)
        # Rises: no broker answers, or one that leads a partition of this worker does not. See to the brokers.
        yield _gauge("touchstream_brokers_silent_seconds", "Time since the brokers answered", status.silent_s)
        lags = status.lags()
        # More than 0: retention deletes records before they are read. See the runbook, RecordsLost.
        lost = CounterMetricFamily("touchstream_lost_records", "Records deleted unread", labels=["topic", "partition"])
        for (topic, partition), count in sorted({**dict.fromkeys(lags, 0), **status.lost}.items()):
            lost.add_metric([topic, str(partition)], count)
        yield lost
        # Grows: more arrives than is processed. Add workers, up to the number of partitions. Missing: not known.
        known = lags if status.silent_s <= SILENT_S_MAX else {}
        yield _by_partition("touchstream_lag_records", "Records not yet processed", known)
        # Below 1: the partition is being restored, and its customers wait.
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
