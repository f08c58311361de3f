"""Numbers as people write them: each is read in the one way in which it can be meant, or not at all."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from streams.replay.files.numbers import Number, Numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("9.50", "9.50"),
        ("9,50", "9.50"),
        ("1.299,00", "1299"),
        ("1,299.00", "1299"),
        ("1,29,900.00", "129900"),
        ("1.299.000", "1299000"),
        ("1 299,00", "1299"),
        ("1\u00a0299,00", "1299"),
        ("1\u202f299", "1299"),
        ("1'299.50", "1299.50"),
        ("0,500", "0.500"),
        ("0.001", "0.001"),
        ("12345,678", "12345.678"),
        (" 7 ", "7"),
        (".50", "0.50"),
        ("-5", "-5"),
        ("\u22125,00", "-5"),
        ("5.00-", "-5"),
        ("(5.00)", "-5"),
        ("-$5.00", "-5"),
        ("$-5.00", "-5"),
        ("($1,299.00)", "-1299"),
        ("kr. 9,50", "9.50"),
        ("Rs.50", "50"),
        ("$.50", "0.50"),
        ("US$ 9.50", "9.50"),
        ("1e3", "1000"),
    ],
)
def test_a_number_that_can_be_read_in_one_way_is_read(text: str, value: str) -> None:
    number = Numbers(None).read(text)
    assert isinstance(number, Number)
    assert number.value == Decimal(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "many",
        "nan",
        "inf",
        "1e999999",
        "9" * 15,
        "9" * 100_000,
        "1,2,3",
        "1.299,00,00",
        "12,34.567,8",
        "1.29.900",
        "9.50 abc",
        "EUR 9.50 EUR",
        "--5",
        "(5",
        "5)",
        "10%",
        "9.50.",
        "3 4",
    ],
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert Numbers(None).read(text) == "no number"


def test_a_number_with_two_meanings_is_refused_with_what_to_write() -> None:
    for text in ("1,299", "-1,299", "999,000 EUR"):
        said = Numbers(None).read(text)
        assert isinstance(said, str)
        assert 'can be read in two ways; write file: {decimal: "."} in the mapping or' in said


def test_a_decimal_sign_of_the_mapping_leaves_one_meaning() -> None:
    comma, point = Numbers(","), Numbers(".")
    assert comma.read("1.299") == comma.read("1299") == Number(Decimal(1299))
    assert point.read("1,299") == Number(Decimal(1299))
    assert comma.read("1,299") == point.read("1.299") == Number(Decimal("1.299"))
    # not 950: groups of thousands have three digits
    assert comma.read("9.50") == "no number with the decimal sign ','"
    assert point.read("9,50") == "no number with the decimal sign '.'"


@pytest.mark.parametrize("texts", [("1.299", "9,50"), ("9,50", "1.299"), ("9,50", "2", "12.000")])
def test_a_point_that_may_be_one_of_thousands_is_in_doubt_beside_decimal_commas(texts: tuple[str, ...]) -> None:
    numbers = Numbers(None)
    for text in texts:
        assert isinstance(numbers.read(text), Number)
    assert numbers.is_in_doubt
    assert "was read with a decimal point, but 9,50 has a decimal comma; write file" in numbers.doubt


def test_points_alone_and_commas_alone_are_in_no_doubt() -> None:
    for texts in (("1.299", "9.50", "0.001"), ("9,50", "1.299,00", "1234.5")):
        numbers = Numbers(None)
        for text in texts:
            assert isinstance(numbers.read(text), Number)
        assert not numbers.is_in_doubt


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("€9.50", "EUR"),
        ("9.50 EUR", "EUR"),
        ("£ 3", "GBP"),
        ("12 zł", "PLN"),
        ("R$ 5,50", "BRL"),
        ("$5", ""),
        ("5 kr", ""),
    ],
)
def test_a_sign_that_one_currency_has_names_it(text: str, currency: str) -> None:
    number = Numbers(None).read(text)
    assert isinstance(number, Number)
    assert number.currency == currency


def test_any_amount_is_read_as_it_was_written_by_the_decimal_sign_that_is_declared(seed: int) -> None:
    chance = Random(seed)
    for _ in range(2_000):
        value = Decimal(chance.randrange(-(10**12), 10**12)).scaleb(-chance.randrange(5))
        decimal = chance.choice(".,")
        thousands = chance.choice([sign for sign in ("", ".", ",", " ", "'") if sign != decimal])
        plain = f"{value:,f}"
        text = "".join({",": thousands, ".": decimal}.get(each, each) for each in plain)
        text = chance.choice(["{}", "{} EUR", "€{}", "{} €", "$ {}"]).format(text)
        number = Numbers(decimal).read(text)
        assert isinstance(number, Number), text
        assert number.value == value, text
        undeclared = Numbers(None).read(text)
        # without a declaration it is the same number, or none; only a lone point is taken for a decimal one
        if isinstance(undeclared, Number) and not (decimal == "," and "," not in text and text.count(".") == 1):
            assert undeclared.value == value, text
