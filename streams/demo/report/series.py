"""The report's data, as plain series in the order of time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.units import DAY_MS, HOUR_MS
from streams.insights.days import day_start_ms, next_day_ms
from streams.profiles.segments import GRID_SEGMENTS, NO_ORDER, UNSCORED

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from streams.demo.report.reading import Records

_MINOR = 100
_HOURS_SHOWN_MAX = 24 * 28
_ALL_SEGMENTS = (*GRID_SEGMENTS, UNSCORED)


@dataclass(frozen=True, slots=True)
class SegmentSeries:
    """Customers by segment at the end of each step; `counts[segment][i]` belongs to `times_ms[i]`."""

    times_ms: list[int]
    counts: dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class RevenueSeries:
    """Revenue in major units of each window of a grain, and the anomalies of revenue and orders."""

    grain: str
    times_ms: list[int]
    values: list[float]
    anomalies: list[tuple[int, int, str]]
    """(start of the first window, end of the last, high or low)."""


@dataclass(frozen=True, slots=True)
class ClusterPoints:
    """One cluster's customers: days since the last order, orders, spend in major units."""

    number: int
    description: str
    recency_days: list[float]
    orders: list[int]
    spend: list[float]


def segment_series(records: Records, zone: ZoneInfo) -> SegmentSeries:
    """Count by day, or by hour within three days; only customers who have a profile at the end."""
    changes = sorted(
        (change for change in records.segment_changes if change.customer in records.profiles),
        key=lambda change: change.time_ms,
    )
    if not changes:
        return SegmentSeries([], {})
    first_ms, last_ms = changes[0].time_ms, changes[-1].time_ms
    by_hour = last_ms - first_ms < 3 * DAY_MS
    at_ms = first_ms - first_ms % HOUR_MS if by_hour else day_start_ms(first_ms, zone)
    now: Counter[str] = Counter()
    times: list[int] = []
    counts: dict[str, list[int]] = {segment: [] for segment in _ALL_SEGMENTS}
    index = 0
    while index < len(changes):
        at_ms = at_ms + HOUR_MS if by_hour else next_day_ms(at_ms, zone)
        while index < len(changes) and changes[index].time_ms < at_ms:
            now[changes[index].before] -= 1
            now[changes[index].after] += 1
            index += 1
        times.append(at_ms)
        for segment in {*now, *counts} - {NO_ORDER}:
            counts.setdefault(segment, [0] * (len(times) - 1)).append(now[segment])
    return SegmentSeries(times, {segment: values for segment, values in counts.items() if any(values)})


def revenue_series(records: Records) -> RevenueSeries:
    """Sum revenue by hour if that is readable, else by day; cut off windows without revenue at both ends."""
    hours = _windows(records, "hour")
    grain = "hour" if len(hours) <= _HOURS_SHOWN_MAX else "day"
    windows = hours if grain == "hour" else _windows(records, "day")
    cleared = {each.anomaly_id: each.time_ms for each in records.anomalies if each.status == "cleared"}
    end_ms = windows[-1][0] if windows else 0
    anomalies = [
        (each.start_ms, min(cleared.get(each.anomaly_id, end_ms), end_ms) + HOUR_MS, each.direction)
        for each in records.anomalies
        if each.status == "raised"
    ]
    return RevenueSeries(grain, [start for start, _ in windows], [value for _, value in windows], anomalies)


def cluster_points(records: Records) -> list[ClusterPoints]:
    """Return customers by the cluster of their last weekly slot, as of the last processed moment."""
    model = records.clusters
    if model is None:
        return []
    views = [view for view in records.profiles.values() if view.cluster >= 0 and view.last_order_ms is not None]
    now_ms = max((view.scored_ms for view in views), default=0)
    found = []
    for number, description in sorted(zip(model.numbers, model.names, strict=True)):
        members = [view for view in views if view.cluster == number]
        found.append(
            ClusterPoints(
                number,
                description,
                [max(0, now_ms - (view.last_order_ms or 0)) / DAY_MS for view in members],
                [view.orders for view in members],
                [view.monetary_minor / _MINOR for view in members],
            )
        )
    return found


def _windows(records: Records, grain: str) -> list[tuple[int, float]]:
    found = sorted(
        (kpi.start_ms, kpi.numerator / _MINOR)
        for kpi in records.kpis.values()
        if (kpi.name, kpi.grain, kpi.by) == ("revenue_minor", grain, "")
    )
    sold = [index for index, (_, value) in enumerate(found) if value]
    return found[sold[0] : sold[-1] + 1] if sold else []
