"""Facts and partitions as a test needs them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from schemas.insights import Count, Facts, PanelRow
from schemas.journal import RULES, Configured, ModelChunk, ModelTick
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.insights.fold import configured, fold_facts
from streams.insights.state import InsightCodec, Row
from streams.processors.insighting import GOING_ON
from streams.settings import DomainSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.insights import Kpi
    from streams.insights.effects import InsightEffects

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS


def at(text: str, zone: str = "UTC") -> int:
    """Local time such as 2024-03-31T02:00 in ms."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1000


def a_partition(store: MemoryStore | None = None, **settings: Any) -> Overlay[Any]:
    """Empty state, configured; one journal partition and no grace unless told."""
    state: Overlay[Any] = Overlay(store or MemoryStore(), InsightCodec())
    chosen = {"journal_partitions": 1, "grace_ms": 0, **settings}
    configured(state, Configured(DomainSettings(**chosen).model_dump_json(), 0, RULES))
    return state


def counts(hour_ms: int, **values: int) -> tuple[Count, ...]:
    return tuple(Count(name, hour_ms, "", value) for name, value in values.items())


def facts(*given: Count, to: int | None = None, partition: int = 0, panel: Iterable[PanelRow] = ()) -> Facts:
    return Facts(partition, to, given, tuple(panel))


def a_row(
    customer: int = 1,
    slot_ms: int = 0,
    *,
    recency_ms: int = DAY_MS,
    orders: int = 1,
    monetary_minor: int = 1_000,
    gap_ms: int = 0,
    engagement: float = 0.0,
) -> PanelRow:
    return PanelRow(customer, slot_ms, recency_ms, orders, monetary_minor, gap_ms, engagement)


def as_row(row: PanelRow) -> Row:
    return Row(
        row.slot_ms, row.customer_hash, row.recency_ms, row.orders, row.monetary_minor, row.gap_ms, row.engagement
    )


# recency in days, orders, spend in major units, gap in days, engagement
KINDS = (
    (5, 12, 2_000, 20, 3.0),
    (20, 3, 150, 60, 1.0),
    (200, 1, 40, 0, 0.0),
    (150, 10, 900, 35, 0.5),
    (8, 1, 25, 0, 2.0),
)


def some_rows(chance: np.random.Generator, count: int, drift: float = 0.0) -> list[Row]:
    """Rows of the five kinds above; with `drift` all of them get older and richer."""
    rows = []
    for index in range(count):
        recency, orders, spend, gap, engagement = KINDS[int(chance.integers(len(KINDS)))]
        noise = chance.lognormal(0, 0.25, 4)
        rows.append(
            Row(
                0,
                int(chance.integers(1 << 62)) + index,
                int(recency * (1 + drift) * noise[0] * DAY_MS),
                max(1, round(orders * noise[1])),
                int(spend * (1 + drift) * noise[2] * 100),
                int(gap * noise[3] * DAY_MS),
                max(0.0, engagement + float(chance.normal(0, 0.2))),
            )
        )
    return rows


def some_weeks(seed: int, weeks: int) -> list[Facts]:
    """Facts from Monday 2024-01-01 on, told each six hours: counts of each hour, 400 panel rows a week, stocks."""
    chance = np.random.default_rng(seed)
    monday = at("2024-01-01T00:00")
    records = [facts(to=monday)]
    for week in range(weeks):
        start = monday + week * WEEK_MS
        slots = chance.integers(start + 1, start + WEEK_MS + 1, size=400).tolist()
        rows = [
            msgspec.structs.replace(row, slot_ms=slot) for row, slot in zip(some_rows(chance, 400), slots, strict=True)
        ]
        for part in range(start, start + WEEK_MS, 6 * HOUR_MS):
            end = part + 6 * HOUR_MS
            given = [
                count
                for hour in range(part, end, HOUR_MS)
                for count in counts(hour, orders=int(chance.poisson(20)), revenue_minor=int(chance.integers(90_000)))
            ]
            panel = [PanelRow(**msgspec.structs.asdict(row)) for row in rows if part < row.slot_ms <= end]
            records.append(facts(*given, Count("customers_ordered", 0, "", len(panel)), to=end, panel=panel))
    return records


def fold_to_end(state: Overlay[Any], record: Facts, appended_ms: int = 0) -> InsightEffects:
    """Folds a record, and those with which insights go on after it."""
    effects = fold_facts(state, record, appended_ms)
    behind = effects.is_behind
    while behind:
        more = fold_facts(state, GOING_ON, appended_ms)
        behind = more.is_behind
        effects.kpis += more.kpis
        effects.anomalies += more.anomalies
        effects.models += more.models
        effects.broadcast += more.broadcast
        effects.left_out.update(more.left_out)
        effects.beyond_long += more.beyond_long
    effects.is_behind = False
    return effects


def fold_all(state: Overlay[Any], records: Iterable[Facts]) -> list[InsightEffects]:
    return [fold_to_end(state, record) for record in records]


def kpis_of(effects: Iterable[InsightEffects], name: str, grain: str = "hour", by: str = "") -> list[Kpi]:
    return [kpi for one in effects for kpi in one.kpis if (kpi.name, kpi.grain, kpi.by) == (name, grain, by)]


def final(kpis: Iterable[Kpi]) -> dict[tuple[str, str, int, str], tuple[int, int]]:
    """Last word on each KPI: (name, grain, start, by) -> (numerator, denominator)."""
    last: dict[tuple[str, str, int, str], Kpi] = {}
    for kpi in kpis:
        key = (kpi.name, kpi.grain, kpi.start_ms, kpi.by)
        if key not in last or kpi.revision > last[key].revision:
            last[key] = kpi
    return {key: (kpi.numerator, kpi.denominator) for key, kpi in last.items()}


def ticks_of(effects: Iterable[InsightEffects]) -> list[ModelTick]:
    return [record for one in effects for record in one.broadcast if isinstance(record, ModelTick)]


def chunks_of(effects: Iterable[InsightEffects]) -> list[ModelChunk]:
    return [record for one in effects for record in one.broadcast if isinstance(record, ModelChunk)]
