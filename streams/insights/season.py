"""Expectation of an hour: level + hour of the day + day of the week, of the square root of a KPI.

The square root makes the spread of counts the same by day and by night. Successive residuals are similar. Without the
last one's share (an AR(1) process) they are nearly independent.
"""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

from schemas.units import HOUR_MS
from streams.insights.days import local
from streams.insights.detector import Season

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

# shares by which one hour moves the level, its hour of the day and its day of the week, and the spread
LEVEL_RATE = 0.02
HOUR_RATE = 0.1
WEEKDAY_RATE = 0.02
SPREAD_RATE = 0.005

_HOURS, _WEEKDAYS = 24, 7
_VARIANCE_MIN = 1e-4
_PHI_MIN, _PHI_MAX = -0.5, 0.9
# residuals are learnt up to this many deviations, or hours close to an alarm would soon count as usual;
# limited in this way, a normal variable keeps this share of its variance
_LIMIT = 2.0
_LIMITED_SHARE = 0.92
# in an incident the level follows by at most this many deviations: a lasting change is normal in a week or two
_LIMIT_INCIDENT = 2.0


class Surprise(NamedTuple):
    """How an observation differs: `residual` on the square-root scale, `score` in deviations, whitened."""

    expected: float
    residual: float
    score: float


def started(observations: Sequence[tuple[int, float]], zone: ZoneInfo) -> tuple[Season, list[float]]:
    """Fit means to (hour, value) pairs of at least a week; also return their own whitened scores."""
    roots = [(time_ms, sqrt(max(value, 0.0))) for time_ms, value in observations]
    level = sum(root for _, root in roots) / len(roots)
    places = [_place(time_ms, zone) for time_ms, _ in roots]
    rest = [root - level for _, root in roots]
    hours = _means([hour for hour, _ in places], rest, _HOURS)
    rest = [value - hours[hour] for value, (hour, _) in zip(rest, places, strict=True)]
    weekdays = _means([weekday for _, weekday in places], rest, _WEEKDAYS)
    rest = [value - weekdays[weekday] for value, (_, weekday) in zip(rest, places, strict=True)]
    # the means use this many degrees of freedom
    free = max(len(rest) - _HOURS - _WEEKDAYS, 1)
    variance = max(sum(value * value for value in rest) / free, _VARIANCE_MIN)
    covariance = sum(one * other for one, other in pairwise(rest)) / free
    season = Season(level, hours, weekdays, variance, covariance, rest[-1], roots[-1][0])
    deviation = _deviation(season)
    # residuals of a fit to themselves are too small by this much
    widened = sqrt(len(rest) / free)
    scores = [widened * (other - _phi(season) * one) / deviation for one, other in pairwise(rest)]
    return season, scores


def surprise(season: Season, time_ms: int, value: float, zone: ZoneInfo) -> Surprise:
    """Score an observation, before learning it."""
    hour, weekday = _place(time_ms, zone)
    expected = max(season.level + season.hours[hour] + season.weekdays[weekday], 0.0)
    residual = sqrt(max(value, 0.0)) - expected
    follows = time_ms - season.time_ms == HOUR_MS
    whitened = residual - (_phi(season) * season.residual if follows else 0.0)
    return Surprise(expected, residual, whitened / _deviation(season))


def learnt(season: Season, time_ms: int, residual: float, zone: ZoneInfo) -> Season:
    """Take in an hour that is in range."""
    spread = sqrt(season.variance)
    residual = min(max(residual, -_LIMIT * spread), _LIMIT * spread)
    hour, weekday = _place(time_ms, zone)
    hours, hours_mean = _moved(season.hours, hour, HOUR_RATE * residual)
    weekdays, weekdays_mean = _moved(season.weekdays, weekday, WEEKDAY_RATE * residual)
    variance = season.variance + SPREAD_RATE * (residual * residual / _LIMITED_SHARE - season.variance)
    covariance = season.covariance
    if time_ms - season.time_ms == HOUR_MS:
        covariance += SPREAD_RATE * (residual * season.residual - covariance)
    level = season.level + LEVEL_RATE * residual + hours_mean + weekdays_mean
    return Season(level, hours, weekdays, max(variance, _VARIANCE_MIN), covariance, residual, time_ms)


def tolerated(season: Season, time_ms: int, residual: float) -> Season:
    """Take in an hour of an incident: only the level follows, and slowly."""
    most = _LIMIT_INCIDENT * sqrt(season.variance)
    residual = min(max(residual, -most), most)
    level = season.level + LEVEL_RATE * residual
    # an odd hour is no reason to expect the next one to be odd
    return Season(level, season.hours, season.weekdays, season.variance, season.covariance, 0.0, time_ms)


def deviation_of(season: Season) -> float:
    """Return the standard deviation of whitened residuals, on the square-root scale."""
    return _deviation(season)


def spread_of(season: Season) -> float:
    """Return the standard deviation of residuals, on the square-root scale."""
    return sqrt(season.variance)


def _place(time_ms: int, zone: ZoneInfo) -> tuple[int, int]:
    at = local(time_ms, zone)
    return at.hour, at.weekday()


def _means(places: Sequence[int], values: Sequence[float], count: int) -> tuple[float, ...]:
    sums, sizes = [0.0] * count, [0] * count
    for place, value in zip(places, values, strict=True):
        sums[place] += value
        sizes[place] += 1
    return tuple(total / size if size else 0.0 for total, size in zip(sums, sizes, strict=True))


def _moved(parts: tuple[float, ...], at: int, by: float) -> tuple[tuple[float, ...], float]:
    """Move one part and keep their mean at 0; return the removed mean, which belongs to the level."""
    mean = by / len(parts)
    return tuple(part - mean + by if index == at else part - mean for index, part in enumerate(parts)), mean


def _phi(season: Season) -> float:
    return min(max(season.covariance / season.variance, _PHI_MIN), _PHI_MAX)


def _deviation(season: Season) -> float:
    phi = _phi(season)
    return sqrt(season.variance * (1 - phi * phi))
