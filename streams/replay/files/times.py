"""Times of a column file: by a format, as ISO 8601, or since 1970; in the night of an hour twice, both of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias
from zoneinfo import ZoneInfo

from streams.replay.files.parts import EPOCHS

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.replay.files.parts import Time

Times: TypeAlias = tuple[int, int]
"""The time as the first and as the second of two equal local times, in ms UTC; nearly always both are equal."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_EPOCH_MAX = Decimal(10) ** 15
_EPOCH_DIGITS = {10: "epoch_s", 13: "epoch_ms"}


def time_reader(time: Time) -> Callable[[str], Times | None]:
    """Return a reader of texts; it returns None for what is no time in the mapping's format."""
    unit = EPOCHS.get(time.format or "")
    if unit is not None:
        return lambda text: _since_1970(text, unit)
    zone = ZoneInfo(time.zone)

    @lru_cache(maxsize=4096)
    def read(text: str) -> Times | None:
        text = text.strip()
        try:
            moment = datetime.strptime(text, time.format) if time.format else datetime.fromisoformat(text)  # noqa: DTZ007 - the zone is the mapping's
            placed = moment if moment.tzinfo else moment.replace(tzinfo=zone)
            first = (placed - _EPOCH) // _MS
            return first, first if moment.tzinfo else (moment.replace(tzinfo=zone, fold=1) - _EPOCH) // _MS
        except (ValueError, OverflowError):
            return None

    return read


def bounds_of(time: Time) -> tuple[int, int] | None:
    """Return the first millisecond that the mapping allows and the one after the last; None: it names no days."""
    if time.not_before is None and time.not_after is None:
        return None
    first = _midnight(time.not_before or "0001-01-02", time.zone)
    return first, _midnight(time.not_after or "9998-12-30", time.zone, days=1)


def expected(time: Time, text: str) -> str:
    """Return what a time should have been."""
    if time.format is not None:
        return f"expected {time.format}"
    digits = _EPOCH_DIGITS.get(len(text)) if text.isdecimal() else None
    meant = digits or "%d/%m/%Y %H:%M"
    return f'expected ISO 8601; for others, name the form in the mapping, such as time: {{format: "{meant}"}}'


def _since_1970(text: str, unit: int) -> Times | None:
    try:
        count = Decimal(text.strip())
    except InvalidOperation:
        return None
    if not count.is_finite() or abs(count) > _EPOCH_MAX:
        return None
    found = int(count * unit)
    return found, found


def _midnight(day: str, zone: str, days: int = 0) -> int:
    at = date.fromisoformat(day) + timedelta(days=days)
    return (datetime(at.year, at.month, at.day, tzinfo=ZoneInfo(zone)) - _EPOCH) // _MS
