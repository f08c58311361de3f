"""What becomes of a sample of a source's records, field by field: the door itself is asked, with each field changed.

So it holds for every door. A field that changes nothing in the touchpoint is one that nobody reads.
"""

from __future__ import annotations

import copy
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from schemas.touchpoint import BOUNCE_TYPE, COMPLAINT, CURRENCY, LINES_LEFT_OUT, PREVIOUS_ID, Touchpoint
from schemas.wire import SINGLE_OBJECT
from streams.collect.collector import Collected, RefusedPart, collect_json
from streams.collect.doors import DOOR, SOURCE, come_in
from streams.collect.parsing import parsed, written
from streams.collect.refused import RefusedRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streams.settings import DomainSettings

    Path = tuple[str, ...]
    """Names of objects within each other; `[]` is every item of a list."""

ITEMS: Final = "[]"
SHOWN_OF_A_TYPE: Final = 3
"""So many records of a type are looked at field by field; others may have further fields."""
FIELDS_MAX: Final = 500
"""Fields that are looked at; each is tried twice in each record."""
RECORDS_MAX: Final = 300
"""Records that are looked at field by field; all are counted."""
LOOKED_AT_BYTES_MAX: Final = 100_000
"""Of a record that is looked at so."""
LET_GO: Final = "let go"
_READ: Final = "read"
_NEEDED: Final = "needed: without it "
_ATTRIBUTES: Final = {"properties": "attribute of the event:", "traits": "attribute of the customer:"}
_OF_TYPES: Final = frozenset({BOUNCE_TYPE, COMPLAINT, CURRENCY, LINES_LEFT_OUT, PREVIOUS_ID})


class Field(msgspec.Struct, frozen=True):
    """A field of a source, and what becomes of it."""

    path: str
    becomes: str


class Refused(msgspec.Struct, frozen=True):
    """A record that does not come in."""

    record: int
    """Its number in the sample, from 1."""
    reason: str
    detail: str


class Count(msgspec.Struct, frozen=True):
    """Records of one type."""

    come_in: int = 0
    refused: int = 0


class Sample(msgspec.Struct, frozen=True):
    """What becomes of a sample."""

    records: int
    types: dict[str, Count]
    """By type, as the source names it, with what it becomes."""
    fields: tuple[Field, ...]
    refused: tuple[Refused, ...]


class _Asked(NamedTuple):
    """How a door is asked."""

    headers: tuple[tuple[str, bytes], ...]
    now_ms: int
    settings: DomainSettings

    def touchpoints(self, document: Any) -> list[Touchpoint]:  # noqa: ANN401 - a JSON document
        """Return what a document becomes. RefusedRecord: it, or a part of it, does not come in."""
        found = collect_json(written(document), self.headers, self.now_ms, SINGLE_OBJECT, self.settings)
        for each in found:
            if isinstance(each, RefusedPart):
                raise RefusedRecord(each.reason, each.detail)
        return [SINGLE_OBJECT.decode_as(Touchpoint, each.value) for each in found if isinstance(each, Collected)]


def documents_in(raw: bytes) -> list[Any]:
    """Return the records of a sample: a JSON document, a list or batch of them, or one on each line.

    Raises:
        RefusedRecord: it is none of these; the detail has the number of the line.
    """
    try:
        found = parsed(raw)
    except RefusedRecord as whole:
        lines = [(number, line) for number, line in enumerate(raw.splitlines(), 1) if line.strip()]
        if len(lines) <= 1:
            raise
        return [_line(number, line, whole) for number, line in lines]
    if isinstance(found, dict) and isinstance(found.get("batch"), list):
        shared = {name: value for name, value in found.items() if name in {"sentAt", "receivedAt", "context"}}
        return [{**shared, **each} if isinstance(each, dict) else each for each in found["batch"]]
    return found if isinstance(found, list) else [found]


def look_at(documents: Iterable[Any], source: str, door: str | None, now_ms: int, settings: DomainSettings) -> Sample:
    """Ask a door what becomes of each record, and of each of its fields.

    Raises:
        RefusedRecord: there is no such door, or the name of the source is too long.
    """
    headers = [(SOURCE, source.encode())] + ([(DOOR, door.encode())] if door else [])
    asked = _Asked(tuple(headers), now_ms, settings)
    come_in(b"[]", asked.headers, now_ms, settings)
    came: Counter[str] = Counter()
    kept_out: Counter[str] = Counter()
    looked_at: Counter[str] = Counter()
    becomes: dict[str, set[str]] = {}
    refused: list[Refused] = []
    number = 0
    for number, document in enumerate(documents, 1):
        name = _name_of(document)
        try:
            found = asked.touchpoints(document)
        except RefusedRecord as why:
            kept_out[name] += 1
            refused.append(Refused(number, why.reason, why.detail))
            continue
        kind = f"{name} -> {', '.join(dict.fromkeys(_kind(each) for each in found)) or 'nothing'}"
        came[kind] += 1
        is_shown = looked_at[kind] < SHOWN_OF_A_TYPE and looked_at.total() < RECORDS_MAX
        if is_shown and len(written(document)) <= LOOKED_AT_BYTES_MAX:
            looked_at[kind] += 1
            for path in _paths(document):
                shown = _shown(path)
                if shown in becomes or len(becomes) < FIELDS_MAX:
                    becomes.setdefault(shown, set()).update(_becomes(document, path, found, asked))
    types = {kind: Count(count) for kind, count in came.items()}
    types |= {f"{name} -> refused": Count(0, count) for name, count in kept_out.items()}
    fields = tuple([Field(path, _said(names)) for path, names in sorted(becomes.items())])
    return Sample(number, dict(sorted(types.items())), fields, tuple(refused))


