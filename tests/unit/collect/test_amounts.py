"""Amounts are exact, and what is none is said with its field's name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from schemas.limits import MINOR_MAX
from streams.collect.amounts import currency_of, exact, line_amounts, minor, number_text
from streams.collect.refused import RefusedRecord


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12.34, "12.34"),
        ("12.34", "12.34"),
        (" 7 ", "7"),
        (Decimal("0.1"), "0.1"),
        ("1e2", "1E+2"),
        (0.1, "0.1"),
        (".5", "0.5"),
    ],
)
def test_a_number_is_read_as_it_was_written(value: Any, expected: str) -> None:
    assert exact(value, "total") == Decimal(expected)


@pytest.mark.parametrize(
    "value",
    [*("1,042.50", "19,99", "$9.50", "1_000", "NaN", "Infinity", "", "٣", "1e99999"), True, None, [], {}, "9" * 65],
)
def test_what_is_no_number_is_refused_by_its_name(value: Any) -> None:
    with pytest.raises(RefusedRecord, match=r"products\[3\]\.price") as refused:
        exact(value, "products[3].price")
    assert refused.value.reason == "malformed"


@pytest.mark.parametrize("value", [Decimal("1E+999999999"), 1e300, float("inf"), float("nan"), 10**400, -(10**4000)])
def test_a_number_beyond_all_amounts_is_refused_at_once(value: Any) -> None:
    with pytest.raises(RefusedRecord, match="total") as refused:
        exact(value, "total")
    assert refused.value.reason == "amount_out_of_range"


@pytest.mark.parametrize(
    ("currency", "expected"),
    [
        *(("JPY", 1_000), ("XOF", 1_000), ("XAF", 1_000), ("UGX", 1_000), ("PYG", 1_000), ("RWF", 1_000)),
        *(("EUR", 100_000), ("HRK", 100_000), ("BGN", 100_000), ("KWD", 1_000_000), ("IQD", 1_000_000)),
        ("CLF", 10_000_000),
    ],
)
def test_minor_units_have_the_digits_of_iso_4217(currency: str, expected: int) -> None:
    assert minor(Decimal(1_000), currency, "total") == expected


@pytest.mark.parametrize(("amount", "expected"), [("12.345", 1_234), ("12.355", 1_236), ("-0.005", 0), ("1e-99", 0)])
def test_half_a_unit_is_rounded_to_even(amount: str, expected: int) -> None:
    assert minor(Decimal(amount), "EUR", "total") == expected


def test_more_than_an_amount_may_be_is_refused() -> None:
    assert minor(Decimal(MINOR_MAX) / 100, "EUR", "total") == MINOR_MAX
    with pytest.raises(RefusedRecord, match="total"):
        minor(Decimal(MINOR_MAX) / 100 + Decimal("0.01"), "EUR", "total")


@pytest.mark.parametrize(
    ("value", "expected"), [("usd", "USD"), (" Eur\n", "EUR"), (None, "CHF"), ("", "CHF"), (" ", "CHF")]
)
def test_a_currency_is_read_in_any_case_and_the_shops_own_is_the_default(value: Any, expected: str) -> None:
    assert currency_of(value, "CHF") == expected


@pytest.mark.parametrize("value", ["XXX", "XAU", "points", "EURO", "€", 978, True, ["EUR"], "x" * 1_000_000])
def test_what_is_no_currency_is_refused(value: Any) -> None:
    with pytest.raises(RefusedRecord, match=r"properties\.currency") as refused:
        currency_of(value, "EUR", "properties.currency")
    assert refused.value.reason == "bad_currency"
    assert len(refused.value.detail) < 200


@pytest.mark.parametrize(
    ("price", "quantity", "expected"),
    [
        ("20", "1.5", (3_000, 1)),
        ("20", "0.25", (500, 1)),
        ("20", "2", (2_000, 2)),
        ("20", "2.0", (2_000, 2)),
        ("20", "0", (2_000, 0)),
    ],
)
def test_a_quantity_that_is_no_whole_number_keeps_the_amount(
    price: str, quantity: str, expected: tuple[int, int]
) -> None:
    assert line_amounts(Decimal(price), Decimal(quantity), "EUR", "products[0]") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((7, "7"), (7.0, "7"), (Decimal("7.0"), "7"), (Decimal("7E0"), "7"), (0, "0"), (-0.0, "0"), (7.5, "7.5")),
        (Decimal("9007199254740993.0"), "9007199254740993"),
        (9007199254740993, "9007199254740993"),
        (Decimal("1E+20"), "1" + "0" * 20),
        (10**40, "1" + "0" * 40),
    ],
)
def test_a_number_as_an_id_has_one_form(value: Any, expected: str) -> None:
    assert number_text(value, "userId") == expected


@pytest.mark.parametrize(
    "value", [10**64, 10**400, Decimal("1E+999999"), Decimal("1E-999999"), Decimal("1." + "1" * 100)]
)
def test_a_number_of_many_digits_is_no_id(value: Any) -> None:
    with pytest.raises(RefusedRecord, match="userId"):
        number_text(value, "userId")
