"""What a replay remembers of its orders."""

from __future__ import annotations

import pytest

from streams.replay.files.sold import Sold, SoldError


def test_the_latest_order_with_so_many_pieces_is_refunded_first() -> None:
    with Sold() as sold:
        sold.note("7", "first", [("cup", 5), ("pot", 1)])
        sold.note("7", "second", [("cup", 2)])
        sold.note("8", "other", [("cup", 9)])
        asked = [sold.take_back("7", "cup", pieces) for pieces in (3, 2, 3, 2, 1)]
        assert asked == ["first", "second", None, "first", None]
        assert sold.take_back("7", "pot", 1) == "first"
        assert sold.take_back("9", "cup", 1) is None


def test_an_order_is_closed_once_and_for_the_whole_replay() -> None:
    with Sold() as sold:
        assert not sold.is_closed("1")
        for order_id in ("1", "1", "x" * 100_000):
            sold.close_order(order_id)
            assert sold.is_closed(order_id)
        assert not sold.is_closed("2")


def test_orders_that_do_not_fit_end_with_an_error_that_says_what_to_do() -> None:
    with Sold(bytes_max=100_000) as sold:
        sold.note("7", "first", [("cup", 1)])
        many = ((f"cup-{number}", 1) for number in range(10_000))
        with pytest.raises(SoldError, match=r"full.* 100000 bytes .*SQLITE_TMPDIR"):
            sold.note("7", "second", many)
