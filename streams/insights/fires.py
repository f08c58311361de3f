"""Fire watch: a flow's messages a day, compared with a backtest's in the flow's first two weeks."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace
from xxhash import xxh3_128_hexdigest

from schemas.insights import Anomaly
from streams.insights.arrived import SILENCES, Silences
from streams.insights.days import next_day_ms
from streams.insights.state import FIRES, Fire, Fires, Window, day_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.insights.effects import InsightEffects
    from streams.insights.state import Partition
    from streams.settings import DomainSettings, Expected

KPI = "messages"
DETECTOR = "fire-watch"
DAYS = 14
SIGMAS = 3


def watch_days(
    state: Partition, before_ms: int | None, to_ms: int | None, settings: DomainSettings, effects: InsightEffects
) -> None:
    """Judge the days that have closed, from `before_ms` on up to `to_ms`.

    The day of a version's publication is not whole, and is left out. The deviation is at least that of a Poisson
    process with this rate, as a smaller one does not prove that the flow is so regular.
    """
    held: Fires | None = state.get(FIRES)
    silences: Silences = state.get(SILENCES) or Silences()
    watched: dict[str, tuple[int, Expected, bool]] = {}
    for flow in settings.flows:
        flow_state = settings.flow_states.get(str(flow["id"]))
        if flow_state is not None and flow_state.expected is not None:
            is_paused = flow_state.paused_ms is not None or flow["id"] in silences.held
            watched[str(flow["id"])] = int(str(flow["version"])), flow_state.expected, is_paused
    if before_ms is None or to_ms is None or (not watched and (held is None or not held.flows)):
        return
    fires = dict(held.flows) if held is not None else {}
    for day_ms in _days(before_ms, to_ms, settings):
        window: Window | None = state.get(day_key(day_ms))
        counts = window.counts if window is not None else {}
        for flow_id in [name for name in fires if name not in watched or fires[name].version != watched[name][0]]:
            _over(fires.pop(flow_id), day_ms, effects)
        for flow_id, (version, expected, is_paused) in watched.items():
            fire = fires.get(flow_id)
            if fire is None:
                fires[flow_id] = Fire(version)
            elif not is_paused and fire.days < DAYS:
                day = _Day(flow_id, day_ms, counts.get(f"{KPI}|{_by(flow_id)}", 0))
                fires[flow_id] = _judged(fire, day, expected, effects)
    state.put(FIRES, Fires(fires), 0)


def _days(from_ms: int, to_ms: int, settings: DomainSettings) -> Iterator[int]:
    while from_ms < to_ms:
        yield from_ms
        from_ms = next_day_ms(from_ms, settings.zone)


class _Day(NamedTuple):
    """What a flow sent in a day."""

    flow_id: str
    start_ms: int
    observed: int


def _judged(fire: Fire, day: _Day, expected: Expected, effects: InsightEffects) -> Fire:
    flow_id, day_ms, observed = day
    off = observed - expected.per_day
    score = abs(off) / (SIGMAS * max(expected.deviation, sqrt(max(expected.per_day, 1))))
    fire = replace(fire, days=fire.days + 1)
    raised = fire.raised
    if raised is None and score > 1:
        raised = Anomaly(
            anomaly_id=xxh3_128_hexdigest(f"{KPI}|{_by(flow_id)}|{day_ms}".encode()),
            kpi=KPI,
            by=_by(flow_id),
            status="raised",
            start_ms=day_ms,
            time_ms=day_ms,
            observed=observed,
            expected=expected.per_day,
            score=score,
            direction="low" if off < 0 else "high",
            detector=DETECTOR,
        )
        effects.anomalies.append(raised)
        fire = replace(fire, raised=raised)
    elif raised is not None and score <= 1:
        effects.anomalies.append(
            replace(raised, status="cleared", time_ms=day_ms, observed=observed, expected=expected.per_day, score=score)
        )
        fire = replace(fire, raised=None)
    return _over(fire, day_ms, effects) if fire.days == DAYS else fire


def _over(fire: Fire, day_ms: int, effects: InsightEffects) -> Fire:
    """Clear the anomaly of a flow that is no longer watched."""
    if fire.raised is None:
        return fire
    effects.anomalies.append(replace(fire.raised, status="cleared", time_ms=day_ms))
    return replace(fire, raised=None)


def _by(flow_id: str) -> str:
    return f"flow={flow_id}"
