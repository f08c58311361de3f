"""What arrives, by source, type and hour: every touchpoint is counted, and some are looked at closely.

The journal has what the door made of a record. Which fields a producer sent is known here only. To look at each record
would cost more than to collect it, so it is the first of each commit and one in sixteen.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from schemas.insights import Arrivals, FieldCount, SourceCount
from schemas.limits import DOCUMENT_LEVELS_MAX
from schemas.limits_of_quality import (
    DEPTH_LOOKED_MAX,
    FIELDS_A_RECORD,
    FIELDS_LOOKED_MAX,
    LOOKED_AT_EVERY,
    NAME_CHARS_MAX,
    SERIES_A_RECORD,
)
from schemas.names import shown_name
from schemas.nesting import is_nested_deeper
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from schemas.touchpoint import Touchpoint

    Taken: TypeAlias = tuple[Touchpoint, int, bytes]
    """A touchpoint that goes on, when it was received, and the bytes as they came."""

LATE_MS: Final = HOUR_MS
AHEAD_MS: Final = MINUTE_MS
_JSON: Final = b"{"
_KINDS: Final[dict[type, str]] = {str: "text", int: "number", float: "number", bool: "flag"}
_EACH: Final = "[]"
"""After the path of a list: its items."""


class Tally:
    """What arrived of one source and type in one hour."""

    __slots__ = ("ahead", "count", "fields", "last_ms", "late", "looked", "no_key", "no_user", "old")

    def __init__(self) -> None:
        self.count = self.old = self.last_ms = 0
        self.looked = self.late = self.ahead = self.no_user = self.no_key = 0
        self.fields: dict[tuple[str, str], int] = {}

    def look(self, event: Touchpoint, received_ms: int, value: bytes) -> None:
        """Look closely at one touchpoint."""
        self.looked += 1
        age_ms = received_ms - event.time_ms
        if age_ms > LATE_MS:
            self.late += 1
        elif age_ms < -AHEAD_MS:
            self.ahead += 1
        if not event.user_id:
            self.no_user += 1
            if not event.anonymous_id and not event.email_hash:
                self.no_key += 1
        fields = self.fields
        for field in fields_of(event, value):
            fields[field] = fields.get(field, 0) + 1


class Arriving:
    """Counts what arrives between two commits."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str, int], Tally] = {}

    def take(self, taken: Sequence[Taken]) -> None:
        """Count touchpoints that go on to the journal."""
        tallies = self._tallies
        for event, received_ms, value in taken:
            key = (event.source, event.type, received_ms // HOUR_MS)
            tally = tallies.get(key)
            if tally is None:
                tally = tallies[key] = Tally()
            count = tally.count
            tally.count = count + 1
            if not count % LOOKED_AT_EVERY:
                tally.look(event, received_ms, value)
            if received_ms - event.time_ms > DAY_MS:
                tally.old += 1
            elif received_ms > tally.last_ms:
                tally.last_ms = received_ms

    def records(self) -> Iterator[Arrivals]:
        """Yield what was counted since it was last forgotten, in records of a bounded size."""
        series: list[SourceCount] = []
        fields = 0
        for (source, kind, hour), tally in sorted(self._tallies.items(), key=_by_key):
            room = FIELDS_A_RECORD - fields
            if series and (len(series) >= SERIES_A_RECORD or len(tally.fields) > room):
                yield Arrivals(tuple(series))
                series, fields = [], 0
            counted = _counted(source, kind, hour, tally)
            series.append(counted)
            fields += len(counted.fields)
        if series:
            yield Arrivals(tuple(series))

    def forget(self) -> None:
        """Begin again with nothing."""
        self._tallies.clear()


def _by_key(item: tuple[tuple[str, str, int], Tally]) -> tuple[str, str, int]:
    return item[0]


def _counted(source: str, kind: str, hour: int, tally: Tally) -> SourceCount:
    found = sorted(tally.fields.items())[:FIELDS_A_RECORD]
    return SourceCount(
        source=shown_name(source),
        type=kind,
        hour_ms=hour * HOUR_MS,
        count=tally.count,
        live=tally.count - tally.old,
        last_ms=tally.last_ms,
        looked=tally.looked,
        late=tally.late,
        ahead=tally.ahead,
        no_user=tally.no_user,
        no_key=tally.no_key,
        fields=tuple([FieldCount(name, of, count) for (name, of), count in found]),
    )


def fields_of(event: Touchpoint, value: bytes) -> list[tuple[str, str]]:
    """Return (path, kind) of the fields that a producer has sent, each path once, at most FIELDS_LOOKED_MAX of them.

    Of a JSON record they are its own, else those of the touchpoint.
    """
    found: list[tuple[str, str]] = []
    document: Any = None
    if value.startswith(_JSON) and not is_nested_deeper(value, DOCUMENT_LEVELS_MAX):
        try:
            document = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            document = None
    if document is not None:
        _walk(document, "", 0, found)
    else:
        _walk_struct(event, "", 0, found)
    return found[:FIELDS_LOOKED_MAX]


def _walk(document: dict[str, Any], prefix: str, depth: int, found: list[tuple[str, str]]) -> None:
    for name, value in document.items():
        if len(found) >= FIELDS_LOOKED_MAX:
            return
        _take(_path(prefix, name), value, depth, found)


def _walk_struct(part: msgspec.Struct, prefix: str, depth: int, found: list[tuple[str, str]]) -> None:
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if value is not None:
            _take(_path(prefix, name), value, depth, found)


def _take(path: str, value: object, depth: int, found: list[tuple[str, str]]) -> None:
    """Add a field, or those within it; one without a value is as if it were not there."""
    kind = _KINDS.get(type(value))
    if kind is not None:
        if value != "":
            found.append((path, kind))
    elif isinstance(value, msgspec.Struct):
        _walk_struct(value, f"{path}.", depth + 1, found)
    elif isinstance(value, dict):
        if value and depth + 1 < DEPTH_LOOKED_MAX:
            _walk(value, f"{path}.", depth + 1, found)
        elif value:
            found.append((path, "map"))
    elif isinstance(value, (list, tuple)) and value:
        found.append((path, "list"))
        if depth + 1 < DEPTH_LOOKED_MAX:
            _take_first(value[0], f"{path}{_EACH}.", depth, found)


def _take_first(first: object, prefix: str, depth: int, found: list[tuple[str, str]]) -> None:
    """Add the fields of the first item of a list."""
    if isinstance(first, dict):
        _walk(first, prefix, depth + 1, found)
    elif isinstance(first, msgspec.Struct):
        _walk_struct(first, prefix, depth + 1, found)


@lru_cache(maxsize=4_096)
def _path(prefix: str, name: str) -> str:
    path = f"{prefix}{shown_name(name)}"
    return path if len(path) <= NAME_CHARS_MAX else shown_name(path)
