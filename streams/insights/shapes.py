"""Fields of a series: which it usually has, and which are gone, have another kind or another name.

Only some touchpoints are looked at. A field is gone when 20 of those looked at since it was last seen should have had
it, by the least of its daily shares, and it has never been away for a third of that time. So a campaign that has
ended, or a second producer that sends at night, is no drift.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace
from xxhash import xxh3_128_hexdigest

from schemas.insights import Anomaly
from schemas.limits_of_quality import FIELDS_MAX
from schemas.units import DAY_MS
from streams.insights.arrived import Drift, Seen, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.insights import SourceCount
    from streams.insights.effects import InsightEffects
    from streams.insights.state import Partition

KPI: Final = "schema"
VANISHED, RENAMED, RETYPED = DRIFTS = ("vanished", "renamed", "retyped")
LACKING_MIN: Final = 20
BLOCK_MIN: Final = 100
"""So many touchpoints are looked at before the fields of a series are known, and in each day that counts."""
_DAYS: Final = 7
_DAYS_MIN: Final = 3
"""So many days are known before a field is missed that not nearly all touchpoints have."""
_MOST: Final = 800
_SOME: Final = 50
_RARE: Final = 20
"""Fields that fewer of a thousand have on each day are not kept: names without end would crowd out the others."""
_WHOLE: Final = 1_000
_RUNS: Final = 3
_ALIKE: Final = 0.8


def shape_key(series: tuple[str, str]) -> bytes:
    return b"shape/" + "|".join(series).encode()


def add_fields(
    state: Partition, series: tuple[str, str], counted: SourceCount, effects: InsightEffects, *, is_watched: bool
) -> None:
    """Add the fields of what was looked at, and tell of drifts."""
    if not counted.looked:
        return
    shape: Shape = state.get(shape_key(series)) or Shape(day=counted.hour_ms // DAY_MS)
    day = counted.hour_ms // DAY_MS
    if shape.looked >= BLOCK_MIN and (not shape.days or day > shape.day):
        shape = _next_day(shape, day, counted.hour_ms, effects)
    kinds: dict[str, dict[str, int]] = {}
    for field in counted.fields:
        kinds.setdefault(field.name, {})[field.kind] = field.count
    fields = {name: _seen(held, kinds.get(name, {}), counted.looked) for name, held in shape.fields.items()}
    for name in sorted(kinds.keys() - fields.keys()):
        if len(fields) < FIELDS_MAX:
            kind = max(sorted(kinds[name]), key=kinds[name].__getitem__)
            fields[name] = Seen(kind, (0,) * shape.days, sum(kinds[name].values()))
    shape = replace(shape, fields=fields, looked=shape.looked + counted.looked)
    if shape.days and is_watched:
        shape = _told(shape, series, counted, kinds, effects)
    state.put(shape_key(series), shape, 0)


def _seen(held: Seen, kinds: Mapping[str, int], looked: int) -> Seen:
    count = min(sum(kinds.values()), looked)
    if not count:
        return replace(held, away=held.away + looked)
    if kinds.get(held.kind):
        odd_kind, odd = "", 0
    else:
        odd_kind = max(sorted(kinds), key=kinds.__getitem__)
        odd = held.odd + count
    longest = max(held.longest, held.away)
    return replace(held, count=held.count + count, away=0, longest=longest, odd_kind=odd_kind, odd=odd)


def _next_day(shape: Shape, day: int, time_ms: int, effects: InsightEffects) -> Shape:
    """Return the shape with the shares of the day that is over; what was rare on all days is forgotten."""
    fields = {}
    for name, held in shape.fields.items():
        share = min(_WHOLE, held.count * _WHOLE // shape.looked)
        shares = (*held.shares, share)[-_DAYS:]
        kind, odd_kind, odd = held.kind, held.odd_kind, held.odd
        if max(shares) >= _RARE:
            if odd >= BLOCK_MIN and len(shares) == _DAYS:
                kind, odd_kind, odd = odd_kind, "", 0
            fields[name] = Seen(kind, shares, 0, held.away, held.longest, odd_kind, odd)
    drifts = {}
    for name, drift in shape.drifts.items():
        if name in fields and fields[name].kind == shape.fields[name].kind:
            drifts[name] = drift
        else:
            effects.anomalies.append(replace(drift.raised, status="cleared", time_ms=time_ms))
    return Shape(fields, 0, day, min(shape.days + 1, _DAYS), drifts)


def _told(
    shape: Shape,
    series: tuple[str, str],
    counted: SourceCount,
    kinds: Mapping[str, Mapping[str, int]],
    effects: InsightEffects,
) -> Shape:
    """Return the shape with the drifts that began or ended with this count."""
    drifts = dict(shape.drifts)
    for name, drift in shape.drifts.items():
        back = drift.back + kinds.get(name, {}).get(shape.fields[name].kind, 0)
        if back >= LACKING_MIN:
            effects.anomalies.append(replace(drifts.pop(name).raised, status="cleared", time_ms=counted.hour_ms))
        elif back != drift.back:
            drifts[name] = replace(drift, back=back)
    for name, held in shape.fields.items():
        if name in shape.drifts:
            continue
        found = _drift_of(shape, name, held)
        if found is not None:
            raised = _anomaly(series, name, found, counted.hour_ms)
            effects.anomalies.append(raised)
            drifts[name] = Drift(raised)
    return shape if drifts == shape.drifts else replace(shape, drifts=drifts)


class _Found(NamedTuple):
    """What became of a field, in how many touchpoints, and its new name or kind."""

    what: str
    lacking: float
    to: str = ""


def _drift_of(shape: Shape, name: str, held: Seen) -> _Found | None:
    """Return what became of a field; None: it is as before."""
    share = min(held.shares, default=0)
    if share < (_SOME if shape.days >= _DAYS_MIN else _MOST):
        return None
    lacking = held.away * share / _WHOLE
    if lacking >= LACKING_MIN and held.away >= _RUNS * held.longest:
        to = _new_name(shape, name, held)
        return _Found(RENAMED if to else VANISHED, lacking, to)
    if held.odd >= LACKING_MIN:
        return _Found(RETYPED, held.odd, held.odd_kind)
    return None


def _new_name(shape: Shape, name: str, held: Seen) -> str:
    """Return the field that came when another one went, of the same kind and as often; empty: there is none.

    Where a day has begun since, the field came on the day before, and only today's counts are compared.
    """
    since, before = (shape.looked, -1) if held.away > shape.looked else (held.away, None)
    expected = since * min(held.shares) / _WHOLE
    taken = {drift.raised.by.rpartition(",to=")[2] for drift in shape.drifts.values()}
    parent = name.rpartition(".")[0]
    found = [
        (other.rpartition(".")[0] != parent, -each.count, other)
        for other, each in shape.fields.items()
        if not any(each.shares[:before]) and (before is None or any(each.shares))
        if each.kind == held.kind and not each.away and other not in taken
        if _ALIKE * expected <= each.count <= since / _ALIKE
    ]
    return min(found)[2] if found else ""


def _anomaly(series: tuple[str, str], name: str, found: _Found, time_ms: int) -> Anomaly:
    what, lacking, to = found
    by = f"source={series[0]},type={series[1]},field={name}" + (f",to={to}" if to else "")
    return Anomaly(
        anomaly_id=xxh3_128_hexdigest(f"{KPI}|{by}|{time_ms}".encode()),
        kpi=KPI,
        by=by,
        status="raised",
        start_ms=time_ms,
        time_ms=time_ms,
        observed=0,
        expected=lacking,
        score=lacking / LACKING_MIN,
        direction="low",
        detector=what,
    )
