"""KPIs of online retail by hour and day, compared with those of the file in pandas."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pandas as pd

from tests.support.retail import ZONE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.insights import Kpi
    from tests.support.retail import Batch

HOUR_MS = 3_600_000


def assert_kpis_are_the_files(kpis: Iterable[Kpi], batch: Batch, grain: str) -> dict[str, dict[int, int]]:
    """The last word on orders and money of each window is what the file says; returns the sums by name and start."""
    last: dict[tuple[str, int], Kpi] = {}
    for kpi in kpis:
        if kpi.grain == grain and not kpi.by:
            last[kpi.name, kpi.start_ms] = kpi
    shown: dict[str, dict[int, int]] = defaultdict(dict)
    for (name, start_ms), kpi in last.items():
        if kpi.numerator and kpi.denominator == 1:
            shown[name][start_ms] = kpi.numerator
    orders, refunds = batch.orders, batch.refunds
    at_orders, at_refunds = _starts(orders["time_ms"], grain), _starts(refunds["time_ms"], grain)
    assert shown["orders"] == orders.groupby(at_orders).size().to_dict()
    assert shown["revenue_minor"] == orders.groupby(at_orders)["total"].sum().to_dict()
    assert shown["refunds_minor"] == refunds.groupby(at_refunds)["minor"].sum().to_dict()
    return shown


def _starts(times_ms: pd.Series[int], grain: str) -> pd.Series[int]:
    """Start of the UTC hour or of the London day."""
    if grain == "hour":
        return times_ms // HOUR_MS * HOUR_MS
    days = pd.to_datetime(times_ms, unit="ms", utc=True).dt.tz_convert(ZONE).dt.normalize()
    return (days - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(1, "ms")
