"""Times of day where the customer is."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container
    from zoneinfo import ZoneInfo

    from streams.flows.language.flow import QuietHours
    from streams.flows.language.steps import WaitUntilStep

_DAY = timedelta(days=1)
_DAYS_A_WEEK = 7


def hour_of(time_ms: int, zone: ZoneInfo) -> int:
    """Return the hour of the day in that zone."""
    return datetime.fromtimestamp(time_ms / 1000, zone).hour


def send_ms(minute: int, quiet: QuietHours | None, now_ms: int, zone: ZoneInfo) -> int:
    """Return when it is that minute of the day next; if that is quiet, when quiet hours end."""
    if quiet is not None and quiet.holds(minute):
        minute = quiet.to_minute
    return _next(minute, range(1, _DAYS_A_WEEK + 1), now_ms, zone)


def quiet_until_ms(hours: QuietHours, now_ms: int, zone: ZoneInfo) -> int | None:
    """Return when the quiet hours end that now is in; None: it is in none."""
    local = datetime.fromtimestamp(now_ms / 1000, zone)
    minute = local.hour * 60 + local.minute
    if not hours.holds(minute):
        return None
    ends_tomorrow = hours.to_minute <= minute
    return _at(local.date() + (_DAY if ends_tomorrow else 0 * _DAY), hours.to_minute, now_ms, zone)


def next_quiet_ms(hours: QuietHours, now_ms: int, zone: ZoneInfo) -> int:
    """Return when quiet hours begin next."""
    return _next(hours.from_minute, range(1, _DAYS_A_WEEK + 1), now_ms + 1, zone)


def until_ms(step: WaitUntilStep, now_ms: int, zone: ZoneInfo) -> int:
    """Return when it is the step's time of day next, on one of its days; that may be now."""
    return _next(step.time, step.days or range(1, _DAYS_A_WEEK + 1), now_ms, zone)


def _next(minute: int, days: Container[int], now_ms: int, zone: ZoneInfo) -> int:
    day = datetime.fromtimestamp(now_ms / 1000, zone).date()
    while True:
        if day.isoweekday() in days:
            time_ms = _at(day, minute, now_ms, zone)
            if time_ms >= now_ms:
                return time_ms
        day += _DAY


def _at(day: date, minute: int, now_ms: int, zone: ZoneInfo) -> int:
    """Return that minute of the day as a time.

    On a day on which clocks are set back there may be two: the first that is not over.
    """
    local = datetime(day.year, day.month, day.day, *divmod(minute, 60), tzinfo=zone)
    first_ms = round(local.timestamp() * 1000)
    return first_ms if first_ms >= now_ms else max(first_ms, round(local.replace(fold=1).timestamp() * 1000))
