"""How many touchpoints of a series were due since the last one, by its own rate at this time of the week.

The rate of an hour is the mean of the same hours of up to four weeks. Counts of an hour are negative binomial: a
Poisson process whose rate is itself drawn from a gamma distribution each hour (Gelman et al. 2013, Bayesian Data
Analysis, section 2.6). Its shape r is estimated by the method of moments over all hours (Anscombe 1949, Biometrika 36).
That none of m comes in then has the probability (1 + m/r)^-r, which is e^-m where the rate does not vary.
"""

from __future__ import annotations

from math import inf, log, log1p
from typing import TYPE_CHECKING, Final, NamedTuple

from schemas.units import DAY_MS, HOUR_MS, WEEK_MS
from streams.insights.days import local

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.insights.pulse import Beats
    from streams.settings import DomainSettings

DUE_MIN: Final = 20
"""So many were due and none came: one chance in 5 x 10^8 if they come independently."""
_CHANCE_MAX: Final = 1e-3
"""The most probable silence that counts, where the rate varies from hour to hour."""
_WEEKS: Final = 4
_WEEKS_MIN: Final = 2
_MORE: Final = 1.5
"""So many times what is usually due while nothing comes has to be due now."""
_HOURS_BUSY_MIN: Final = 3
_WEEK_HOURS: Final = WEEK_MS // HOUR_MS
_LOOKED_BACK_MS: Final = _WEEKS * WEEK_MS


class Due(NamedTuple):
    """What was due in a time in which nothing came."""

    number: float
    is_silent: bool
    since_ms: int = 0
    """When so many were due that their absence is a silence; 0: it is none."""


def due_since(beats: Beats, from_ms: int, now_ms: int, settings: DomainSettings) -> Due:
    """Return how many were due from one time to another, and whether that none came is a silence.

    In the first two weeks of a series there is no rate. It is silent then after a day without any, where the same day
    of the week before had DUE_MIN.
    """
    if now_ms - beats.first_ms < _WEEKS_MIN * WEEK_MS:
        due = _of_week_before(beats, now_ms, settings) if now_ms - from_ms >= DAY_MS else 0
        return Due(due, due >= DUE_MIN, from_ms + DAY_MS)
    days = _open_days(beats, now_ms, settings)
    parts = list(_parts(beats, from_ms, now_ms, days))
    count = sum((part.due for part in parts), 0.0)
    if count < DUE_MIN:
        return Due(count, is_silent=False)
    shape = _shape(beats, days)
    least = max(DUE_MIN, _MORE * _usual(beats, days))
    if count < least:
        return Due(count, is_silent=False)
    evidence = count if shape == inf else sum((shape * log1p(part.due / shape) for part in parts), 0.0)
    return Due(count, evidence >= -log(_CHANCE_MAX), _reached_ms(parts, least))


def _reached_ms(parts: Iterable[_Part], least: float) -> int:
    """Return when so many were due."""
    total, time_ms = 0.0, 0
    for part in parts:
        if total >= least:
            break
        share = min(1.0, (least - total) / part.due) if part.due else 1.0
        time_ms = part.start_ms + int(share * (part.end_ms - part.start_ms))
        total += part.due
    return time_ms


class _Part(NamedTuple):
    """How many were due in an hour, or in the part of it between two times."""

    start_ms: int
    end_ms: int
    due: float


class _Days(NamedTuple):
    """Days on which the series came in, and days on which the shop is closed, as numbers of days in its time zone."""

    offset_ms: int
    heard: frozenset[int]
    closed: frozenset[int]

    def of(self, hour: int) -> int:
        """Return the number of the day of an hour."""
        return (hour * HOUR_MS + self.offset_ms) // DAY_MS

    def is_open(self, hour: int) -> bool:
        """Return whether the shop is open on the day of an hour."""
        return self.of(hour) not in self.closed


