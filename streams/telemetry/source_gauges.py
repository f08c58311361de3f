"""Metrics by source and type: counts of what arrived, and the faults that insights have found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.limits_of_quality import SERIES_MAX
from streams.insights.shapes import KPI as SCHEMA
from streams.insights.silent import KPI as SILENCE
from streams.telemetry.gauges import OTHER, SEPARATOR, Bounded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.insights import Anomaly, Arrivals, Count
    from streams.telemetry.metrics import Metrics

SOURCE_DUPLICATES: Final = "source_duplicates"
FAULTS_OF: Final = (SILENCE, SCHEMA)
"""KPIs of anomalies that are faults of a source."""


class SourceGauges:
    """A feeder of the metrics by source; no label has more than SERIES_MAX values."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._series = Bounded(SERIES_MAX)
        self._source = Bounded(SERIES_MAX)

    def arrived(self, arrivals: Arrivals) -> None:
        """Count what arrived in one commit."""
        metrics = self._metrics
        for each in arrivals.series:
            labels = self._labels(each.source, each.type)
            metrics.source_fault.know((SEPARATOR.join((*labels, SILENCE)),))
            for counter, count in (
                (metrics.source_touchpoints, each.count),
                (metrics.source_looked, each.looked),
                (metrics.source_late, each.late),
                (metrics.source_ahead, each.ahead),
                (metrics.source_no_user, each.no_user),
                (metrics.source_no_key, each.no_key),
            ):
                counter.labels(*labels).inc(count)

    def repeated(self, count: Count) -> None:
        """Count touchpoints of a source that had arrived before."""
        source = self._source(count.by.removeprefix("source="))
        self._metrics.source_duplicates.labels(source).inc(count.value)

    def told(self, anomaly: Anomaly) -> None:
        """Show a fault that began or ended."""
        if anomaly.status == "raised":
            self._metrics.source_fault.opened(self._fault(anomaly), anomaly.by)
        else:
            self._metrics.source_fault.closed(self._fault(anomaly), anomaly.by)

    def restore(self, anomalies: Iterable[Anomaly]) -> None:
        """Show the faults that are open in the state, and no others."""
        faults = [anomaly for anomaly in anomalies if anomaly.kpi in FAULTS_OF]
        self._metrics.source_fault.restore([(self._fault(anomaly), anomaly.by) for anomaly in faults])

    def _fault(self, anomaly: Anomaly) -> str:
        named = dict(part.partition("=")[::2] for part in anomaly.by.split(","))
        fault = anomaly.detector if anomaly.kpi == SCHEMA else anomaly.kpi
        return SEPARATOR.join((*self._labels(named.get("source", ""), named.get("type", "")), fault))

    def _labels(self, source: str, kind: str) -> tuple[str, str]:
        source, _, kind = self._series(f"{source}{SEPARATOR}{kind}").partition(SEPARATOR)
        return (source, kind) if kind else (OTHER, OTHER)
