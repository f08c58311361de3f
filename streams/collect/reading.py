"""Fields of JSON documents, read so that what is wrong is said with the field's name."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from schemas.limits import TEXT_MAX
from streams.collect.addresses import address_hash, alone, is_address
from streams.collect.amounts import kind_of, number_text
from streams.collect.hiding import shown
from streams.collect.nobody import is_nothing
from streams.collect.refused import RefusedRecord

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_TIME_CHARACTERS_MAX: Final = 64
_SECONDS: Final = range(631_152_000, 3_471_292_800)
"""From 1990 to 2080, in seconds; the same times in milliseconds are far away from these."""
_POINT_NOUGHT: Final = re.compile(r"(0|[1-9][0-9]{0,39})\.0+", re.ASCII)
_HASH: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


def part(document: dict[str, Any], name: str, path: str = "") -> dict[str, Any]:
    """Return an object within an object; an empty one if there is none.

    Raises:
        RefusedRecord: it is something else.
    """
    value = document.get(name)
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise RefusedRecord("malformed", f"{path}{name} is {kind_of(value)}: allowed is an object")
    return value


def text(value: Any, name: str) -> str | None:  # noqa: ANN401 - of a JSON document
    """Return a text without blanks around it, or a number as a text; None: there is none.

    Raises:
        RefusedRecord: it is a flag, a list or an object.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise RefusedRecord("malformed", f"{name} is {kind_of(value)}: allowed is a text")
    return number_text(value, name)


def word(value: Any, name: str) -> str | None:  # noqa: ANN401 - of a JSON document
    """Return a text as `text` does, but none for a word that programs write where they have nothing, such as null."""
    if isinstance(value, bool):
        return None
    found = text(value, name)
    return None if found is None or is_nothing(found) else found


def identifier(value: Any, name: str) -> str | None:  # noqa: ANN401 - of a JSON document
    """Return an id as `text` does: 7, 7.0 and "7.0" are one id. A flag is an id of nobody, which the checks know.

    Raises:
        RefusedRecord: it is a list or an object.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    found = text(value, name)
    if found is not None and found.endswith("0") and (same := _POINT_NOUGHT.fullmatch(found)):
        return same.group(1)
    return found


def address_hash_of(*places: Any) -> str | None:  # noqa: ANN401 - of a JSON document
    """Return the hash of the first of these that is an address, or its hash already; None: none is."""
    for value in places:
        if not isinstance(value, str) or len(value) > TEXT_MAX:
            continue
        address = alone(value)
        if _HASH.fullmatch(address):
            return address.lower()
        if is_address(address):
            return address_hash(address)
    return None


def time_ms_of(value: Any, name: str) -> int | None:  # noqa: ANN401 - of a JSON document
    """Return a time in ms since the epoch: of ISO 8601 with a time zone, or a number of s or ms; None: there is none.

    Raises:
        RefusedRecord: it is none of these.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return _iso_ms(value.strip(), name)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise RefusedRecord("malformed", f"{name} is {kind_of(value)}: {_ALLOWED}")
    number = value if isinstance(value, Decimal) else Decimal(repr(value)) if isinstance(value, float) else value
    if not -(10**15) < number < 10**15:
        raise RefusedRecord("malformed", f"{name} is no time: {_ALLOWED}")
    return int(number * 1000) if int(number) in _SECONDS else int(number)


_ALLOWED: Final = "allowed is ISO 8601 with a time zone, such as 2026-03-02T10:00:00Z"


def _iso_ms(found: str, name: str) -> int:
    if not found or len(found) > _TIME_CHARACTERS_MAX:
        raise RefusedRecord("malformed", f"{name} is {shown(found)}: {_ALLOWED}")
    try:
        time = datetime.fromisoformat(found)
    except ValueError:
        raise RefusedRecord("malformed", f"{name} is {shown(found)}: {_ALLOWED}") from None
    if time.tzinfo is None:
        raise RefusedRecord("malformed", f"{name} {shown(found)} has no time zone: {_ALLOWED}")
    # exact, and for every year that can be written
    return round((time - _EPOCH) / _MS)