def _open_days(beats: Beats, now_ms: int, settings: DomainSettings) -> _Days:
    """Return the days; the hour by which summer time moves their border is left out of account."""
    shift = local(now_ms, settings.zone).utcoffset()
    offset_ms = 0 if shift is None else round(shift.total_seconds()) * 1000
    heard = frozenset((hour * HOUR_MS + offset_ms) // DAY_MS for hour, count in beats.hours.items() if count)
    first = (now_ms - _LOOKED_BACK_MS - WEEK_MS + offset_ms) // DAY_MS
    today = (now_ms + offset_ms) // DAY_MS
    closed = {day for day in range(first, today + 1) if settings.quality.is_closed(day)}
    # on a day that is over and had nothing of any series, the shop was closed, or all was down and has had its alert
    closed |= set(range(min(beats.days, default=today), today)).difference(beats.days)
    return _Days(offset_ms, heard, frozenset(closed))


def _parts(beats: Beats, from_ms: int, now_ms: int, days: _Days) -> Iterator[_Part]:
    """Yield how many were due in each hour between two times."""
    if beats.is_in_batches:
        # a batch may be late by an hour, and within its hour it comes at any time
        now_ms -= HOUR_MS
        now_ms -= now_ms % HOUR_MS
        from_ms += HOUR_MS - from_ms % HOUR_MS
    start_ms = max(from_ms, now_ms - _LOOKED_BACK_MS)
    while start_ms < now_ms:
        hour = start_ms // HOUR_MS
        end_ms = min((hour + 1) * HOUR_MS, now_ms)
        if days.is_open(hour):
            yield _Part(start_ms, end_ms, _rate(beats, hour, days) * (end_ms - start_ms) / HOUR_MS)
        start_ms = end_ms


def _rate(beats: Beats, hour: int, days: _Days) -> float:
    """Return the mean of the same hours of weeks before; 0: they are too few to say."""
    counts = _same_hours(beats, hour, days)
    return sum(counts) / len(counts) if counts else 0


def _same_hours(beats: Beats, hour: int, days: _Days) -> list[int]:
    """Return the counts of these hours in the weeks before, of those days on which the series came in at all.

    None, where there are fewer than two such weeks, or where half of the days had none: then it may be closed today.
    """
    first = beats.first_ms // HOUR_MS
    before = [hour - weeks * _WEEK_HOURS for weeks in range(1, _WEEKS + 1)]
    known = [each for each in before if each >= first and days.is_open(each)]
    heard = [each for each in known if days.of(each) in days.heard]
    if len(known) < _WEEKS_MIN or 2 * len(heard) <= len(known):
        return []
    return [beats.hours.get(each, 0) for each in heard]


def _shape(beats: Beats, days: _Days) -> float:
    """Return r of the negative binomial distribution of an hour's count; inf: it is Poisson's."""
    squares = excess = 0.0
    newest = max(beats.hours, default=0)
    for hour in range(newest - _WEEK_HOURS, newest):
        counts = _same_hours(beats, hour, days)
        if len(counts) < _WEEKS_MIN:
            continue
        mean = sum(counts) / len(counts)
        variance = sum([(count - mean) ** 2 for count in counts]) / (len(counts) - 1)
        squares += mean * mean
        excess += variance - mean
    return squares / excess if excess > 0 else inf


def _usual(beats: Beats, days: _Days) -> float:
    """Return how much was due, by the mean of the other weeks, in a row of hours in which nothing came.

    It is the longest such row but one, so that one fault is not usual. A source that sends every few hours has many.
    """
    newest = max(beats.hours, default=0)
    first = max(beats.first_ms // HOUR_MS, newest - _WEEKS * _WEEK_HOURS)
    totals: dict[int, int] = {}
    for hour, count in beats.hours.items():
        if hour >= first:
            totals[hour % _WEEK_HOURS] = totals.get(hour % _WEEK_HOURS, 0) + count
    others = max((newest - first) / _WEEK_HOURS - 1, 1)
    rows, row = [0.0, 0.0], 0.0
    for hour in range(first, newest + 1):
        if not beats.hours.get(hour) and days.is_open(hour):
            row += totals.get(hour % _WEEK_HOURS, 0) / others
        elif row:
            rows.append(row)
            row = 0.0
    return sorted(rows)[-2]


def _of_week_before(beats: Beats, now_ms: int, settings: DomainSettings) -> int:
    """Return how many came in the same day of the week before, if that was a busy one and this is no closing day."""
    days = _open_days(beats, now_ms, settings)
    last = now_ms // HOUR_MS
    if not all(days.is_open(hour) for hour in range(last - 24, last)):
        return 0
    counts = [beats.hours.get(hour - _WEEK_HOURS, 0) for hour in range(last - 24, last)]
    return sum(counts) if sum(count > 0 for count in counts) >= _HOURS_BUSY_MIN else 0
