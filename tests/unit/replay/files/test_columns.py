"""Lines of a shop's export become orders, refunds and clicks, and every line is accounted for."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from schemas.touchpoint import Order
from streams.replay.files.columns import map_file
from streams.replay.files.mapped import Reason
from streams.replay.files.mapping import load_mapping, parse_mapping
from streams.replay.files.rows import ColumnFileError
from tests.support.lines import HEADER, RETAIL, a_line, account, mapped, refused, touchpoints

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (a_line(quantity="many"), Reason.BAD_NUMBER),
        (a_line(quantity="1.5"), Reason.BAD_NUMBER),
        (a_line(quantity=1 << 40), Reason.BAD_NUMBER),
        (a_line(price="nan"), Reason.BAD_NUMBER),
        (a_line(price="1e999999"), Reason.BAD_NUMBER),
        (a_line(price=""), Reason.BAD_NUMBER),
        (a_line(at="25:00:00"), Reason.BAD_TIME),
        (a_line(invoice=""), Reason.MISSING_ID),
        (a_line(sku=""), Reason.MISSING_ID),
        (a_line() + ",more", Reason.BAD_COLUMNS),
        ("", Reason.BAD_COLUMNS),
        (a_line().encode() + b"\xff", Reason.BAD_ENCODING),
        (a_line("C9", quantity=1), Reason.BAD_REFUND),
        ("x" * 200_000, Reason.BAD_COLUMNS),
    ],
)
def test_a_bad_line_is_refused_as_it_came_and_its_neighbours_go_through(
    tmp_path: Path, line: str | bytes, reason: Reason
) -> None:
    outcomes = mapped(tmp_path, a_line("1", at="09:00:00"), line, a_line("2", at="11:00:00"))
    (refusal,) = refused(outcomes)
    raw = line.encode() if isinstance(line, str) else line
    assert (refusal.reason, refusal.line_number, refusal.raw) == (reason, 3, raw + b"\n")
    assert len(touchpoints(outcomes)) == 2
    assert account(outcomes).lines == 3


def test_a_quoted_text_over_two_lines_counts_as_two(tmp_path: Path) -> None:
    outcomes = mapped(tmp_path, a_line().replace("a cup", '"a\ncup"'))
    assert account(outcomes).in_orders == 2


def test_times_are_those_of_the_shops_zone(tmp_path: Path) -> None:
    winter = mapped(tmp_path, a_line())
    summer = mapped(tmp_path, a_line().replace("2011-01-05", "2011-06-05"))
    assert touchpoints(winter)[0].time_ms % 86_400_000 == 10 * 3_600_000
    assert touchpoints(summer)[0].time_ms % 86_400_000 == 9 * 3_600_000


def test_a_file_mapped_twice_gives_the_same_ids(tmp_path: Path) -> None:
    lines = a_line("1"), a_line("C2", quantity=-1, at="11:00:00")
    assert mapped(tmp_path, *lines) == mapped(tmp_path, *lines)


def test_an_empty_file_is_named_with_the_columns_it_should_have(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.touch()
    with pytest.raises(
        ColumnFileError, match=r"empty\.csv: it is empty; it needs a header with the columns InvoiceDate"
    ):
        list(map_file(path, RETAIL))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(ColumnFileError, match=r"shop\.csv: column UnitPrice is missing; the file has InvoiceNo"):
        mapped(tmp_path, header=HEADER.replace("UnitPrice", "Price"))


def test_a_missing_file_and_a_damaged_archive_are_named(tmp_path: Path) -> None:
    with pytest.raises(ColumnFileError, match=r"none\.csv: cannot be read"):
        list(map_file(tmp_path / "none.csv", RETAIL))
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress("\n".join([HEADER, *[a_line(str(number)) for number in range(999)]]).encode())[:-20])
    with pytest.raises(ColumnFileError, match=r"cut\.csv\.gz: cannot be read: EOFError"):
        list(map_file(path, RETAIL))
    path.write_bytes(b"no archive")
    with pytest.raises(ColumnFileError, match=r"cut\.csv\.gz: cannot be read: BadGzipFile"):
        list(map_file(path, RETAIL))


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    assert len(touchpoints(mapped(tmp_path, a_line(), header="\ufeff" + HEADER))) == 1


CLICKS = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"


def a_click(kind: str, second: int, sku: str = "p", session: str = "s", who: str = "u") -> str:
    return f"2019-10-01 00:00:{second:02} UTC,{kind},{sku},1,a.b,,1.25,{who},{session}"


def test_clicks_are_views_and_adds_and_what_is_bought_in_one_second_is_one_order(tmp_path: Path) -> None:
    outcomes = mapped(
        tmp_path,
        a_click("view", 1),
        a_click("cart", 2),
        a_click("purchase", 5, "p"),
        a_click("view", 5, session="t", who="v"),
        a_click("purchase", 5, "q"),
        a_click("purchase", 7, "p"),
        a_click("wished", 8),
        a_click("view", 9, who=""),
        header=CLICKS,
        mapping=load_mapping("rees46"),
    )
    assert [each.type for each in touchpoints(outcomes)] == [
        "product_viewed",
        "product_added",
        "order_completed",
        "product_viewed",
        "order_completed",
    ]
    order = touchpoints(outcomes)[2]
    assert (order.session_id, order.order and order.order.total_minor, len(order.products)) == ("s", 250, 2)
    assert [refusal.reason for refusal in refused(outcomes)] == [Reason.UNKNOWN_TYPE, Reason.MISSING_ID]
    accounting = account(outcomes)
    assert (accounting.in_orders, accounting.in_others, accounting.lines) == (3, 3, 8)


def test_equal_clicks_have_equal_ids_so_that_the_second_is_a_duplicate(tmp_path: Path) -> None:
    outcomes = mapped(
        tmp_path,
        a_click("view", 1),
        a_click("view", 1),
        a_click("view", 2),
        header=CLICKS,
        mapping=load_mapping("rees46"),
    )
    first, again, later = (each.event_id for each in touchpoints(outcomes))
    assert first == again != later


AMOUNTS = """
about: amounts of lines
source: till
file: {kind: csv, delimiter: ";"}
time: {column: at}
type: {constant: order_completed}
money: {currency: cur, minor_units: 1000}
product: {sku: sku, amount: paid, quantity: n, discounts: [less, coupon]}
orders: {group_by: [shop, receipt], open_ms: 1000}
properties: {till: shop}
"""


def test_amounts_of_lines_discounts_and_currencies_come_from_columns(tmp_path: Path) -> None:
    outcomes = mapped(
        tmp_path,
        "2020-01-01T00:00:00+01:00;KWD;a;1.500;3;0.100;0.025;x;1",
        "2020-01-01T00:00:00+01:00;KWD;b;0.200;0;0;0;x;1",
        "2020-01-01T00:00:00+01:00;EUR;b;0.200;0;0;0;x;1",
        "2020-01-01T00:00:00+01:00;Euro;b;0.200;0;0;0;x;1",
        header="at;cur;sku;paid;n;less;coupon;shop;receipt",
        mapping=parse_mapping(AMOUNTS, "amounts"),
    )
    (order,) = touchpoints(outcomes)
    assert order.order == Order("x/1", "KWD", 1700, 125)
    assert [product.price_minor for product in order.products] == [500, 200]
    assert order.properties == {"till": "x"}
    assert sorted(refusal.reason for refusal in refused(outcomes)) == [Reason.BAD_COLUMNS, Reason.MIXED_CURRENCY]
