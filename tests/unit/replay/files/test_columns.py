"""Lines of a shop's export become orders, refunds and clicks, and every line is accounted for."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from schemas.touchpoint import Order
from streams.replay.files.columns import map_files
from streams.replay.files.container import write_container
from streams.replay.files.mapped import Mapped, MappedTouchpoint, Origin, Reason
from streams.replay.files.mapping import load_mapping, parse_mapping
from streams.replay.files.rows import ColumnFileError
from tests.support.lines import HEADER, RETAIL, a_line, account, mapped, refused, touchpoints
from tests.support.world import a_touchpoint

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (a_line("7", quantity="many"), Reason.BAD_NUMBER),
        (a_line("7", quantity=1 << 40), Reason.BAD_NUMBER),
        (a_line("7", price="nan"), Reason.BAD_NUMBER),
        (a_line("7", price="1e999999"), Reason.BAD_NUMBER),
        (a_line("7", price=""), Reason.BAD_NUMBER),
        (a_line("7", at="25:00:00"), Reason.BAD_TIME),
        (a_line(invoice=""), Reason.MISSING_ID),
        (a_line("7", sku=""), Reason.MISSING_ID),
        (a_line("7") + ",more", Reason.BAD_COLUMNS),
        (a_line("7").encode() + b"\xff", Reason.BAD_ENCODING),
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


def files(tmp_path: Path, *contents: tuple[str, ...]) -> list[Path]:
    """One file of lines each, a.csv and so on."""
    paths = []
    for name, lines in zip("abc", contents, strict=False):
        paths.append(tmp_path / f"{name}.csv")
        paths[-1].write_text("\n".join([HEADER, *lines, ""]))
    return paths


def test_an_order_that_a_files_end_cuts_is_one_order_of_both_files(tmp_path: Path) -> None:
    first, second = a_line("1", "cup", 3), a_line("1", "pot", at="10:01:00")
    outcomes = list(map_files(files(tmp_path, (first,), (second, a_line("2", at="10:01:00"))), RETAIL))
    assert [each.order and each.order.total_minor for each in touchpoints(outcomes)] == [1_000, 250]
    cut = outcomes[0]
    assert isinstance(cut, MappedTouchpoint)
    assert (cut.lines, cut.origins) == (
        2,
        (Origin("a.csv", 2, f"{first}\n".encode(), 1), Origin("b.csv", 2, f"{second}\n".encode(), 1)),
    )


def test_a_refused_order_that_a_files_end_cuts_gives_back_the_lines_of_each_file(tmp_path: Path) -> None:
    paths = files(tmp_path, (a_line(price=0),), (), (a_line(price=0), a_line(price=0, sku="pot")))
    found = [(each.reason, each.file, each.line_number, each.lines) for each in refused(list(map_files(paths, RETAIL)))]
    assert found == [(Reason.ZERO_TOTAL, "a.csv", 2, 1), (Reason.ZERO_TOTAL, "c.csv", 2, 2)]


def test_a_refund_is_of_the_order_in_an_earlier_file(tmp_path: Path) -> None:
    paths = files(
        tmp_path,
        (a_line("1", quantity=3, at="10:00:00"), a_line("2", "pot", at="10:00:00")),
        (a_line("C3", quantity=-1, at="11:00:00"),),
        (a_line("C4", quantity=-2, at="12:00:00"), a_line("C5", quantity=-1, at="13:00:00")),
    )
    refunds = touchpoints(list(map_files(paths, RETAIL)))[2:]
    assert [each.order.order_id for each in refunds if each.order] == ["1", "1", "C5"]


def test_an_order_is_closed_for_all_files_that_follow(tmp_path: Path) -> None:
    lines = a_line("1", at="10:00:00"), a_line("2", at="11:00:00")
    outcomes = list(map_files(files(tmp_path, lines, lines[:1], (a_line("1", at="12:00:00"),)), RETAIL))
    assert [each.reason for each in refused(outcomes)] == [Reason.LATE_LINE, Reason.LATE_LINE]
    assert len(touchpoints(outcomes)) == 2


def test_a_container_among_the_files_comes_in_its_place_and_refunds_are_matched_across_it(tmp_path: Path) -> None:
    before, after = files(tmp_path, (a_line("1", quantity=2),), (a_line("C2", quantity=-1, at="12:00:00"),))
    container = tmp_path / "clicks.avro"
    write_container(container, [a_touchpoint("page_viewed", 1_294_225_200_000)])
    outcomes = list(map_files([before, container, after], RETAIL))
    assert [each.type for each in touchpoints(outcomes)] == ["order_completed", "page_viewed", "order_refunded"]
    assert touchpoints(outcomes)[2].properties["refund"] == "matched"
    assert [named(each) for each in outcomes] == ["a.csv", "clicks.avro", "b.csv"]


def named(outcome: Mapped) -> str:
    return outcome.origins[0].file if isinstance(outcome, MappedTouchpoint) else outcome.file


def test_one_wrong_time_far_ahead_costs_its_own_line_alone(tmp_path: Path) -> None:
    outcomes = mapped(tmp_path, a_line("1"), a_line("2").replace("2011", "2091"), a_line("3", at="11:00:00"))
    assert [each.reason for each in refused(outcomes)] == [Reason.TIME_OUT_OF_RANGE]
    assert len(touchpoints(outcomes)) == 2


def test_an_empty_file_is_named_with_the_columns_it_should_have(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.touch()
    with pytest.raises(
        ColumnFileError, match=r"empty\.csv: it is empty; it needs a header with the columns InvoiceDate"
    ):
        list(map_files([path], RETAIL))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ColumnFileError, match=r"shop\.csv: line 1: column UnitPrice is missing; the file has InvoiceNo"
    ):
        mapped(tmp_path, header=HEADER.replace("UnitPrice", "Price"))


def test_a_customer_in_the_first_line_of_a_file_without_a_header_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ColumnFileError) as failed:
        mapped(tmp_path, header="12,ann@x.de,+49 30 123456")
    assert "ann" not in str(failed.value)
    assert "the file has 12, " in str(failed.value)
    assert "[phone]" in str(failed.value)


def test_a_missing_file_and_a_damaged_archive_are_named(tmp_path: Path) -> None:
    with pytest.raises(ColumnFileError, match=r"none\.csv: cannot be read"):
        list(map_files([tmp_path / "none.csv"], RETAIL))
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress("\n".join([HEADER, *[a_line(str(number)) for number in range(999)]]).encode())[:-20])
    with pytest.raises(ColumnFileError, match=r"cut\.csv\.gz: cannot be read: EOFError"):
        list(map_files([path], RETAIL))
    path.write_bytes(b"no archive")
    with pytest.raises(ColumnFileError, match=r"cut\.csv\.gz: cannot be read: BadGzipFile"):
        list(map_files([path], RETAIL))


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
        "2020-01-01T00:00:00+01:00;Euro;b;0.200;0;0;0;x;2",
        header="at;cur;sku;paid;n;less;coupon;shop;receipt",
        mapping=parse_mapping(AMOUNTS, "amounts"),
    )
    (order,) = touchpoints(outcomes)
    assert order.order == Order("x/1", "KWD", 1700, 125)
    assert [product.price_minor for product in order.products] == [500, 200]
    assert order.properties == {"till": "x"}
    assert sorted(refusal.reason for refusal in refused(outcomes)) == [Reason.BAD_CURRENCY]
