"""A shop's touchpoints as insights hear of them, by source, on wall time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from schemas.insights import Arrivals, FieldCount, SourceCount
from schemas.journal import Hold
from streams.insights.fold import fold_arrivals
from tests.support.insights import HOUR_MS, a_partition, facts, fold_to_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy as np

    from schemas.insights import Anomaly
    from streams.insights.effects import InsightEffects

MINUTE_MS = 60_000
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
MONDAY_MS = 1_767_571_200_000
"""2026-01-05 00:00 UTC."""
ORDERS = ("shop", "order_completed")
VIEWS = ("shop", "product_viewed")


def an_arrival(
    last_ms: int,
    count: int = 1,
    series: tuple[str, str] = ORDERS,
    fields: Mapping[str, int] | None = None,
    **given: Any,
) -> Arrivals:
    """So many touchpoints of a series, all looked at if fields are given."""
    looked = count if fields is not None else 0
    found = tuple(FieldCount(name, "text", number) for name, number in sorted((fields or {}).items()) if number)
    values = {"live": count, "looked": looked, "fields": found, **given}
    values["last_ms"] = last_ms if values["live"] else 0
    hour_ms = last_ms // HOUR_MS * HOUR_MS
    zeros = dict.fromkeys(("late", "ahead", "no_user", "no_key"), 0)
    return Arrivals((SourceCount(series[0], series[1], hour_ms, count, **{**zeros, **values}),))


class Watch:
    """Insights of one prefix, and what they say."""

    def __init__(self, **settings: Any) -> None:
        self.state = a_partition(clock=settings.pop("clock", "wall"), **settings)
        self.said: list[InsightEffects] = []

    def hear(self, arrivals: Arrivals) -> None:
        self.said.append(fold_arrivals(self.state, arrivals))

    def pass_time(self, to_ms: int) -> None:
        self.said.append(fold_to_end(self.state, facts(to=to_ms)))

    @property
    def anomalies(self) -> list[Anomaly]:
        """Of sources, in order."""
        return [each for said in self.said for each in said.anomalies if each.kpi in {"silence", "schema"}]

    @property
    def holds(self) -> list[Hold]:
        return [each for said in self.said for each in said.broadcast if isinstance(each, Hold)]


def office_hours(at_ms: int, rate: float = 60.0) -> float:
    """Touchpoints an hour: from 8 to 20, Sundays closed."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return rate if 8 <= moment.hour < 20 and moment.weekday() < 6 else 0.0


def always(rate: float) -> Callable[[int], float]:
    return lambda _: rate


def live(  # noqa: PLR0917 - a test reads like a sentence
    watch: Watch,
    rates: Mapping[tuple[str, str], Callable[[int], float]],
    from_ms: int,
    to_ms: int,
    chance: np.random.Generator,
    step_ms: int = 5 * MINUTE_MS,
) -> None:
    """Let time pass while series come in as independent Poisson processes."""
    for start_ms in range(from_ms, to_ms, step_ms):
        for series, rate in rates.items():
            count = int(chance.poisson(rate(start_ms) * step_ms / HOUR_MS))
            if count:
                at_ms = start_ms + int(max(chance.integers(step_ms, size=count)))
                watch.hear(an_arrival(at_ms, count, series))
        watch.pass_time(start_ms + step_ms)


def of_kind(anomalies: Iterable[Anomaly], kpi: str, status: str = "raised") -> list[Anomaly]:
    return [each for each in anomalies if (each.kpi, each.status) == (kpi, status)]
