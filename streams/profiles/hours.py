"""At what time of day a customer opens messages: the circular mean of their hours, shrunk to everybody's.

Mardia, Jupp: Directional Statistics (2000), 2.2. Hours are angles. A customer whose answers are few, or spread over the
day, stays near the hour that holds for all.
"""

from __future__ import annotations

from math import atan2, cos, sin, tau

HOURS_A_DAY = 24
PRIOR_ANSWERS = 4
"""How many of the customer's own answers the hour of all counts as."""
_MINUTES_AN_HOUR = 60


def with_hour(hours: tuple[int, ...], hour: int) -> tuple[int, ...]:
    """Count one more answer in that hour."""
    counts = list(hours) or [0] * HOURS_A_DAY
    counts[hour] += 1
    return tuple(counts)


def united_hours(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """Return the answers of both profiles, by hour."""
    return tuple([mine + theirs for mine, theirs in zip(one, other, strict=True)]) if one and other else one or other


def best_minute(hours: tuple[int, ...], prior_hour: int) -> int:
    """Return the minute of the day around which the customer opens messages.

    An answer counts as of the middle of its hour.

    >>> best_minute((), 10)
    600
    """
    x, y = PRIOR_ANSWERS * cos(_angle(prior_hour)), PRIOR_ANSWERS * sin(_angle(prior_hour))
    for hour, count in enumerate(hours):
        if count:
            x += count * cos(_angle(hour + 0.5))
            y += count * sin(_angle(hour + 0.5))
    day = HOURS_A_DAY * _MINUTES_AN_HOUR
    return round(atan2(y, x) / tau * day) % day


def _angle(hour: float) -> float:
    return tau * hour / HOURS_A_DAY
