"""Lines of a shop's export, and what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.replay.files.columns import map_files
from streams.replay.files.mapped import Accounting, Mapped, MappedTouchpoint, RefusedLines
from streams.replay.files.mapping import Mapping, load_mapping, parse_mapping

if TYPE_CHECKING:
    from pathlib import Path

    from schemas.touchpoint import Touchpoint

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
RETAIL = load_mapping("online_retail")
CARTS = parse_mapping(
    """
    about: orders and other touchpoints
    source: carts
    file: {kind: csv}
    time: {column: at}
    type: {column: kind, values: {order_completed: order_completed, product_viewed: product_viewed,
      spend_recorded: spend_recorded, consent_changed: consent_changed, order_refunded: order_refunded}}
    fields: {user_id: {constant: u1}, email_hash: mail, channel: {constant: ads}}
    event_id: [id]
    money: {currency: cur}
    product: {sku: sku, price: price, quantity: n}
    properties: {note: note}
    orders: {group_by: [id], open_ms: 600000}
    """,
    "carts",
)
"""Header: id,at,kind,sku,price,n,cur,mail,note."""


def a_line(  # noqa: PLR0917 - a column each
    invoice: str = "1",
    sku: str = "cup",
    quantity: object = 1,
    at: str = "10:00:00",
    price: object = "2.50",
    who: str = "7.0",
) -> str:
    return f"{invoice},{sku},a {sku},{quantity},2011-01-05 {at},{price},{who},France"


def mapped(tmp_path: Path, *lines: str | bytes, mapping: Mapping = RETAIL, header: str = HEADER) -> list[Mapped]:
    path = tmp_path / "shop.csv"
    path.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else line for line in (header, *lines)) + b"\n")
    return list(map_files([path], mapping))


def touchpoints(outcomes: list[Mapped]) -> list[Touchpoint]:
    return [outcome.touchpoint for outcome in outcomes if isinstance(outcome, MappedTouchpoint)]


def refused(outcomes: list[Mapped]) -> list[RefusedLines]:
    return [outcome for outcome in outcomes if isinstance(outcome, RefusedLines)]


def account(outcomes: list[Mapped]) -> Accounting:
    accounting = Accounting()
    for outcome in outcomes:
        accounting.add(outcome)
    return accounting
