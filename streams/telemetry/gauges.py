"""Two parts that prometheus_client lacks: a gauge held for several scrapes, and a limit on label values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client.core import Metric

HELD_S = 90.0
LABEL_VALUES_MAX = 100
OTHER = "other"
SEPARATOR = "\x1f"
"""Between the values of several labels."""


class Bounded:
    """Values of a label that others choose: the first hundred keep their names, the rest are `other`."""

    def __init__(self, limit: int = LABEL_VALUES_MAX) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        if value in self._known:
            return value
        if len(self._known) >= self._limit:
            return OTHER
        self._known.add(value)
        return value


class HeldGauge(Collector):
    """A gauge by KPI: 1 while an anomaly is open, and for at least `held_s` after each was raised; otherwise 0.

    So several scrapes see an anomaly that a replay opens and closes within a second. Nothing is shown before
    `restore` and after `withdraw`. `clock` returns seconds and never goes back. A gauge with more labels takes their
    values, joined by SEPARATOR, in the place of the KPI.
    """

    def __init__(
        self,
        name: str,
        text: str,
        clock: Callable[[], float],
        held_s: float = HELD_S,
        *,
        labels: Sequence[str] = ("kpi",),
    ) -> None:
        self._labels = labels
        self._name = name
        self._text = text
        self._clock = clock
        self._held_s = held_s
        self._shown = False
        self._kpis: set[str] = set()
        self._open: set[tuple[str, str]] = set()
        self._held_until: dict[str, float] = {}

    def know(self, kpis: Iterable[str]) -> None:
        """Show these KPIs as 0 before their first anomaly."""
        self._kpis.update(kpis)

    def restore(self, active: Iterable[tuple[str, str]]) -> None:
        """Show the incidents (kpi, by) that are open in the state, and no others."""
        self._open = set(active)
        self._kpis.update(kpi for kpi, _ in self._open)
        self._shown = True

    def withdraw(self) -> None:
        """Show nothing: another worker shows them from now on."""
        self._shown = False
        self._open.clear()
        self._held_until.clear()

    def opened(self, kpi: str, by: str) -> None:
        """Show an incident that this worker itself has raised."""
        self._shown = True
        self._kpis.add(kpi)
        self._open.add((kpi, by))
        self._held_until[kpi] = self._clock() + self._held_s

    def closed(self, kpi: str, by: str) -> None:
        self._open.discard((kpi, by))

    def values(self) -> dict[str, float]:
        """Return 1 or 0 by KPI; empty while withdrawn."""
        if not self._shown:
            return {}
        now_s = self._clock()
        open_now = {kpi for kpi, _ in self._open}
        held = {kpi for kpi, until_s in self._held_until.items() if now_s < until_s}
        return {kpi: float(kpi in open_now or kpi in held) for kpi in sorted(self._kpis)}

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(self._name, self._text, labels=self._labels)
        for kpi, value in self.values().items():
            family.add_metric(kpi.split(SEPARATOR), value)
        yield family
