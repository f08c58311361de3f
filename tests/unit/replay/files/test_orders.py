"""Lines become orders and refunds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas import wire
from schemas.limits import LINES_KEPT, LINES_MAX, MINOR_MAX, QUANTITY_MAX
from schemas.touchpoint import LINES_LEFT_OUT, Order
from streams.collect.collector import collect
from streams.replay.files.mapped import Reason
from streams.replay.files.mapping import parse_mapping
from streams.settings import DomainSettings
from tests.support.lines import CARTS, a_line, account, mapped, refused, touchpoints

if TYPE_CHECKING:
    from pathlib import Path

    from streams.replay.files.mapped import Mapped


def test_the_lines_of_an_invoice_make_one_order_at_the_time_of_its_first(tmp_path: Path) -> None:
    outcomes = mapped(
        tmp_path,
        a_line("1", "cup", 3, at="10:00:00"),
        a_line("2", "pot", at="10:00:30", who="8.0"),
        a_line("1", "plate", 2, at="10:01:00", price="0.85"),
    )
    first, second = touchpoints(outcomes)
    assert (first.user_id, first.country, first.order) == ("7", "France", Order("1", "GBP", 920))
    assert first.time_ms == 1_294_221_600_000
    assert [(product.sku, product.price_minor, product.quantity) for product in first.products] == [
        ("cup", 250, 3),
        ("plate", 85, 2),
    ]
    assert second.user_id == "8"
    assert account(outcomes).in_orders == 3


def test_an_order_of_many_lines_keeps_the_first_and_the_total_of_all(tmp_path: Path) -> None:
    outcomes = mapped(tmp_path, *(a_line("1", f"cup-{number}", 1, price="1.00") for number in range(LINES_KEPT + 3)))
    (order,) = touchpoints(outcomes)
    assert order.order == Order("1", "GBP", 100 * (LINES_KEPT + 3))
    assert [product.sku for product in order.products] == [f"cup-{number}" for number in range(LINES_KEPT)]
    assert order.properties[LINES_LEFT_OUT] == "3"
    assert account(outcomes).in_orders == LINES_KEPT + 3


def test_exact_duplicates_and_lines_of_price_zero_stay_in_the_order(tmp_path: Path) -> None:
    (order,) = touchpoints(mapped(tmp_path, a_line(), a_line(), a_line(price="0.0")))
    assert order.order == Order("1", "GBP", 500)
    assert len(order.products) == 3


def test_an_order_that_totals_nothing_is_refused_with_all_its_lines(tmp_path: Path) -> None:
    lines = a_line(price="0"), a_line(price="0.0", sku="pot")
    (refusal,) = refused(mapped(tmp_path, *lines))
    assert (refusal.reason, refusal.lines, refusal.line_number) == (Reason.ZERO_TOTAL, 2, 2)
    assert refusal.raw == "\n".join([*lines, ""]).encode()


def test_an_order_that_totals_less_than_nothing_is_refused(tmp_path: Path) -> None:
    assert refused(mapped(tmp_path, a_line(quantity=-2)))[0].reason is Reason.NEGATIVE_TOTAL


@pytest.mark.parametrize(
    "line",
    [
        a_line(sku="voucher", price="-5.00"),
        a_line(sku="voucher", quantity=-1, price="5.00"),
        a_line(sku="voucher", quantity=-2, price="2.50"),
        a_line(sku="cup", quantity=-2, price="2.50"),
    ],
    ids=["a negative price", "a negative piece", "several", "of an article that was bought"],
)
def test_a_line_that_takes_something_off_is_a_discount_of_the_order(tmp_path: Path, line: str) -> None:
    for lines in ((a_line(quantity=4), line), (line, a_line(quantity=4))):
        outcomes = mapped(tmp_path, *lines)
        (order,) = touchpoints(outcomes)
        assert order.order == Order("1", "GBP", 500, 500)
        assert [(product.sku, product.price_minor, product.quantity) for product in order.products] == [("cup", 250, 4)]
        assert account(outcomes).in_orders == 2
        assert_taken(outcomes)


def test_a_discount_that_is_taken_back_raises_the_total(tmp_path: Path) -> None:
    outcomes = mapped(tmp_path, a_line(quantity=4), a_line(sku="voucher", quantity=-1, price="-5.00"))
    assert touchpoints(outcomes)[0].order == Order("1", "GBP", 1500, 0)
    assert_taken(outcomes)


def test_an_order_of_which_discounts_leave_nothing_is_refused_with_all_its_lines(tmp_path: Path) -> None:
    (refusal,) = refused(mapped(tmp_path, a_line(), a_line(sku="voucher", price="-2.50")))
    assert (refusal.reason, refusal.lines) == (Reason.ZERO_TOTAL, 2)


def test_lines_that_take_something_off_are_not_among_the_first_lines_of_a_long_order(tmp_path: Path) -> None:
    voucher = a_line(sku="voucher", price="-0.50")
    outcomes = mapped(tmp_path, voucher, *(a_line(sku=f"cup-{number}") for number in range(LINES_KEPT + 3)))
    (order,) = touchpoints(outcomes)
    assert [product.sku for product in order.products] == [f"cup-{number}" for number in range(LINES_KEPT)]
    assert order.properties[LINES_LEFT_OUT] == "3"


def test_pieces_taken_back_within_an_order_cannot_be_refunded_again(tmp_path: Path) -> None:
    outcomes = mapped(
        tmp_path,
        a_line("1", quantity=3, at="10:00:00"),
        a_line("1", quantity=-2, at="10:00:00"),
        a_line("C2", quantity=-2, at="11:00:00"),
        a_line("C3", quantity=-1, at="12:00:00"),
    )
    assert [each.properties.get("refund") for each in touchpoints(outcomes)] == [None, "unmatched", "matched"]


LONG = "x" * 513


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (a_line(sku=LONG), "too_long"),
        (a_line(invoice=LONG), "too_long"),
        (a_line(who=LONG), "too_long"),
        (a_line(sku="\U0001f600" * 129), "too_long"),
        (a_line(quantity=QUANTITY_MAX + 1, price="0.01"), "amount_out_of_range"),
        (a_line(quantity=QUANTITY_MAX, price=MINOR_MAX // 1000), "bad_number"),
        (a_line().replace("2011", "1989"), "time_out_of_range"),
        (a_line().replace("2011", "2080"), "time_out_of_range"),
    ],
    ids=["article", "invoice", "customer", "bytes", "pieces", "amount", "long ago", "far ahead"],
)
def test_what_collect_would_refuse_is_refused_by_the_replay_with_all_lines_of_the_order(
    tmp_path: Path, line: str, reason: str
) -> None:
    other = a_line("2", at="10:30:00")
    outcomes = mapped(tmp_path, line, line, other)
    assert {refusal.reason for refusal in refused(outcomes)} == {reason}
    assert sum(refusal.lines for refusal in refused(outcomes)) == 2
    assert b"".join(refusal.raw for refusal in refused(outcomes)) == f"{line}\n{line}\n".encode()
    assert account(outcomes).in_orders == 1
    assert_taken(outcomes)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2,{0},order_completed,cup,900000000,1000,EUR,,a", "amount_out_of_range"),
        ("2,{0},order_completed,cup,1.00,1,e-r,,a", "bad_currency"),
        ("2,{0},order_completed,cup,1.00,1,EUR,nobody,a", "bad_email_hash"),
        ("2,{0},order_completed,cup,1.00,1,EUR,," + "x" * 4_097, "too_long"),
        ("2,{0},product_viewed,cup,1.00,1,EUR,nobody,a", "bad_email_hash"),
        ("2,{0},product_viewed,cup,-1.00,1,EUR,,a", "amount_out_of_range"),
        ("2,{0},product_viewed,cup,1.00,-1,EUR,,a", "amount_out_of_range"),
        ("2,{0},product_viewed,cup,1.00,1,EUR,," + "x" * 4_097, "too_long"),
        ("2,{0},spend_recorded,cup,1.00,1,EUR,,a", "no_spend"),
        ("2,{0},consent_changed,cup,1.00,1,EUR,,a", "no_consent"),
        ("2,{0},order_refunded,cup,1.00,1,EUR,,a", "no_order"),
    ],
)
def test_what_collect_would_refuse_of_any_type_is_refused_by_the_replay(tmp_path: Path, row: str, reason: str) -> None:
    """An amount of two lines, so that each of them alone is one that is allowed."""
    lines = [row.format("2026-01-05T10:00:00Z")] * 2
    good = "1,2026-01-05T09:00:00Z,order_completed,cup,1.00,1,EUR,,a"
    outcomes = mapped(tmp_path, good, *lines, mapping=CARTS, header="id,at,kind,sku,price,n,cur,mail,note")
    assert {refusal.reason for refusal in refused(outcomes)} == {reason}
    assert account(outcomes).refused == {reason: 2}
    assert account(outcomes).in_orders == 1
    assert_taken(outcomes)


def test_a_refund_is_not_of_an_order_that_was_refused(tmp_path: Path) -> None:
    outcomes = mapped(
        tmp_path,
        a_line("1", quantity=2, at="09:00:00"),
        a_line("2", quantity=2, at="10:00:00"),
        a_line("2", sku=LONG, at="10:00:00"),
        a_line("C3", quantity=-1, at="11:00:00"),
    )
    refund = touchpoints(outcomes)[-1]
    assert refund.order is not None
    assert (refund.type, refund.order.order_id) == ("order_refunded", "1")


def test_an_order_of_more_lines_than_are_allowed_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    lines = [a_line("1", f"cup-{number}") for number in range(LINES_MAX + 2)]
    outcomes = mapped(tmp_path, *lines, a_line("2"))
    assert [(refusal.reason, refusal.lines) for refusal in refused(outcomes)] == [
        (Reason.TOO_MANY, LINES_MAX + 1),
        (Reason.TOO_MANY, 1),
    ]
    assert [each.order.order_id for each in touchpoints(outcomes) if each.order] == ["2"]
    (largest,) = touchpoints(mapped(tmp_path, *lines[:LINES_MAX]))
    assert largest.order == Order("1", "GBP", 250 * LINES_MAX)


def assert_taken(outcomes: list[Mapped]) -> None:
    """Collect takes every touchpoint; it raises otherwise."""
    marks = DomainSettings.model_validate({"clock": "marks"})
    for each in touchpoints(outcomes):
        collect(wire.encode(each), each.time_ms, wire.SINGLE_OBJECT, marks)


def test_an_invoice_without_a_customer_is_a_guests_order(tmp_path: Path) -> None:
    (order,) = touchpoints(mapped(tmp_path, a_line(who="")))
    assert (order.user_id, order.anonymous_id) == (None, None)
    assert order.order is not None


def test_a_cancellation_refunds_the_latest_earlier_order_that_had_so_many_of_the_article(tmp_path: Path) -> None:
    outcomes = mapped(
        tmp_path,
        a_line("1", "cup", 5, at="10:00:00"),
        a_line("2", "cup", 2, at="11:00:00"),
        a_line("3", "cup", 9, at="12:00:00", who="8.0"),
        a_line("C4", "cup", -3, at="13:00:00"),
        a_line("C5", "cup", -2, at="14:00:00"),
        a_line("C6", "cup", -3, at="15:00:00"),
        a_line("C7", "cup", -2, at="16:00:00"),
    )
    refunds = [each for each in touchpoints(outcomes) if each.type == "order_refunded"]
    assert [(each.order.order_id, each.order.total_minor) for each in refunds if each.order] == [
        ("1", 750),
        ("2", 500),
        ("C6", 750),
        ("1", 500),
    ]
    assert [each.properties["refund"] for each in refunds] == ["matched", "matched", "unmatched", "matched"]
    assert all(product.quantity > 0 for each in refunds for product in each.products)
    accounting = account(outcomes)
    assert (accounting.in_orders, accounting.in_refunds, accounting.in_unmatched_refunds) == (3, 3, 1)


def test_one_cancellation_may_refund_several_orders_and_something_that_was_never_sold(tmp_path: Path) -> None:
    outcomes = mapped(
        tmp_path,
        a_line("1", "cup", 5, at="10:00:00"),
        a_line("2", "pot", 2, at="11:00:00"),
        a_line("C3", "cup", -1, at="12:00:00"),
        a_line("C3", "pot", -1, at="12:00:00"),
        a_line("C3", "cup", -2, at="12:00:00"),
        a_line("C3", "M", -1, at="12:00:00", price="9.99"),
    )
    refunds = touchpoints(outcomes)[2:]
    assert [(each.order.order_id, each.order.total_minor) for each in refunds if each.order] == [
        ("1", 750),
        ("2", 250),
        ("C3", 999),
    ]
    assert len({each.event_id for each in refunds}) == 3
    assert account(outcomes).lines == 6


def test_a_cancellation_without_a_customer_is_unmatched(tmp_path: Path) -> None:
    outcomes = mapped(tmp_path, a_line("1", "cup", 5, who=""), a_line("C2", "cup", -1, at="11:00:00", who=""))
    assert touchpoints(outcomes)[1].properties == {"refund_id": "C2", "refund": "unmatched"}


def test_an_adjustment_of_bad_debt_is_no_order(tmp_path: Path) -> None:
    (refusal,) = refused(mapped(tmp_path, a_line("A563185")))
    assert (refusal.reason, "bad debt" in refusal.detail) == (Reason.NOT_AN_ORDER, True)


def test_a_line_for_an_order_long_closed_is_refused(tmp_path: Path) -> None:
    outcomes = mapped(
        tmp_path,
        a_line("1", at="10:00:00"),
        a_line("2", at="11:00:00"),
        a_line("1", at="11:00:01"),
        a_line("3", at="10:30:00"),
    )
    assert [refusal.reason for refusal in refused(outcomes)] == [Reason.LATE_LINE, Reason.OUT_OF_ORDER]


def test_a_price_of_half_a_minor_unit_is_rounded_half_to_even_for_the_line(tmp_path: Path) -> None:
    (order,) = touchpoints(
        mapped(tmp_path, a_line(price="0.005"), a_line(price="0.015"), a_line(price="0.005", quantity=3))
    )
    assert order.order == Order("1", "GBP", 0 + 2 + 2)


def ids_and_totals(outcomes: list[Mapped]) -> list[tuple[str, int]]:
    return [(each.order.order_id, each.order.total_minor) for each in touchpoints(outcomes) if each.order]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (a_line("1", "tv", price='"1,299"'), Reason.BAD_NUMBER),
        (a_line("1", "tv", price="1,299.00"), Reason.BAD_COLUMNS),
        (a_line("1", "tv", quantity="NULL"), Reason.BAD_NUMBER),
        (a_line("1", "", price="5"), Reason.MISSING_ID),
        (a_line("1", "tv", at="25:00:00"), Reason.BAD_TIME),
        (a_line("1", "tv").replace("2011", "2091"), Reason.TIME_OUT_OF_RANGE),
        (a_line("1", "tv", price="$5").replace("$", "€"), Reason.MIXED_CURRENCY),
        (a_line("1", "t").encode().replace(b"a t", b"a \xff"), Reason.BAD_ENCODING),
        (b"1,tv", Reason.BAD_COLUMNS),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_order_of_which_a_line_is_refused_is_refused_whole(
    tmp_path: Path, line: str | bytes, reason: Reason, place: int
) -> None:
    lines: list[str | bytes] = [a_line("1", "mug", 2), a_line("1", "cup")]
    lines.insert(place, line)
    outcomes = mapped(tmp_path, a_line("0", at="09:00:00"), *lines, a_line("2", at="11:00:00"))
    (refusal,) = refused(outcomes)
    assert (refusal.reason, refusal.line_number, refusal.lines) == (reason, 3, 3)
    assert f"line {place + 3}: " in refusal.detail
    assert refusal.raw == b"".join((each.encode() if isinstance(each, str) else each) + b"\n" for each in lines)
    assert [order for order, _ in ids_and_totals(outcomes)] == ["0", "2"]
    assert account(outcomes).lines == 5
    # once it is corrected, it is read like any other
    corrected = mapped(tmp_path, *lines[:place], *lines[place + 1 :], a_line("1", "tv", price="1299.00"))
    assert ids_and_totals(corrected) == [("1", 130_650)]


def test_lines_of_an_order_in_two_currencies_are_refused_together(tmp_path: Path) -> None:
    lines = [f"1,2026-01-05T10:00:00Z,order_completed,cup,1.00,1,{code},,a" for code in ("EUR", "USD", "EUR")]
    outcomes = mapped(tmp_path, *lines, mapping=CARTS, header="id,at,kind,sku,price,n,cur,mail,note")
    (refusal,) = outcomes
    assert (refusal.lines, account(outcomes).refused) == (3, {Reason.MIXED_CURRENCY: 3})


@pytest.mark.parametrize("between", [(), (a_line("9", at="10:30:00"),)], ids=["neighbours", "with another between"])
def test_a_line_after_its_orders_window_is_late_whatever_is_between(tmp_path: Path, between: tuple[str, ...]) -> None:
    outcomes = mapped(tmp_path, a_line("1"), *between, a_line("1", at="10:10:01"), a_line("2", at="12:00:00"))
    if between:
        outcomes = mapped(tmp_path, a_line("1"), *between, a_line("1", at="10:40:00"), a_line("2", at="12:00:00"))
    assert [each.reason for each in refused(outcomes)] == [Reason.LATE_LINE]
    assert ids_and_totals(outcomes)[0] == ("1", 250)
    assert ids_and_totals(mapped(tmp_path, a_line("1"), a_line("1", at="10:10:00"))) == [("1", 500)]


@pytest.mark.parametrize(("pieces", "total"), [("1.5", 3_000), ("0.25", 500), ("0.333", 666)])
def test_a_weight_is_one_piece_at_the_amount_of_the_line(tmp_path: Path, pieces: str, total: int) -> None:
    (order,) = touchpoints(mapped(tmp_path, a_line("1", "ham", pieces, price="20.00")))
    assert order.order == Order("1", "GBP", total)
    assert [(each.price_minor, each.quantity) for each in order.products] == [(total, 1)]
    refund = mapped(tmp_path, a_line("1", "ham", "5"), a_line("C2", "ham", f"-{pieces}", price="2.00", at="11:00:00"))
    assert touchpoints(refund)[1].products[0].quantity == 1


TOTALS = parse_mapping(
    """
    about: orders with a total of their own
    source: shop
    file: {kind: csv}
    time: {column: at}
    type: {constant: order_completed}
    money: {currency: {constant: EUR}}
    product: {sku: sku, price: price}
    orders: {group_by: [id], fill_down: [at], total: total, discount: less}
    """,
    "totals",
)


def test_a_total_of_the_order_goes_before_the_sum_of_its_lines(tmp_path: Path) -> None:
    lines = ("1,2026-01-05T10:00Z,mug,9.50,12.00,3.00", "1,,cup,5.50,,", "2,2026-01-05T11:00Z,cup,5.50,5.50,")
    outcomes = mapped(tmp_path, *lines, mapping=TOTALS, header="id,at,sku,price,total,less")
    assert [each.order for each in touchpoints(outcomes)] == [Order("1", "EUR", 1_200, 300), Order("2", "EUR", 550)]
    assert [len(each.products) for each in touchpoints(outcomes)] == [2, 1]


@pytest.mark.parametrize("second", ["13.00", "-1", "x"])
def test_an_order_with_another_total_in_another_line_is_refused(tmp_path: Path, second: str) -> None:
    lines = ("1,2026-01-05T10:00Z,mug,9.50,12.00,", f"1,,cup,5.50,{second},", "2,2026-01-05T10:00Z,cup,5.50,,")
    outcomes = mapped(tmp_path, *lines, mapping=TOTALS, header="id,at,sku,price,total,less")
    assert account(outcomes).refused == {Reason.BAD_NUMBER: 3}
    assert "column total is empty in the lines of the order" in refused(outcomes)[1].detail
