"""Applies the catalogue of attributes: values become canonical text of their type, and what is not named is let go.

Text stays as it is, a number becomes a plain decimal, a flag true or false, a date YYYY-MM-DD or ISO 8601 in UTC with
Z, and a list a JSON array of texts. Nothing is guessed: what cannot be read as its type is let go and counted, and the
event goes on.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from schemas.attribute_limits import ATTRIBUTE_BYTES_MAX, LIST_MAX, NUMBER_CHARS_MAX, TRAIT_BYTES_MAX
from schemas.touchpoint import Touchpoint  # noqa: TC001 - a compiled class reads its annotations
from streams.attributes import CUSTOMER, EVENT, tables_of
from streams.profiles.bounds import utf8_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.attributes import Named, Names
    from streams.collect.arrived import Arrived
    from streams.settings import DomainSettings

NOT_NAMED: Final = "not_named"
WRONG_TYPE: Final = "wrong_type"
TOO_LONG: Final = "too_long"
"""Why a value is let go: the catalogue does not name it, it cannot be read as its type, or it has too many bytes."""

_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
)
_TEXT_MAX: Final = 4_096
"""Characters of a text that is looked at as a number, a flag, a date or a list."""
_MICROSECOND_DIGITS: Final = 6
_replace = msgspec.structs.replace


class LetGo(NamedTuple):
    """A value that was not kept."""

    place: str
    """event or customer."""
    name: str
    """The attribute's name; of one that the catalogue does not name, the source's name, which anybody may fill."""
    why: str


class Attributed(NamedTuple):
    """A touchpoint with its attributes, and what was let go."""

    touchpoint: Touchpoint
    let_go: tuple[LetGo, ...]


def attributed(arrived: Arrived, settings: DomainSettings) -> Attributed:
    """Return what a door made of a record with its attributes, and what was let go."""
    event, properties, traits = arrived.touchpoint, arrived.properties, arrived.traits
    if not properties and not traits:
        return Attributed(event, ())
    tables, let_go = tables_of(settings.attributes), list[LetGo]()
    of_event = _read(properties, tables.of_events, EVENT, let_go) if properties else {}
    of_customer = _read(traits, tables.of_customers, CUSTOMER, let_go) if traits else {}
    if of_event or of_customer:
        # what a type reads was put there by the door, under names that no attribute has
        event = _replace(event, properties={**of_event, **event.properties}, traits={**event.traits, **of_customer})
    return Attributed(event, tuple(let_go))


def canonical(event: Touchpoint, settings: DomainSettings) -> Attributed:
    """Return a touchpoint that came as canonical Avro with its attributes in canonical form; the same object if so.

    Of its properties those that the catalogue does not name stay; of its traits they are let go.
    """
    tables, let_go = tables_of(settings.attributes), list[LetGo]()
    properties, traits, sources = event.properties, event.traits, tables.of_events.sources
    if properties and sources and not sources.keys().isdisjoint(properties):
        named = {name: value for name, value in properties.items() if name in sources}
        others = {name: value for name, value in properties.items() if name not in sources}
        properties = others | _read(named, tables.of_events, EVENT, let_go)
    if traits:
        traits = _read(traits, tables.of_customers, CUSTOMER, let_go)
    if properties == event.properties and traits == event.traits:
        return Attributed(event, tuple(let_go))
    return Attributed(_replace(event, properties=properties, traits=traits), tuple(let_go))


def _read(values: Mapping[str, Any], names: Names, place: str, let_go: list[LetGo]) -> dict[str, str]:
    """Return the canonical texts of named values by the attribute's name; an empty trait is one that was removed."""
    finder = _Finder(names, place, let_go)
    finder.find(values, "")
    texts: dict[str, str] = {}
    for name, (named, value) in finder.found.items():
        if value is None or value == "":
            if place == CUSTOMER:
                texts[name] = ""
            continue
        text = canonical_text(named.type, value)
        if text is None:
            let_go.append(LetGo(place, name, WRONG_TYPE))
        elif utf8_bytes(text) > (TRAIT_BYTES_MAX if place == CUSTOMER else ATTRIBUTE_BYTES_MAX):
            let_go.append(LetGo(place, name, TOO_LONG))
        else:
            texts[name] = text
    return texts