def _line(number: int, line: bytes, whole: RefusedRecord) -> Any:  # noqa: ANN401 - a JSON document
    try:
        return parsed(line)
    except RefusedRecord as why:
        raise RefusedRecord(why.reason, f"line {number}: {why.detail} (as one document: {whole.detail})") from None


def _name_of(document: Any) -> str:  # noqa: ANN401 - a JSON document
    """Return what a source calls a record, for people."""
    if not isinstance(document, dict):
        return "no object"
    words = [document.get("type") or document.get("action"), document.get("event") or document.get("event_name")]
    return " ".join([word[:60] for word in words if isinstance(word, str)]) or "without a type"


def _kind(event: Touchpoint) -> str:
    return f"{event.type} {event.name!r}" if event.name else event.type


def _paths(value: Any, before: Path = ()) -> Iterator[Path]:  # noqa: ANN401 - a JSON document
    """Yield the paths of the single values of a document, each once; those of all items of a list are one."""
    seen: set[Path] = set()
    for path in _all_paths(value, before):
        if path not in seen:
            seen.add(path)
            yield path


def _all_paths(value: Any, before: Path) -> Iterator[Path]:  # noqa: ANN401 - a JSON document
    if isinstance(value, dict) and value:
        for name, held in value.items():
            yield from _all_paths(held, (*before, name))
    elif isinstance(value, list) and value:
        for held in value:
            yield from _all_paths(held, (*before, ITEMS))
    else:
        yield before


def _shown(path: Path) -> str:
    return ".".join(path).replace(f".{ITEMS}", ITEMS)


def _becomes(document: Any, path: Path, before: list[Touchpoint], asked: _Asked) -> set[str]:  # noqa: ANN401 - a JSON document
    """Return the names of what changes in the touchpoints where a field is missing, or has another value."""
    found: set[str] = set()
    for other in (_without, _changed):
        tried = copy.deepcopy(document)
        _at_each(tried, path, other)
        try:
            after = asked.touchpoints(tried)
        except RefusedRecord as refused:
            found.add(f"{_NEEDED}{refused.reason}" if other is _without else _READ)
            continue
        found |= _differences(before, after)
    return found


def _at_each(value: Any, path: Path, change: Any) -> None:  # noqa: ANN401 - a JSON document, and a function
    for place, name in enumerate(path[:-1]):
        if name == ITEMS:
            for item in value if isinstance(value, list) else ():
                _at_each(item, path[place + 1 :], change)
            return
        value = value.get(name) if isinstance(value, dict) else None
    last = path[-1] if path else None
    if last == ITEMS and isinstance(value, list):
        value[:] = [new for each in value if (new := change(each)) is not ...]
    elif isinstance(value, dict) and last in value:
        new = change(value[last])
        if new is ...:
            del value[last]
        else:
            value[last] = new


def _without(_: Any) -> Any:  # noqa: ANN401 - a JSON value
    return ...


def _changed(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    """Return another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return f"{value}1"
    return value + 1 if isinstance(value, int | float) else value


def _differences(before: list[Touchpoint], after: list[Touchpoint]) -> set[str]:
    if len(before) != len(after):
        return {f"the number of touchpoints, {len(before)}"}
    found: set[str] = set()
    for one, other in zip(before, after, strict=True):
        found |= _different(msgspec.to_builtins(one), msgspec.to_builtins(other), "")
    return found


def _different(one: Any, other: Any, name: str) -> set[str]:  # noqa: ANN401 - parts of touchpoints
    """Return the names of the fields in which two parts of touchpoints differ."""
    if one == other:
        return set()
    if isinstance(one, dict) and isinstance(other, dict):
        before = f"{name}." if name else ""
        return set().union(*[_different(one.get(each), other.get(each), before + each) for each in {*one, *other}])
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        return set().union(*[_different(*pair, name) for pair in zip(one, other, strict=True)])
    return {name}


def _said(names: set[str]) -> str:
    """Return in words what becomes of a field."""
    fields = {name for name in names if name != _READ and not name.startswith(_NEEDED)}
    if "type" in fields:
        # with another type all else is another thing
        fields = {"type"}
    # where a whole part comes or goes, what it holds says more
    fields -= {name for name in fields if any(other.startswith(f"{name}.") for other in fields)}
    said = [_in_words(name) for name in sorted(fields)] + sorted(name for name in names if name.startswith(_NEEDED))
    if said:
        return ", ".join(said)
    return "checked by the door" if _READ in names else LET_GO


def _in_words(name: str) -> str:
    part, dot, rest = name.partition(".")
    if not dot or part not in _ATTRIBUTES:
        return name
    return f"property {rest}, which the type reads" if rest in _OF_TYPES else f"{_ATTRIBUTES[part]} {rest}"
