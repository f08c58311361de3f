"""Metrics of the door; a comment says what a rise means and what to do about it. Labels are names of its file.

They are counted in plain numbers on the event loop, and only put into form when somebody asks: a counter of the client
library takes a lock each time, and a call would have five.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
ACCEPTED = "202"


class Tally:
    """What was accepted of one sender."""

    __slots__ = ("answers", "bytes", "records")

    def __init__(self) -> None:
        self.answers = self.records = self.bytes = 0


class DoorMetrics(Collector):
    """All metrics of one process of the door, in a registry of their own."""

    def __init__(self) -> None:
        self._tallies: dict[str, Tally] = {}
        self._refused: Counter[tuple[str, str]] = Counter()
        self._times = [0] * (len(BUCKETS_S) + 1)
        self._time_s = 0.0
        self._gauges: list[tuple[str, str, Callable[[], float]]] = []
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.registry.register(self)

    def tally(self, sender: str) -> Tally:
        """Return what counts the accepted requests of a sender."""
        return self._tallies.setdefault(sender, Tally())

    def refused(self, sender: str, status: int) -> None:
        """Count a request that was answered with another status; `sender` may be empty."""
        self._refused[sender, str(int(status))] += 1

    def acknowledged(self, seconds: float) -> None:
        """Count how long Kafka took for a request."""
        self._times[bisect_left(BUCKETS_S, seconds)] += 1
        self._time_s += seconds

    def watch(
        self, held_bytes: Callable[[], float], connections: Callable[[], float], ready: Callable[[], float]
    ) -> None:
        """Show what is so now, whenever it is asked for."""
        self._gauges = [
            # Near its setting: calls are answered with 503. Brokers are too slow for what comes in.
            ("serve_unacknowledged_bytes", "Bytes read that Kafka has not acknowledged", held_bytes),
            # Near its setting: idle clients are closed. Raise it, or see who connects.
            ("serve_connections", "Connections that are open", connections),
            # 0: Kafka is away, or the process is stopping.
            ("serve_ready", "1 while calls are accepted", ready),
        ]

    def text(self) -> bytes:
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        # Statuses other than 202 rise: 400, a sender has a mistake; 401, a key is wrong; 413 and 429, they send more
        # than their limits; 503, Kafka is away or too slow; 500, a bug, and the log has its place.
        answers = CounterMetricFamily("touchstream_serve_answers", "Requests answered", labels=["sender", "status"])
        # Rises with what is sent. One call is one record of touchpoints.
        records = CounterMetricFamily("touchstream_serve_records", "Records that Kafka has", labels=["sender"])
        size = CounterMetricFamily("touchstream_serve_bytes", "Bytes of accepted bodies, unpacked", labels=["sender"])
        for sender, tally in self._tallies.items():
            answers.add_metric([sender, ACCEPTED], tally.answers)
            records.add_metric([sender], tally.records)
            size.add_metric([sender], tally.bytes)
        for (sender, status), count in self._refused.items():
            answers.add_metric([sender, status], count)
        yield from (answers, records, size)
        # High: brokers are slow, or far away.
        name = "touchstream_serve_acknowledged_seconds"
        times = HistogramMetricFamily(name, "Time until Kafka has acknowledged a request")
        bounds = [*(str(float(bound)) for bound in BUCKETS_S), "+Inf"]
        times.add_metric([], list(zip(bounds, accumulate(self._times), strict=True)), self._time_s)
        yield times
        for name, text, value in self._gauges:
            yield GaugeMetricFamily(f"touchstream_{name}", text, value=float(value()))
