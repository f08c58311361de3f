"""Online retail by a calm batch in pandas, straight from the CSV; nothing of the product's mapping or fold is used."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
import xxhash

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ZONE = "Europe/London"
CURRENCY = "GBP"
DAY_MS = 86_400_000
UNMATCHED = ""

SEGMENTS = {
    # DOMAIN 4, drawn as a board: rows R 5..1, columns the mean of F and M 1..5
    5: ("New", "Potential Loyalist", "Potential Loyalist", "Champions", "Champions"),
    4: ("Promising", "Potential Loyalist", "Potential Loyalist", "Loyal", "Loyal"),
    3: ("About to Sleep", "About to Sleep", "Need Attention", "Loyal", "Loyal"),
    2: ("Hibernating", "Hibernating", "At Risk", "At Risk", "Can't Lose"),
    1: ("Lost", "Hibernating", "At Risk", "At Risk", "Can't Lose"),
}


class Figures(NamedTuple):
    """Of one customer's orders that count: how many, their sum less refunds, times of the first and last; 0: none."""

    orders: int
    minor: int
    first_ms: int
    last_ms: int


@dataclass(frozen=True)
class Batch:
    """What a file comes to; times in ms since the epoch, money in pence."""

    lines: dict[str, int]
    """Lines by what becomes of them: orders, refunds, unmatched, and zero (orders and refunds of nothing)."""
    orders: pd.DataFrame
    """By order id: customer ("" for a guest), time_ms, total, refunded (at most the total), counts."""
    refunds: pd.DataFrame
    """One row for each refund invoice and order: customer, time_ms, order_id ("" where none has it), minor, taken."""

    def customers(self, before_ms: int = 1 << 62, only: str | None = None) -> dict[str, Figures]:
        """By customer id, of what happened before a time. The file is shorter than the window of 24 months."""
        orders, refunds = self.orders, self.refunds
        orders = orders[(orders["customer"] != "") & (orders["time_ms"] < before_ms)]
        refunds = refunds[(refunds["customer"] != "") & (refunds["time_ms"] < before_ms)]
        if only is not None:
            orders, refunds = orders[orders["customer"] == only], refunds[refunds["customer"] == only]
        taken = refunds[refunds["order_id"] != UNMATCHED].groupby("order_id")["minor"].sum()
        left = orders["total"] - taken.reindex(orders.index, fill_value=0)
        by_customer = orders.assign(left=left)[left > 0].groupby("customer")
        beyond = left.clip(upper=0).groupby(orders["customer"]).sum().to_dict()
        unmatched = refunds[refunds["order_id"] == UNMATCHED].groupby("customer")["minor"].sum().to_dict()
        # without an order that counts there is nothing that could be scored
        found = dict.fromkeys([*orders["customer"], *refunds["customer"]], Figures(0, 0, 0, 0))
        for who, own in by_customer:
            times = own["time_ms"]
            minor = int(own["left"].sum()) + beyond[who] - unmatched.get(who, 0)
            found[str(who)] = Figures(len(own), minor, int(times.min()), int(times.max()))
        return found


