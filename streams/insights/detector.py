"""The state of one KPI's detector."""

from __future__ import annotations

import msgspec

from schemas.insights import Anomaly


class Tail(msgspec.Struct, frozen=True, array_like=True):
    """Peaks of one side over `threshold`: `seen` observations had `peaks_seen`, the last ones are `peaks`."""

    threshold: float
    peaks: tuple[float, ...]
    peaks_seen: int
    seen: int
    alarm: float


class Season(msgspec.Struct, frozen=True, array_like=True):
    """The expectation of an hour, on the square-root scale, and the usual error."""

    level: float
    hours: tuple[float, ...]
    weekdays: tuple[float, ...]
    variance: float
    covariance: float
    residual: float
    time_ms: int


class Incident(msgspec.Struct, frozen=True, array_like=True):
    """An anomaly raised and not cleared; `quiet_hours` in range since.

    `expected` and `observed` are the sums of these hours; under rules 1 and 2 they are 0, and are not stored.
    """

    raised: Anomaly
    hours: int
    quiet_hours: int
    expected: float = 0.0
    observed: float = 0.0


class Detector(msgspec.Struct, frozen=True, array_like=True, tag="detector"):
    """The detector of one KPI; `warmup` holds (hour, value) until there is a season."""

    warmup: tuple[tuple[int, float], ...] = ()
    season: Season | None = None
    high: Tail | None = None
    low: Tail | None = None
    incident: Incident | None = None
    refractory_to_ms: int = 0


def stored(detector: Detector, incident: Incident) -> Detector | tuple[object, ...]:
    """Return what is stored of a detector with an incident: without its sums if they are 0."""
    if incident.expected or incident.observed:
        return detector
    short = msgspec.structs.astuple(incident)[:3]
    fields = msgspec.structs.astuple(detector)
    return ("detector", *fields[:-2], short, fields[-1])
