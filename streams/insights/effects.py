"""Effects of folding facts, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.insights import Anomaly, Kpi, Model
    from schemas.journal import ModelChunk, ModelTick


@dataclass(slots=True)
class InsightEffects:
    """Records to send, in order, and integers to add to meters; one fold fills it.

    `broadcast` goes to every journal partition, in order.
    `stocks` holds (name, by) -> total of each stock that changed.
    """

    kpis: list[Kpi] = field(default_factory=list)
    anomalies: list[Anomaly] = field(default_factory=list)
    models: list[Model] = field(default_factory=list)
    broadcast: list[ModelChunk | ModelTick] = field(default_factory=list)
    stocks: dict[tuple[str, str], int] = field(default_factory=dict)
    corrections: int = 0
    corrections_too_old: int = 0
    dimensions_refused: int = 0
    panel_rows_late: int = 0
    cluster_restarts: int = 0
