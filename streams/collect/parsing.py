"""JSON in, and out again as it was: numbers keep all their digits."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Final

import msgspec

from schemas.limits import NESTING_MAX
from schemas.nesting import is_nested_deeper
from streams.collect.refused import RefusedRecord

_FLOAT_CHARACTERS_MAX: Final = 15
"""So many digits come out of a float as they went in (IEEE 754)."""
_MARK: Final = b"\xef\xbb\xbf"
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


def _number(text: str) -> float | Decimal:
    """Return a number with a point; a long one as it is, for a float would make one customer of two ids beyond 2^53."""
    number = float(text) if len(text) <= _FLOAT_CHARACTERS_MAX else math.inf
    return number if math.isfinite(number) else Decimal(text)


_DECODER: Final = msgspec.json.Decoder(float_hook=_number)


def parsed(value: bytes) -> Any:  # noqa: ANN401 - a JSON document
    """Return a JSON document. Numbers are int or float, or Decimal where a float would lose a digit.

    Raises:
        RefusedRecord: it is none, or nested too deeply.
    """
    if is_nested_deeper(value, NESTING_MAX):
        raise RefusedRecord("malformed", f"the record is nested deeper than the {NESTING_MAX} levels that are allowed")
    try:
        return _DECODER.decode(value.removeprefix(_MARK))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedRecord("malformed", f"the record is not valid JSON: {error}") from None
    except (ArithmeticError, ValueError):
        raise RefusedRecord("malformed", "the record is not valid JSON: it has a number that cannot be") from None


def written(document: Any) -> bytes:  # noqa: ANN401 - of a JSON document
    """Return a document as JSON, its numbers as they were."""
    return _ENCODER.encode(document)