def read_batch(path: Path) -> Batch:
    """Orders and refunds by DOMAIN 1; any `A` invoice (an adjustment) would be refused, and none is expected."""
    lines = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert not lines["InvoiceNo"].str.startswith("A").any()
    lines["customer"] = lines["CustomerID"].str.removesuffix(".0")
    lines["quantity"] = lines["Quantity"].astype(int)
    priced = zip(lines["UnitPrice"], lines["quantity"], strict=True)
    lines["minor"] = [_minor(price, pieces) for price, pieces in priced]
    local = pd.to_datetime(lines["InvoiceDate"], format="%Y-%m-%d %H:%M:%S").dt.tz_localize(ZONE)
    epoch = pd.Timestamp(0, tz="UTC")
    lines["time_ms"] = (local - epoch) // pd.Timedelta(1, "ms")
    lines["is_refund"] = lines["InvoiceNo"].str.startswith("C")
    # an invoice is at its first line's time, and of its first line's customer
    invoices = lines.groupby("InvoiceNo", sort=False).agg(
        customer=("customer", "first"),
        time_ms=("time_ms", "first"),
        total=("minor", "sum"),
        lines=("minor", "size"),
        is_refund=("is_refund", "first"),
    )
    bought = invoices[~invoices["is_refund"]]
    orders = bought[bought["total"] > 0]
    refund_lines = _matched(lines, invoices)
    keys = ["InvoiceNo", "order_id"]
    refunds = refund_lines.groupby(keys, sort=False).agg(minor=("minor", "sum"), lines=("minor", "size")).reset_index()
    refunds["minor"] = -refunds["minor"]
    refunds = refunds.join(invoices[["customer", "time_ms"]], on="InvoiceNo")
    nothing = refunds[refunds["minor"] == 0]
    refunds = refunds[refunds["minor"] != 0]
    is_unmatched = refunds["order_id"] == UNMATCHED
    taken = refunds[~is_unmatched].groupby("order_id")["minor"].sum().reindex(orders.index, fill_value=0)
    accounted = {
        "orders": int(orders["lines"].sum()),
        "refunds": int(refunds[~is_unmatched]["lines"].sum()),
        "unmatched": int(refunds[is_unmatched]["lines"].sum()),
        "zero": int(bought[bought["total"] == 0]["lines"].sum() + nothing["lines"].sum()),
    }
    assert sum(accounted.values()) == len(lines)
    return Batch(accounted, orders.assign(refunded=taken.clip(upper=orders["total"])), refunds)


@cache
def _minor(price: str, pieces: int) -> int:
    return int((Decimal(price) * 100 * pieces).to_integral_value(ROUND_HALF_EVEN))


def _matched(lines: pd.DataFrame, invoices: pd.DataFrame) -> pd.DataFrame:
    """Refund lines with the order that each takes back: the customer's latest earlier one with pieces enough."""
    in_time = invoices.sort_values("time_ms", kind="stable").index
    rank = pd.Series(range(len(in_time)), index=in_time)
    walked = lines.assign(rank=lines["InvoiceNo"].map(rank)).sort_values("rank", kind="stable")
    is_order = (invoices["total"] > 0) & ~invoices["is_refund"]
    walked = walked[walked["is_refund"] | walked["InvoiceNo"].map(is_order)]
    left: dict[tuple[str, str], dict[str, int]] = {}
    matched = []
    columns = ["InvoiceNo", "StockCode", "customer", "quantity", "is_refund"]
    for invoice, sku, customer, quantity, is_refund in walked[columns].itertuples(index=False):
        pieces = left.setdefault((customer, sku), {})
        if not is_refund:
            pieces[invoice] = pieces.get(invoice, 0) + quantity
            continue
        assert quantity < 0
        enough = [order for order, rest in pieces.items() if rest >= -quantity] if customer else []
        order_id = enough[-1] if enough else UNMATCHED
        if enough:
            pieces[order_id] += quantity
        matched.append(order_id)
    return walked[walked["is_refund"]].assign(order_id=matched)


def batch_cuts(values: Sequence[int]) -> tuple[int | None, ...]:
    """Cut k: the least value with a share strictly below it of at least k/5, k = 1..4; None where there is none."""
    column = pd.Series(values).sort_values(ignore_index=True)
    below = column.rank(method="min").astype(int) - 1
    enough = [column[below * 5 >= k * len(column)] for k in range(1, 5)]
    return tuple(None if found.empty else int(found.iloc[0]) for found in enough)


def batch_segment(customer: Figures, now_ms: int, cuts: Mapping[str, Sequence[int]]) -> tuple[int, int, int, str]:
    """R, F, M and segment at a time, under the body of published cuts."""
    if not customer.orders:
        return 0, 0, 0, "none"
    r = 1 + sum(now_ms - customer.last_ms <= cut for cut in cuts["recency_ms"])
    f = 1 + sum(customer.orders >= cut for cut in cuts["frequency"])
    m = 1 + sum(customer.minor >= cut for cut in cuts["monetary_minor"])
    return r, f, m, SEGMENTS[r][(f + m + 1) // 2 - 1]


def customer_hash(key: str) -> int:
    """xxh3-64 as a signed long, as the schema of panel rows has it."""
    unsigned = xxhash.xxh3_64_intdigest(key.encode())
    return unsigned - (1 << 64) if unsigned >= 1 << 63 else unsigned
