"""When of the day a customer opens messages: the circular mean of his hours, shrunk to everybody's.

Mardia, Jupp: Directional Statistics (2000), 2.2. Hours are angles; whose answers spread over the day, or are few, keeps
near the hour that holds for all.
"""

from __future__ import annotations

from math import atan2, cos, sin, tau

HOURS_A_DAY = 24
PRIOR_ANSWERS = 4
"""The hour of all counts as so many answers of the customer's own."""
_MINUTES_AN_HOUR = 60


def with_hour(hours: tuple[int, ...], hour: int) -> tuple[int, ...]:
    """One more answer in that hour."""
    counts = list(hours) or [0] * HOURS_A_DAY
    counts[hour] += 1
    return tuple(counts)


def united_hours(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """The answers of both."""
    return tuple([mine + theirs for mine, theirs in zip(one, other, strict=True)]) if one and other else one or other


def best_minute(hours: tuple[int, ...], prior_hour: int) -> int:
    """The minute of the day around which he opens messages; an answer counts as of the middle of its hour.

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
