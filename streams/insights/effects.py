"""Effects of folding facts, as data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.insights import Anomaly, Kpi, Model
    from schemas.journal import Hold, ModelChunk, ModelTick


TOO_OLD, UNKNOWN, BAD_HOUR, BAD_ROW, BAD_TIME, BAD_SOURCE, LATE_ROW, ROW_BEYOND = LEFT_OUT = (
    "too_old",
    "unknown",
    "bad_hour",
    "bad_row",
    "bad_time",
    "bad_source",
    "late_row",
    "row_beyond",
)
"""Why facts are not added up: see the metric `facts_left_out`."""
FOREIGN = frozenset({UNKNOWN, BAD_HOUR, BAD_ROW, BAD_TIME, BAD_SOURCE})
"""What no release of ours writes."""


@dataclass(slots=True)
class InsightEffects:
    """Records to send, in order, and integers to add to meters; one fold fills it.

    `broadcast` goes to every journal partition, in order.
    `stocks` holds (name, by) -> total of each stock that changed.
    """

    kpis: list[Kpi] = field(default_factory=list)
    anomalies: list[Anomaly] = field(default_factory=list)
    models: list[Model] = field(default_factory=list)
    broadcast: list[Hold | ModelChunk | ModelTick] = field(default_factory=list)
    stocks: dict[tuple[str, str], int] = field(default_factory=dict)
    is_behind: bool = False
    """Whether hours, days or weeks that are complete wait for another record."""
    corrections: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """Facts that were not added up, by why: LEFT_OUT."""
    beyond_long: int = 0
    """KPIs of which a part is not exact, as no long holds it."""
    rows_learnt: int = 0
    cluster_restarts: int = 0
