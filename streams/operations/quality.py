"""The quality of what came into a prefix in its last days, from the counts in its topic of facts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from schemas.insights import Arrivals, Facts
from schemas.limits_of_quality import FIELDS_MAX, SERIES_MAX
from schemas.units import DAY_MS
from schemas.wire import WireError
from streams.kafka.reader import offset_at
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.insights import SourceCount
    from streams.operations.prefix import Prefix

BASELINE_DAYS = 7
_COUNTED = {"source_duplicates", "orders_repeated"}
_SHARE_MIN = 0.05
_LOOKED_MIN = 20


class FieldQuality(msgspec.Struct, frozen=True):
    """A field whose share has changed, or whose kind has; shares are of the touchpoints looked at, 0 to 1."""

    name: str
    what: str
    """new, vanished or retyped."""
    share: float
    before: float


class SourceQuality(msgspec.Struct, frozen=True):
    """A source and type in the days asked for; the days before are the seven before these."""

    source: str
    type: str
    touchpoints: int
    per_day_before: float
    last_ms: int
    """Receive time of the last one within a day of its time; 0: none."""
    days_without: int
    looked: int
    late: int
    ahead: int
    no_user: int
    no_key: int
    fields: tuple[FieldQuality, ...]


class PrefixQuality(msgspec.Struct, frozen=True):
    """All sources of a prefix, and what came twice."""

    from_ms: int
    to_ms: int
    duplicates: dict[str, int]
    """By source: touchpoints that had arrived before, those of the days before included."""
    orders_repeated: int
    """Orders that came as two events."""
    sources: tuple[SourceQuality, ...]


class _Days:
    """Counts of one series: of the days asked for, and of those before."""

    def __init__(self) -> None:
        self.sums: tuple[Counter[str], Counter[str]] = Counter(), Counter()
        self.fields: tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]] = Counter(), Counter()
        self.days: tuple[set[int], set[int]] = set(), set()
        self.last_ms = 0

    def add(self, counted: SourceCount, *, is_before: bool) -> None:
        sums, fields = self.sums[is_before], self.fields[is_before]
        for name in ("count", "looked", "late", "ahead", "no_user", "no_key"):
            sums[name] += getattr(counted, name)
        self.days[is_before].add(counted.hour_ms // DAY_MS)
        self.last_ms = max(self.last_ms, counted.last_ms)
        for field in counted.fields:
            if (field.name, field.kind) in fields or len(fields) < 10 * FIELDS_MAX:
                fields[field.name, field.kind] += field.count

    def changed(self) -> tuple[FieldQuality, ...]:
        """Return the fields that came, went or have another kind, by name."""
        now, before = (sums["looked"] for sums in self.sums)
        if now < _LOOKED_MIN or before < _LOOKED_MIN:
            return ()
        found = []
        for name in sorted({name for fields in self.fields for name, _ in fields}):
            shares = [_share(fields, name, looked) for fields, looked in zip(self.fields, (now, before), strict=True)]
            kinds = [_kind(fields, name) for fields in self.fields]
            what = ""
            if not shares[1] and shares[0] >= _SHARE_MIN:
                what = "new"
            elif not shares[0] and shares[1] >= _SHARE_MIN:
                what = "vanished"
            elif kinds[0] != kinds[1] and min(shares) >= _SHARE_MIN:
                what = "retyped"
            if what:
                found.append(FieldQuality(name, what, *shares))
        return tuple(found)


def _share(fields: Counter[tuple[str, str]], name: str, looked: int) -> float:
    return min(1.0, sum(count for (each, _), count in fields.items() if each == name) / looked)


def _kind(fields: Counter[tuple[str, str]], name: str) -> str:
    kinds = sorted(((count, kind) for (each, kind), count in fields.items() if each == name), reverse=True)
    return kinds[0][1] if kinds else ""


def prefix_quality(prefix: Prefix, days: int, now_ms: int) -> PrefixQuality:
    """Return what came in in the last days of a prefix, in its own time.

    On wall time they end now. In a prefix on the time of a replay they end with its last hour: the topic is read twice.
    """
    if prefix.domain.clock == "wall":
        to_ms = now_ms
        start = offset_at(
            prefix.settings.brokers,
            Topics(prefix.settings.prefix).facts,
            0,
            to_ms - (days + BASELINE_DAYS) * DAY_MS,
            prefix.settings.kafka,
        )
    else:
        hours = [
            each.hour_ms for record in _records(prefix, 0) if isinstance(record, Arrivals) for each in record.series
        ]
        to_ms, start = max(hours, default=0) + DAY_MS // 24, 0
    return reviewed(_records(prefix, start), to_ms - days * DAY_MS, to_ms)


def reviewed(records: Iterable[Arrivals | Facts], from_ms: int, to_ms: int) -> PrefixQuality:
    """Add up records of facts from one time to another, beside the seven days before."""
    series: dict[tuple[str, str], _Days] = {}
    counts = Counter[str]()
    for record in records:
        if isinstance(record, Facts):
            counts.update(
                {f"{count.name}|{count.by}": count.value for count in record.counts if count.name in _COUNTED}
            )
            continue
        for counted in record.series:
            if from_ms - BASELINE_DAYS * DAY_MS <= counted.hour_ms < to_ms:
                key = (counted.source, counted.type)
                if key not in series and len(series) >= SERIES_MAX:
                    key = ("other", "other")
                series.setdefault(key, _Days()).add(counted, is_before=counted.hour_ms < from_ms)
    return PrefixQuality(
        from_ms,
        to_ms,
        {key.partition("=")[2]: count for key, count in sorted(counts.items()) if key.startswith("source_")},
        counts["orders_repeated|"],
        tuple(_quality(key, series[key], from_ms, to_ms) for key in sorted(series)),
    )


def _quality(key: tuple[str, str], days: _Days, from_ms: int, to_ms: int) -> SourceQuality:
    now, before = days.sums
    asked = -(-(to_ms - from_ms) // DAY_MS)
    return SourceQuality(
        *key,
        now["count"],
        before["count"] / BASELINE_DAYS,
        days.last_ms,
        max(asked - len(days.days[0]), 0),
        now["looked"],
        now["late"],
        now["ahead"],
        now["no_user"],
        now["no_key"],
        days.changed(),
    )


def _records(prefix: Prefix, start: int) -> Iterable[Arrivals | Facts]:
    for message in prefix.read("facts", 0, start):
        try:
            record = prefix.wire.decode(message.value() or b"")
        except WireError:
            continue
        if isinstance(record, Arrivals | Facts):
            yield record
