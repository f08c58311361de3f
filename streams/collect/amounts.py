"""Money and quantities as producers write them, made exact: minor units by the digits of ISO 4217.

The digits come from the package `iso4217`. What becomes of an amount is in the touchpoint, so the fold needs no table.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from iso4217 import Currency

from schemas.limits import MINOR_MAX, QUANTITY_MAX
from streams.collect.hiding import shown
from streams.collect.refused import RefusedRecord

_WITHDRAWN: Final = {
    **dict.fromkeys(("ANG", "BGN", "CUC", "EEK", "HRK", "LTL", "LVL", "MRO", "SLL", "STD", "VEF", "ZWL"), 2),
    "BYR": 0,
}
"""Currencies that ISO 4217 has taken back since 2010, with their digits (list three): old orders still name them."""
_DIGITS: Final[dict[str, int]] = {
    **_WITHDRAWN,
    **{each.code: each.exponent for each in Currency if each.exponent is not None},
}
"""Metals, funds and codes for tests have no digits, so no order is paid in them."""
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_CHARACTERS_MAX: Final = 64
_MAGNITUDE_MAX: Final = 20
"""Powers of ten: a larger number is no amount, and its digits would fill the memory."""
_SCALES: Final = tuple([Decimal(10) ** digits for digits in range(5)])


def currency_of(value: Any, default: str, name: str = "currency") -> str:  # noqa: ANN401 - of a JSON document
    """Return the code of ISO 4217 that a producer means, in any case, with blanks around it; without one the default.

    Raises:
        RefusedRecord: it is none; the detail has the field's name.
    """
    if value is None or value == "":
        return default
    code = value.strip().upper() if isinstance(value, str) else None
    if not code and code is not None:
        return default
    if code not in _DIGITS:
        raise RefusedRecord(
            "bad_currency", f"{name} is {shown(value, 10)}: allowed is an ISO 4217 code of money, such as EUR"
        )
    return code


def exact(value: Any, name: str) -> Decimal:  # noqa: ANN401 - of a JSON document
    """Return a number exactly as it was written: a number of JSON, or a text such as 12.50.

    Raises:
        RefusedRecord: it is none, or beyond all amounts; the detail has the field's name and what was there.
    """
    if isinstance(value, str):
        text = value.strip()
        if len(text) > _CHARACTERS_MAX or not _NUMBER.fullmatch(text):
            raise RefusedRecord("malformed", f"{name} is {shown(value)}: allowed is a number such as 1042.50")
        number = Decimal(text)
    elif isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise RefusedRecord("malformed", f"{name} is {kind_of(value)}: allowed is a number such as 1042.50")
    elif isinstance(value, Decimal):
        number = value
    elif isinstance(value, float):
        number = Decimal(repr(value))
    else:
        number = Decimal(value) if -MINOR_MAX * MINOR_MAX < value < MINOR_MAX * MINOR_MAX else Decimal("Infinity")
    if not number.is_finite() or (number and number.adjusted() > _MAGNITUDE_MAX):
        raise RefusedRecord("amount_out_of_range", f"{name} is larger than any amount: at most {MINOR_MAX} is allowed")
    return number


def minor(amount: Decimal, currency: str, name: str) -> int:
    """Return minor units, exactly: 12.34 EUR is 1234. Half a unit is rounded to even. It may be below 0.

    Raises:
        RefusedRecord: it is too large, or nobody knows how many digits the currency has.
    """
    digits = _DIGITS.get(currency)
    if digits is None:
        raise RefusedRecord(
            "bad_currency", f"currency is {shown(currency, 10)}: allowed is an ISO 4217 code of money, such as EUR"
        )
    units = (amount * _SCALES[digits]).to_integral_value()
    if not abs(units) <= MINOR_MAX:
        raise RefusedRecord("amount_out_of_range", f"{name} is {shown(amount)}: at most {MINOR_MAX} minor units")
    return int(units)


def line_amounts(price: Decimal, quantity: Decimal, currency: str, name: str) -> tuple[int, int]:
    """Return price in minor units and quantity of a line; one of 1.5 kg is one piece at the amount of the whole line.

    Raises:
        RefusedRecord: one of them is too large; `name` is that of the line.
    """
    if quantity == quantity.to_integral_value():
        pieces = whole(quantity, QUANTITY_MAX, f"{name}.quantity")
        return minor(price, currency, f"{name}.price"), pieces
    return minor(price * quantity, currency, f"{name}.price"), 1 if quantity > 0 else -1


def whole(number: Decimal, most: int, name: str) -> int:
    """Return a whole number; a fraction is cut.

    Raises:
        RefusedRecord: it is larger than `most`, on either side of 0.
    """
    if not abs(number) <= most:
        raise RefusedRecord("amount_out_of_range", f"{name} is {shown(number)}: at most {most} is allowed")
    return int(number)


def number_text(value: float | Decimal, name: str) -> str:
    """Return a number as people write an id: 7 and 7.0 are both "7", without an exponent.

    Raises:
        RefusedRecord: it has more digits than an id.
    """
    if isinstance(value, int):
        number = value if -(10**_CHARACTERS_MAX) < value < 10**_CHARACTERS_MAX else None
        text = str(number) if number is not None else ""
    else:
        exactly = value if isinstance(value, Decimal) else Decimal(repr(value))
        text = ""
        if exactly.is_finite() and (not exactly or abs(exactly.adjusted()) < _CHARACTERS_MAX):
            text = format(exactly, "f") if len(exactly.as_tuple().digits) <= _CHARACTERS_MAX else ""
            if "." in text:
                text = text.rstrip("0").rstrip(".")
            text = "0" if text in {"-0", "-"} else text
    if not text or len(text) > 2 * _CHARACTERS_MAX:
        raise RefusedRecord("malformed", f"{name} is a number of more than {_CHARACTERS_MAX} digits")
    return text


_KINDS: Final = {
    dict: "an object",
    list: "a list",
    bool: "a flag",
    str: "a text",
    int: "a number",
    float: "a number",
    Decimal: "a number",
}


def kind_of(value: object) -> str:
    """Return of what kind a value of a JSON document is, for people."""
    return "null" if value is None else _KINDS.get(type(value), "a value")
