"""Lines become orders and refunds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.limits import LINES_KEPT
from schemas.touchpoint import LINES_LEFT_OUT, Order
from streams.replay.files.mapped import Reason
from tests.support.lines import a_line, account, mapped, refused, touchpoints

if TYPE_CHECKING:
    from pathlib import Path


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
