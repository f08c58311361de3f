"""Days and weeks of the reporting time zone, in ms since 1970; a day has 23, 24 or 25 hours."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from schemas.units import HOUR_MS

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def local(time_ms: int, zone: ZoneInfo) -> datetime:
    """Return the local time in `zone`."""
    return datetime.fromtimestamp(time_ms // 1000, zone)


def _midnight_ms(day: date, zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1000


def day_start_ms(time_ms: int, zone: ZoneInfo) -> int:
    """Return the local midnight at or before `time_ms`."""
    return _midnight_ms(local(time_ms, zone).date(), zone)


def next_day_ms(time_ms: int, zone: ZoneInfo) -> int:
    """Return the local midnight strictly after `time_ms`."""
    return _midnight_ms(local(time_ms, zone).date() + timedelta(days=1), zone)


def next_monday_ms(time_ms: int, zone: ZoneInfo) -> int:
    """Return the Monday 00:00 strictly after `time_ms`."""
    day = local(time_ms, zone).date()
    return _midnight_ms(day + timedelta(days=7 - day.weekday()), zone)


def iso_date(time_ms: int, zone: ZoneInfo) -> str:
    """Return the local date, such as 2011-06-06."""
    return local(time_ms, zone).date().isoformat()


def slot_hour_ms(slot_ms: int) -> int:
    """Return the end of the hour (end - 1 h, end] with `slot_ms`: it is complete when time has come to its end."""
    return -(-slot_ms // HOUR_MS) * HOUR_MS
