"""Silence: a type of touchpoint that published flows rely on has stopped arriving.

Without orders every cart looks abandoned. The number due in an hour is the lesser of those in the same hour of the last
two weeks. An hour of an unknown week had none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from msgspec.structs import replace
from xxhash import xxh3_128_hexdigest

from schemas.insights import Anomaly
from schemas.limits import as_long
from schemas.units import WEEK_MS
from streams.flows.language.events import OWN, EventType
from streams.flows.language.relying import relied_on
from streams.insights.state import INPUTS, Input, Inputs, Window, hour_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.insights.effects import InsightEffects
    from streams.insights.state import Partition
    from streams.insights.windows import ClosedHour
    from streams.settings import DomainSettings

KPI = "flow_inputs"
DETECTOR = "silence"
DUE_MIN = 20
TYPES = frozenset(get_args(EventType))


def watch_inputs(
    state: Partition, hours: Iterable[ClosedHour], settings: DomainSettings, effects: InsightEffects
) -> None:
    """Judge closed hours, in order; an anomaly lasts until such a touchpoint arrives, or no flow relies on it."""
    held: Inputs = state.get(INPUTS) or Inputs({})
    types = dict(held.types)
    names = sorted(
        {name for flow in settings.flows for name in relied_on(flow) if name in TYPES or name.startswith(OWN)}
    )
    for hour in hours:
        for name in [name for name in types if name not in names]:
            _over(types.pop(name), hour.start_ms, effects)
        for name in names:
            types[name] = _judged(state, types.get(name, Input()), f"type={name}", hour, effects)
    if types != held.types:
        state.put(INPUTS, Inputs(types), 0)


def _judged(state: Partition, known: Input, by: str, hour: ClosedHour, effects: InsightEffects) -> Input:
    count = hour.counts.get(f"{KPI}|{by}", 0)
    if count:
        _over(known, hour.start_ms, effects, count)
        return Input()
    due = min(_came(state, hour.start_ms - weeks * WEEK_MS, by) for weeks in (1, 2))
    known = replace(known, due=as_long(known.due + due), since_ms=known.since_ms or hour.start_ms)
    if known.due < DUE_MIN or known.raised is not None:
        return known
    raised = Anomaly(
        anomaly_id=xxh3_128_hexdigest(f"{KPI}|{by}|{hour.start_ms}".encode()),
        kpi=KPI,
        by=by,
        status="raised",
        start_ms=known.since_ms,
        time_ms=hour.start_ms,
        observed=0,
        expected=known.due,
        score=known.due / DUE_MIN,
        direction="low",
        detector=DETECTOR,
    )
    effects.anomalies.append(raised)
    return replace(known, raised=raised)


def _came(state: Partition, hour_ms: int, by: str) -> int:
    window: Window | None = state.get(hour_key(hour_ms))
    return 0 if window is None else window.counts.get(f"{KPI}|{by}", 0)


def _over(known: Input, hour_ms: int, effects: InsightEffects, count: int = 0) -> None:
    if known.raised is not None:
        effects.anomalies.append(replace(known.raised, status="cleared", time_ms=hour_ms, observed=count))
