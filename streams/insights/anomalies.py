"""One detector of an hourly KPI: from observations to incidents, each raised once and cleared once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from xxhash import xxh3_128_hexdigest

from schemas.insights import Anomaly
from streams.insights import pot, season
from streams.insights.days import HOUR_MS
from streams.insights.state import Detector, Incident, Season, Tail

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from streams.insights.season import Surprise

DETECTOR = "seasonal-pot"
WATCHED = ("orders", "revenue_minor")
WARMUP_HOURS = 168
# an incident ends after this long back in range
QUIET_HOURS = 6
QUIET_SCORE = 0.5
REFRACTORY_MS = 6 * HOUR_MS
# after this long an incident counts as normal
INCIDENT_HOURS_MAX = 14 * 24


def observe(
    detector: Detector, kpi: str, time_ms: int, value: float, zone: ZoneInfo
) -> tuple[Detector, Anomaly | None]:
    """Take in the hour that starts at `time_ms`, in order; score it before learning it."""
    if detector.season is None or detector.high is None or detector.low is None:
        return _warmed(detector, time_ms, value, zone), None
    seen = season.surprise(detector.season, time_ms, value, zone)
    low = seen.score < 0
    score = abs(seen.score) / (detector.low if low else detector.high).alarm
    if detector.incident is not None:
        return _within(detector, detector.incident, detector.season, time_ms, value, seen, score)
    if score <= 1:
        return _calm(detector, detector.season, detector.high, detector.low, time_ms, seen, zone), None
    detector = replace(detector, season=season.tolerated(detector.season, time_ms, seen.residual))
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
    if len(warmup) < WARMUP_HOURS:
        return replace(detector, warmup=warmup)
    fitted, scores = season.started(warmup, zone)
    return Detector((), fitted, pot.started(scores), pot.started([-score for score in scores]))


def _calm(  # noqa: PLR0913, PLR0917 - the parts of a detector that is warm
    detector: Detector, fitted: Season, high: Tail, low: Tail, time_ms: int, seen: Surprise, zone: ZoneInfo
) -> Detector:
    return replace(
        detector,
        season=season.learnt(fitted, time_ms, seen.residual, zone),
        high=pot.learnt(high, seen.score),
        low=pot.learnt(low, -seen.score),
    )


def _within(  # noqa: PLR0913, PLR0917 - the parts of a detector in an incident
    detector: Detector,
    incident: Incident,
    fitted: Season,
    time_ms: int,
    value: float,
    seen: Surprise,
    score: float,
) -> tuple[Detector, Anomaly | None]:
    fitted = season.tolerated(fitted, time_ms, seen.residual)
    quiet_hours = incident.quiet_hours
    if score >= QUIET_SCORE:
        quiet_hours = 0
    elif _would_show(detector, incident, seen):
        quiet_hours += 1
    hours = incident.hours + 1
    if quiet_hours < QUIET_HOURS and hours < INCIDENT_HOURS_MAX:
        incident = Incident(incident.raised, hours, quiet_hours)
        return replace(detector, season=fitted, incident=incident), None
    cleared = replace(
        incident.raised,
        status="cleared",
        time_ms=time_ms,
        observed=value,
        expected=seen.expected**2,
        score=score,
    )
    over = replace(detector, season=fitted, incident=None, refractory_to_ms=time_ms + REFRACTORY_MS)
    return over, cleared


def _would_show(detector: Detector, incident: Incident, seen: Surprise) -> bool:
    """Return whether an hour can end the incident: at night, for example, too little is expected to notice a lack."""
    if incident.raised.direction == "high" or detector.season is None or detector.low is None:
        return True
    return seen.expected > detector.low.alarm * season.deviation_of(detector.season)
