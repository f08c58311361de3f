"""Countries by their codes of ISO 3166-1, two letters, as settings and customers' records name them."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator

_CODE_LETTERS: Final = 2
_SAID_FOR: Final = {"UK": "GB", "EL": "GR"}
"""What people write for a country, by agreement no other's code."""


def country_code(text: str) -> str:
    """Return the code that a text from a producer means; empty: it is none, such as the name of a country."""
    code = text.strip().upper()
    if len(code) != _CODE_LETTERS or not (code.isascii() and code.isalpha()):
        return ""
    return _SAID_FOR.get(code, code)


def checked_country(code: str) -> str:
    """Return a code as a setting has to write it.

    Raises:
        ValueError: it is none, or means a country that has another one.
    """
    if not code or country_code(code) != code:
        means = f"; write {_SAID_FOR[code]}" if code in _SAID_FOR else ""
        raise ValueError(f"{code!r} is no country of ISO 3166, which has two capital letters such as DE{means}")
    return code


CountryCode: TypeAlias = Annotated[str, AfterValidator(checked_country)]
"""A key of a setting by country."""
