"""What rows have from the rows above them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.replay.files.mapped import Reason
from streams.replay.files.mapping import MappingError, parse_mapping
from tests.support.lines import account, mapped, refused, touchpoints

if TYPE_CHECKING:
    from pathlib import Path

    from streams.replay.files.mapping import Mapping

HEADER = "order,at,who,sku,price"
GROUPED = "group_by: [order], fill_down: [order, at, who]"


def a_mapping(orders: str = GROUPED) -> Mapping:
    text = f"""
    about: orders
    source: shop
    file: {{kind: csv}}
    time: {{column: at}}
    type: {{constant: order_completed}}
    fields: {{user_id: who}}
    money: {{currency: {{constant: EUR}}}}
    product: {{sku: sku, price: price}}
    orders: {{{orders}}}
    """
    return parse_mapping(text, "orders")


def totals(tmp_path: Path, *lines: str, orders: str = GROUPED) -> list[tuple[str | None, int]]:
    outcomes = mapped(tmp_path, *lines, mapping=a_mapping(orders), header=HEADER)
    assert refused(outcomes) == []
    assert account(outcomes).in_orders == len([line for line in lines if line])
    return [(each.user_id, each.order.total_minor) for each in touchpoints(outcomes) if each.order]


def test_blanks_have_the_values_of_the_orders_first_line(tmp_path: Path) -> None:
    lines = ("1,2026-01-10T10:00Z,ann,a,1", ",,,b,2", "", ",,,c,4", "2,2026-01-11T10:00Z,,a,8", "2,,,b,16")
    assert totals(tmp_path, *lines) == [("ann", 700), (None, 2_400)]


def test_nothing_is_carried_from_one_order_into_the_next(tmp_path: Path) -> None:
    outcomes = mapped(
        tmp_path,
        "1,2026-01-10T10:00Z,ann,a,1",
        "2,,,b,2",
        mapping=a_mapping(),
        header=HEADER,
    )
    assert [(each.reason, each.line_number) for each in refused(outcomes)] == [(Reason.BAD_TIME, 3)]


def test_nothing_is_carried_past_a_line_that_cannot_be_read(tmp_path: Path) -> None:
    """Its order id is unknown, so the lines below may be its."""
    outcomes = mapped(
        tmp_path,
        "1,2026-01-10T10:00Z,ann,a,1",
        "2,2026-01-10T11:00Z,bob,b,1,more",
        ",,,c,2",
        "3,2026-01-10T12:00Z,ann,a,1",
        mapping=a_mapping(),
        header=HEADER,
    )
    assert {each.line_number: each.reason for each in refused(outcomes)} == {3: Reason.BAD_COLUMNS, 4: Reason.BAD_TIME}
    assert [each.order.order_id for each in touchpoints(outcomes) if each.order] == ["1", "3"]


def test_an_order_that_a_files_end_cuts_is_carried_on(tmp_path: Path) -> None:
    from streams.replay.files.columns import map_files  # noqa: PLC0415 - of one test

    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    paths[0].write_text(f"{HEADER}\n1,2026-01-10T10:00Z,ann,a,1\n")
    paths[1].write_text(f"{HEADER}\n,,,b,2\n")
    (order,) = touchpoints(list(map_files(paths, a_mapping())))
    assert order.order is not None
    assert order.order.total_minor == 300


def test_an_order_id_that_a_file_has_not_is_the_same_whenever_the_line_is_read(tmp_path: Path) -> None:
    same = "9,2026-01-10T10:00Z,ann,a,1"
    other = "9,2026-01-10T10:00Z,ann,a,2"
    first = touchpoints(mapped(tmp_path, same, same, other, mapping=a_mapping(""), header=HEADER))
    again = touchpoints(mapped(tmp_path, other, same, mapping=a_mapping(""), header=HEADER))
    ids = [each.event_id for each in first]
    assert len(set(ids)) == 3
    assert {each.event_id for each in again} == {ids[0], ids[2]}
    assert all(each.order is not None and each.order.order_id for each in first)


def test_fill_down_needs_an_order_id_and_columns_that_are_read() -> None:
    with pytest.raises(MappingError, match="fill_down needs group_by"):
        a_mapping("fill_down: [who]")
    with pytest.raises(MappingError, match=r"orders\.fill_down names colour, which the mapping does not read"):
        a_mapping("group_by: [order], fill_down: [colour]")
