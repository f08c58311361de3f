"""Phone numbers in free texts are cut; what only looks like one stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.collect.phones import CUT, without_phones


@pytest.mark.parametrize(
    "number",
    [
        "+49 151 23456789",
        "+4915123456789",
        "+49-151-2345678",
        "(+49) 151 2345678",
        "+49 (0)30/123-456",
        "+1 (555) 123-4567",
        "+44 20 7946 0958",
        "+33 6 12 34 56 78",
        "004915123456789",
        "0049 151 2345678",
        "00 49 151 2345678",
        "0049301234567",
        "0151 2345678",
        "0151/2345678",
        "030-1234567",
        "(030) 123 456",
        "020 7946 0958",
        "06 12 34 56 78",
        "06.12.34.56.78",
        "(555) 123-4567",
        "555-123-4567",
        "555.123.4567",
        "1-555-123-4567",
        "612 345 678",
        "12 34 56 78",
        "%2B4915123456789",
        "%2B49+151+2345678",
        "0151%202345678",
        "&#43;49 151 2345678",
    ],
)
def test_a_number_with_a_sign_zeros_or_separators_is_cut(number: str) -> None:
    assert without_phones(number) == CUT
    assert without_phones(f"call {number}, please") == f"call {CUT}, please"
    assert without_phones(f"tel:{number}") == f"tel:{CUT}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mug",
        "4006381333931",
        "5901234123457",
        "0012345678905",
        "96385074",
        "1000234567",
        "0012345678",
        "0000012345",
        "015123456789",
        "2026-000123",
        "302-1234567-1234567",
        "sku-0151-234567",
        "978-3-16-148410-0",
        "550e8400-e29b-41d4-a716-446655440000",
        "2026-05-01",
        "01.05.2026",
        "05/06/2026",
        "01.05.2026 10:00",
        "01/2026 - 12/2026",
        "2026-05-01 10:00:00",
        "2026-03-02T10:00:09.123456+01:00",
        "10:00:09.123456",
        "08.00-17.00",
        "1767225600000",
        "192.168.100.200",
        "1 234 567",
        "1.234.567,00",
        "0.1234567",
        "12.99 14.99",
        "52.5200 13.4050",
        "4111 1111 1111 1111",
        "+20 %",
        "a%20b%20c",
    ],
)
def test_an_id_a_code_a_date_or_a_price_stays(text: str) -> None:
    assert without_phones(text) is text


@given(st.integers(0, 10**18))
def test_a_number_in_one_piece_stays_unless_it_begins_with_two_zeros(number: int) -> None:
    assert without_phones(str(number)) == str(number)


@given(st.integers(0, 10**12 - 1), st.sampled_from([8, 12, 13, 14]))
def test_an_ean_stays_also_with_zeros_before_it(number: int, digits: int) -> None:
    body = f"{number:0{digits - 1}d}"[-(digits - 1) :]
    weighted = sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(reversed(body)))
    ean = body + str(-weighted % 10)
    assert without_phones(ean) == ean


@given(
    st.sampled_from(["+", "00"]),
    st.integers(1, 9),
    st.lists(st.integers(10, 9_999).map(str), min_size=3, max_size=3),
    st.sampled_from([" ", "-", "/", "."]),
    st.text("abc ,:", max_size=5),
)
def test_a_random_number_with_its_country_is_cut_from_a_random_text(
    sign: str, country: int, groups: list[str], separator: str, text: str
) -> None:
    number = separator.join([f"{sign}{country}9", *groups])
    assert without_phones(f"{text} {number} {text}") == f"{text} {CUT} {text}"


def test_two_numbers_are_two() -> None:
    assert without_phones("0151 2345678 0152 3456789") == f"{CUT} {CUT}"
    assert without_phones("+4915123456789 +4915123456780") == f"{CUT} {CUT}"
    assert without_phones("0151 2345678 or +49 30 123456.") == f"{CUT} or {CUT}."
    assert without_phones("+49 151 2345678" * 3) == CUT * 3
    assert without_phones("+4915123456789+4915123456780") == CUT * 2


def test_a_date_beside_a_number_stays() -> None:
    assert without_phones("2026-05-01 0151 2345678") == f"2026-05-01 {CUT}"