class _Finder:
    """Gathers the values that the catalogue names: of several for one attribute that of the least rank."""

    def __init__(self, names: Names, place: str, let_go: list[LetGo]) -> None:
        self._sources, self._roots = names
        self._place = place
        self._let_go = let_go
        self.found: dict[str, tuple[Named, Any]] = {}

    def find(self, values: Mapping[str, Any], before: str) -> None:
        """Look at the values of one level, whose names begin with `before`."""
        for name, value in values.items():
            path = before + name
            named = self._sources.get(path)
            if named is not None:
                other = self.found.get(named.name)
                if other is None or named.rank < other[0].rank:
                    self.found[named.name] = (named, value)
            elif path in self._roots and isinstance(value, dict):
                self.find(value, path + ".")
            else:
                self._let_go.append(LetGo(self._place, path, NOT_NAMED))


def canonical_text(kind: str, value: Any) -> str | None:  # noqa: ANN401 - of a JSON document
    """Return a value as the canonical text of its type; None: it cannot be read as that.

    >>> canonical_text("number", 12.50), canonical_text("number", "1.234,5"), canonical_text("flag", "TRUE")
    ('12.5', None, 'true')
    """
    return _READERS[kind](value)


def _text(value: Any) -> str | None:  # noqa: ANN401 - of a JSON document
    return value if isinstance(value, str) else _number(value)


def _number(value: Any) -> str | None:  # noqa: ANN401 - of a JSON document
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    if isinstance(value, str):
        text = value.strip() if len(value) <= _TEXT_MAX else ""
        return _plain(Decimal(text)) if _NUMBER.fullmatch(text) else None
    if isinstance(value, int):
        # Python refuses to write a number of more than 4,300 digits
        return _plain(Decimal(value)) if value.bit_length() <= 4 * NUMBER_CHARS_MAX else None
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    return _plain(number) if number.is_finite() and abs(number.adjusted()) <= NUMBER_CHARS_MAX else None


def _plain(number: Decimal) -> str | None:
    """Return a number without exponent and trailing zeros."""
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").removesuffix(".")
    whole = text.lstrip("-").lstrip("0")
    if not whole or whole.startswith("."):
        whole = "0" + whole
    text = f"-{whole}" if text.startswith("-") and whole != "0" else whole
    return text if len(text) <= NUMBER_CHARS_MAX else None


def _flag(value: Any) -> str | None:  # noqa: ANN401 - of a JSON document
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = value.strip().lower() if len(value) <= _TEXT_MAX else ""
        return text if text in {"true", "false"} else None
    return {0: "false", 1: "true"}.get(value) if isinstance(value, int) else None


def _date(value: Any) -> str | None:  # noqa: ANN401 - of a JSON document
    """Return a day, or an instant in UTC. An instant without a time zone is neither."""
    text = value.strip() if isinstance(value, str) and len(value) <= _TEXT_MAX else ""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text).isoformat()
        if not _INSTANT.fullmatch(text):
            return None
        instant = datetime.fromisoformat(_in_microseconds(text)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    seconds = instant.replace(tzinfo=None).isoformat(timespec="milliseconds")
    return seconds.removesuffix(".000") + "Z"


def _in_microseconds(text: str) -> str:
    head, point, rest = text.partition(".")
    if not point:
        return text
    digits = re.match(r"[0-9]+", rest)
    size = digits.end() if digits else 0
    return f"{head}.{rest[:size][:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, '0')}{rest[size:]}"


def _list(value: Any) -> str | None:  # noqa: ANN401 - of a JSON document
    """Return a list of texts, each once, in its order; a text may be the JSON of one. An empty list is empty."""
    if isinstance(value, str):
        if not value.startswith("[") or len(value) > _TEXT_MAX:
            return None
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return None
    if not isinstance(value, list) or len(value) > LIST_MAX:
        return None
    texts = [_flag(each) if isinstance(each, bool) else _text(each) for each in value]
    if any(text is None for text in texts):
        return None
    return msgspec.json.encode(list(dict.fromkeys(texts))).decode() if texts else ""


_READERS: Final[dict[str, Callable[[Any], str | None]]] = {
    "text": _text,
    "number": _number,
    "flag": _flag,
    "date": _date,
    "list": _list,
}
