"""Dates of customers: a day where the customer is, or an instant; and the same day of other years.

A day begins at midnight in the customer's time zone. Who was born on 29 February has their day on 28 February in years
without it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from schemas.units import DAY_MS

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_DAY_CHARS: Final = 10
_LEAP_MONTH, _LEAP_DAY = 2, 29
_YEARS: Final = range(1971, 9_000)
"""Years whose days are times that every zone has."""


def time_of(text: str, zone: ZoneInfo, shift_ms: int = 0) -> int | None:
    """Return when a date in canonical text begins, shifted; None: it is no date, or in no year of use.

    Whole days of a shift are days of the calendar where the customer is.
    """
    try:
        if len(text) == _DAY_CHARS:
            return _midnight_ms(date.fromisoformat(text), zone, shift_ms)
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None or instant.year not in _YEARS:
            return None
        return round(instant.astimezone(UTC).timestamp() * 1000) + shift_ms
    except (ValueError, OverflowError):
        return None


def time_in_year(text: str, year: int, zone: ZoneInfo, shift_ms: int = 0) -> int | None:
    """Return when the day of a date comes in a year, shifted as in `time_of`; None: it is no date."""
    day = day_of(text, zone)
    if day is None:
        return None
    if (day.month, day.day) == (_LEAP_MONTH, _LEAP_DAY) and not _is_leap(year):
        day = day.replace(day=_LEAP_DAY - 1)
    try:
        return _midnight_ms(day.replace(year=year), zone, shift_ms)
    except (ValueError, OverflowError):
        return None


def next_yearly_ms(text: str, after_ms: int, zone: ZoneInfo, shift_ms: int = 0) -> int | None:
    """Return when the day of a date comes first after a time, shifted as in `time_of`; None: it is no date."""
    year = local_day(after_ms, zone).year
    # a shift may be of years, and moves the day of a year into another one
    shift_years = -(-abs(shift_ms) // (365 * DAY_MS))
    for number in range(year - shift_years - 1, year + shift_years + 2):
        time_ms = time_in_year(text, number, zone, shift_ms)
        if time_ms is not None and time_ms > after_ms:
            return time_ms
    return None


def day_of(text: str, zone: ZoneInfo) -> date | None:
    """Return the day of a date in canonical text where the customer is; None: it is no date."""
    try:
        if len(text) == _DAY_CHARS:
            return date.fromisoformat(text)
        instant = datetime.fromisoformat(text)
        return None if instant.tzinfo is None else instant.astimezone(zone).date()
    except (ValueError, OverflowError):
        return None


def local_day(time_ms: int, zone: ZoneInfo) -> date:
    """Return the day of a time in that zone."""
    return datetime.fromtimestamp(time_ms / 1000, zone).date()


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _midnight_ms(day: date, zone: ZoneInfo, shift_ms: int) -> int | None:
    days, rest_ms = divmod(shift_ms, DAY_MS)
    day += timedelta(days=days)
    if day.year not in _YEARS:
        return None
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000) + rest_ms
