"""Numbers as people and spreadsheets write them: decimal commas, thousands, signs of currencies."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from schemas.limits import MINOR_MAX

_CHARACTERS_MAX: Final = 64
_PLAIN: Final = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?")
_SIGN: Final = r"(?:[^\W\d_]{0,3}\$|[^\W\d_]{1,4}\.?|[^\w\s.,'\u2019()+\-\u2212])?"
"""Letters and a dollar, letters and perhaps a point, or one other sign. Before .50 a point would be the decimal one."""
_SHAPE: Final = re.compile(
    rf"(?P<minus>[-+\u2212(]?)\s*(?P<before>{_SIGN})\s*(?P<inner>[-+\u2212]?)\s*"
    r"(?P<figures>[0-9.,][0-9.,'\u2019\u0020\u00a0\u2009\u202f]*?)\s*"
    rf"(?P<after>{_SIGN})\s*(?P<end>[-)\u2212]?)"
)
_GROUPED: Final = re.compile(r"[0-9]{1,3}(?:([.'\u2019\u0020\u00a0\u2009\u202f,])[0-9]{3})(?:\1[0-9]{3})*")
_INDIAN: Final = re.compile(r"[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}")
"""Lakhs and crores: groups but the last have two digits."""
_MINUS: Final = "-\u2212("
_EXACT: Final = {
    "€": "EUR",
    "£": "GBP",
    "₹": "INR",
    "₩": "KRW",
    "₽": "RUB",
    "₺": "TRY",
    "₫": "VND",
    "₴": "UAH",
    "₪": "ILS",
    "฿": "THB",
    "₱": "PHP",
    "₦": "NGN",
    "zł": "PLN",
    "Kč": "CZK",
    "Ft": "HUF",
    "R$": "BRL",
    "US$": "USD",
    "CA$": "CAD",
    "AU$": "AUD",
    "NZ$": "NZD",
    "HK$": "HKD",
}
"""Signs that one currency has."""
_SHARED: Final = frozenset({"kr", "Kr", "Fr", "SFr", "Rs", "RM", "lei", "C$", "A$", "S$", "TL", "R", "$"})
_CODE: Final = re.compile(r"[A-Z]{3}")


class Number(NamedTuple):
    """A number, and the ISO 4217 code of the currency beside it; "" is for a sign that several have."""

    value: Decimal
    currency: str = ""


class Numbers:
    """A reader of one file's numbers.

    With a decimal sign, point and comma have one meaning each. Without one, a number is read if it can be read in one
    way only: 9,50 and 1.299,00, but not 1,299. A lone point is decimal, unless other numbers have decimal commas.
    """

    def __init__(self, decimal: str | None) -> None:
        self._decimal = decimal
        self._comma = ""
        self._point = ""
        self.is_in_doubt = False
        self.read = lru_cache(maxsize=65_536)(self._read)
        """Return a number, or what is wrong with the text."""

    @property
    def doubt(self) -> str:
        """Return why numbers that were read may be wrong, once `is_in_doubt`."""
        return f"{self._point} was read with a decimal point, but {self._comma} has a decimal comma; {_declare(',')}"

    def _read(self, text: str) -> Number | str:
        if len(text) > _CHARACTERS_MAX:
            return "no number"
        if self._decimal != "," and _PLAIN.fullmatch(text):
            if self._decimal is None and _could_be_thousands(text, "."):
                self._point = text
                self.is_in_doubt = bool(self._comma)
            return _bounded(Decimal(text))
        found = _SHAPE.fullmatch(text.strip())
        if found is None:
            return self._by_exponent(text)
        currency = _currency(found["before"], found["after"])
        figures = self._plain(found["figures"])
        signs = [sign for sign in (found["minus"], found["inner"], found["end"].replace(")", "")) if sign]
        if currency is None or len(signs) > 1 or (found["minus"] == "(") != (found["end"] == ")"):
            return "no number"
        if not isinstance(figures, Decimal):
            return figures
        return _bounded(-figures if signs and signs[0] in _MINUS else figures, currency)

    def _by_exponent(self, text: str) -> Number | str:
        try:
            return _bounded(Decimal(text))
        except ArithmeticError:
            return "no number"

    def _plain(self, figures: str) -> Decimal | str:
        """Return the figures as a number, or what is wrong with them."""
        decimal = self._decimal or _decimal_sign(figures)
        if decimal is None:
            return f"{figures} can be read in two ways; {_declare('.')} or {_declare(',')}"
        whole, sign, fraction = figures.partition(decimal)
        if fraction and not fraction.isdigit():
            return "no number"
        if whole and not whole.isdigit() and not _GROUPED.fullmatch(whole) and not _INDIAN.fullmatch(whole):
            return f"no number with the decimal sign {decimal!r}" if self._decimal else "no number"
        digits = "".join(each for each in whole if each.isdigit())
        if not digits and not fraction:
            return "no number"
        if sign == "," and self._decimal is None:
            self._comma = figures
            self.is_in_doubt = bool(self._point)
        return Decimal(f"{digits or '0'}.{fraction or '0'}")


def _declare(sign: str) -> str:
    return f'write file: {{decimal: "{sign}"}} in the mapping'


def _decimal_sign(figures: str) -> str | None:
    """Return the sign before the fraction; None: it may be one between thousands as well."""
    points, commas = figures.count("."), figures.count(",")
    if points and commas:
        return max(".", ",", key=figures.rfind)
    only = "," if commas else "."
    if points + commas > 1:
        return "." if commas else ","
    if commas and _could_be_thousands(figures, ","):
        return None
    return only


def _could_be_thousands(text: str, sign: str) -> bool:
    whole, found, fraction = text.lstrip("+-").partition(sign)
    return bool(found) and len(fraction) == 3 and len(whole) <= 3 and whole.isdigit() and whole[0] != "0"  # noqa: PLR2004


def _currency(before: str, after: str) -> str | None:
    """Return the code of the currency beside a number, "" if it is not certain; None: it is no currency."""
    if before and after:
        return None
    sign = (before or after).rstrip(".")
    if not sign or sign in _SHARED or unicodedata.category(sign[0]) == "Sc":
        return _EXACT.get(sign, "")
    return _EXACT.get(sign) or (sign if _CODE.fullmatch(sign) else None)


def _bounded(value: Decimal, currency: str = "") -> Number | str:
    if not value.is_finite() or abs(value) >= MINOR_MAX:
        return "no number"
    return Number(value, currency)
