"""One detector of an hourly KPI: from observations to incidents, each raised once and cleared once."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace
from xxhash import xxh3_128_hexdigest

from schemas.insights import Anomaly
from schemas.journal import RULES_3
from schemas.units import HOUR_MS
from streams.insights import pot, season
from streams.insights.detector import Detector, Incident, Season, Tail

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from streams.insights.season import Surprise

DETECTOR = "seasonal-pot"
WATCHED = ("orders", "revenue_minor")
WARMUP_HOURS = 168
# an incident ends after this long back in range
QUIET_HOURS = 6
QUIET_SCORE = 0.5
# so many times what raises an alarm has to be expected of these hours, or chance hides that half of it is lacking
QUIET_EXPECTED = 1.5
REFRACTORY_MS = 6 * HOUR_MS
# after this long an incident counts as normal
INCIDENT_HOURS_MAX = 14 * 24


class Hour(NamedTuple):
    """The value of a KPI in the hour that starts at `start_ms`."""

    kpi: str
    start_ms: int
    value: float


class Warm(NamedTuple):
    """What a detector knows once it is warm."""

    season: Season
    high: Tail
    low: Tail


class Observation(NamedTuple):
    """An hour's value, beside what was expected; a score above 1 is an alarm."""

    time_ms: int
    value: float
    seen: Surprise
    score: float


def observe(detector: Detector, hour: Hour, zone: ZoneInfo, rules: int) -> tuple[Detector, Anomaly | None]:
    """Take in an hour, in order; score it before learning it."""
    kpi, time_ms, value = hour
    if detector.season is None or detector.high is None or detector.low is None:
        return _warmed(detector, time_ms, value, zone), None
    warm = Warm(detector.season, detector.high, detector.low)
    seen = season.surprise(warm.season, time_ms, value, zone)
    low = seen.score < 0
    score = abs(seen.score) / (warm.low if low else warm.high).alarm
    if detector.incident is not None:
        return _within(detector, detector.incident, warm, Observation(time_ms, value, seen, score), rules)
    if score <= 1:
        return _calm(detector, warm, time_ms, seen, zone), None
    detector = replace(detector, season=season.tolerated(warm.season, time_ms, seen.residual))
    if time_ms < detector.refractory_to_ms:
        return detector, None
    anomaly = Anomaly(
        anomaly_id=xxh3_128_hexdigest(f"{kpi}||{time_ms}".encode()),
        kpi=kpi,
        by="",
        status="raised",
        start_ms=time_ms,
        time_ms=time_ms,
        observed=value,
        expected=seen.expected**2,
        score=score,
        direction="low" if low else "high",
        detector=DETECTOR,
    )
    return replace(detector, incident=Incident(anomaly, 1, 0)), anomaly


def _warmed(detector: Detector, time_ms: int, value: float, zone: ZoneInfo) -> Detector:
    warmup = (*detector.warmup, (time_ms, value))
    return replace(detector, warmup=warmup) if len(warmup) < WARMUP_HOURS else warmed(warmup, zone)


def warmed(hours: Sequence[tuple[int, float]], zone: ZoneInfo) -> Detector:
    """Return a detector that has learnt so many hours, WARMUP_HOURS at least; each has its start and its value."""
    fitted, scores = season.started(hours, zone)
    return Detector((), fitted, pot.started(scores), pot.started([-score for score in scores]))


def _calm(detector: Detector, warm: Warm, time_ms: int, seen: Surprise, zone: ZoneInfo) -> Detector:
    return replace(
        detector,
        season=season.learnt(warm.season, time_ms, seen.residual, zone),
        high=pot.learnt(warm.high, seen.score),
        low=pot.learnt(warm.low, -seen.score),
    )


def _within(
    detector: Detector, incident: Incident, warm: Warm, now: Observation, rules: int
) -> tuple[Detector, Anomaly | None]:
    fitted = season.tolerated(warm.season, now.time_ms, now.seen.residual)
    # by earlier rules hours are in range one by one, and only busy ones
    if rules >= RULES_3:
        now = _unwhitened(warm, now)
        incident, is_over = _calmed(incident, warm, now)
    else:
        incident = _quietened(incident, warm, now)
        is_over = incident.quiet_hours >= QUIET_HOURS
    if not is_over and incident.hours < INCIDENT_HOURS_MAX:
        return replace(detector, season=fitted, incident=incident), None
    cleared = replace(
        incident.raised,
        status="cleared",
        time_ms=now.time_ms,
        observed=now.value,
        expected=now.seen.expected**2,
        score=now.score,
    )
    over = replace(detector, season=fitted, incident=None, refractory_to_ms=now.time_ms + REFRACTORY_MS)
    return over, cleared


def _quietened(incident: Incident, warm: Warm, now: Observation) -> Incident:
    """Count an hour under rules 1 and 2."""
    quiet_hours = incident.quiet_hours
    if now.score >= QUIET_SCORE:
        quiet_hours = 0
    elif incident.raised.direction == "high" or now.seen.expected > warm.low.alarm * season.deviation_of(warm.season):
        quiet_hours += 1
    return Incident(incident.raised, incident.hours + 1, quiet_hours)


def _unwhitened(warm: Warm, now: Observation) -> Observation:
    """Return an hour of an incident with the score of its whole residual, as no share of it was foreseen."""
    alarm = (warm.low if now.seen.residual < 0 else warm.high).alarm
    return now._replace(score=abs(now.seen.residual) / (alarm * season.spread_of(warm.season)))


def _calmed(incident: Incident, warm: Warm, now: Observation) -> tuple[Incident, bool]:
    """Count an hour, and return whether the incident is over: enough hours in a row are in range.

    At night, or in a small shop, too little is expected of an hour to notice a lack. So the hours must also be in
    range as one, of which so much is expected that a lack would raise an alarm.
    """
    raised, hours = incident.raised, incident.hours + 1
    is_lack = raised.direction == "low"
    expected, observed = incident.expected + now.seen.expected**2, incident.observed + max(now.value, 0.0)
    notable = warm.low.alarm * season.spread_of(warm.season)
    is_odd = now.score >= QUIET_SCORE and (now.score > 1 or (now.seen.residual < 0) == is_lack)
    if is_odd or (is_lack and sqrt(expected) - sqrt(observed) >= QUIET_SCORE * notable):
        return Incident(raised, hours, 0), False
    quiet_hours = incident.quiet_hours + 1
    is_over = quiet_hours >= QUIET_HOURS and (not is_lack or sqrt(expected) > QUIET_EXPECTED * notable)
    return Incident(raised, hours, quiet_hours, expected, observed), is_over
