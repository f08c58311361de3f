"""Doors: what makes touchpoints of a record that is JSON, chosen by the record's header `door` or by its form."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003 - a compiled class reads its annotations
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schemas.limits import TEXT_BYTES_MAX, TIME_MS_MIN
from schemas.units import DAY_MS
from streams.collect import (
    cloudevents,
    ga4,
    mailgun,
    postmark,
    segment,
    sendgrid,
    ses,
    shopify,
    touchpoint_json,
    woocommerce,
)
from streams.collect.amounts import kind_of
from streams.collect.arrived import Arrived  # noqa: TC001 - as above
from streams.collect.door import CALLS_MAX, Door, DoorSettings
from streams.collect.event_names import folded
from streams.collect.hiding import shown
from streams.collect.parsing import parsed
from streams.collect.refused import RefusedRecord
from streams.collect.timing import by_program, clicked_by_programs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.settings import DomainSettings

DOOR: Final = "door"
SOURCE: Final = "source"
RECEIVED: Final = "received_at_ms"
"""Headers of a JSON record: which door it takes, which system sent it, and when a server received it (8 bytes,
big-endian). All may be left out."""
HEADERS: Final = (DOOR, SOURCE, RECEIVED)
_RECEIVED_BYTES: Final = 8
_NAME_BYTES_MAX: Final = 64
"""Of the name of a door."""
_BEGINNINGS: Final = frozenset({b"{", b"[", b" ", b"\t", b"\r", b"\n", b"\xef"})
"""First bytes of JSON, with blanks or a byte order mark before it. Canonical Avro begins with 00 or C3."""


DOORS: Final[dict[str, Door]] = {
    segment.SOURCE: segment.arrived,
    cloudevents.DOOR: cloudevents.arrived,
    touchpoint_json.DOOR: touchpoint_json.arrived,
    ga4.DOOR: ga4.arrived,
    shopify.DOOR: shopify.arrived,
    woocommerce.DOOR: woocommerce.arrived,
    sendgrid.DOOR: sendgrid.arrived,
    mailgun.DOOR: mailgun.arrived,
    ses.DOOR: ses.arrived,
    postmark.DOOR: postmark.arrived,
}
"""By name. A door for another form is one line here."""


class Part(NamedTuple):
    """One document of a record, and what became of it."""

    document: Any
    arrived: Sequence[Arrived]
    refused: RefusedRecord | None


class Record(NamedTuple):
    """What a record of JSON holds, in its order."""

    parts: list[Part]
    is_batch: bool
    """Whether it was a list or a batch, so that each part is known by itself."""


def is_json(value: bytes) -> bool:
    """Return whether the bytes look like JSON rather than Avro."""
    return value[:1] in _BEGINNINGS


def come_in(
    value: bytes, headers: Iterable[tuple[str, bytes | None]], appended_ms: int, settings: DomainSettings
) -> Record:
    """Let a record of JSON in: one document, a list of them, or a batch of calls.

    `appended_ms` is the broker's append time, which is the receive time in a prefix on the wall clock.

    Raises:
        RefusedRecord: the record as a whole cannot be read. What is wrong with one part is in the part.
    """
    named = {name: held for name, held in headers if name in HEADERS and held}
    document = parsed(value)
    documents = _documents(document)
    door_name = _name_in(named)
    found = [document] if documents is None else documents
    parts = [_part(each, door_name, named, appended_ms, settings) for each in found]
    return Record(parts if documents is None else _timed(parts), documents is not None)


def _timed(parts: list[Part]) -> list[Part]:
    """Mark clicks that their times, side by side, show to be a program's."""
    programs = clicked_by_programs([each for part in parts for each in part.arrived])
    if not programs:
        return parts
    return [part._replace(arrived=[by_program(each, programs) for each in part.arrived]) for part in parts]


def received_of(headers: Mapping[str, bytes], appended_ms: int) -> int | None:
    """Return the receive time that a header has; None: there is none, or none that can be."""
    held = headers.get(RECEIVED)
    if held is None or len(held) != _RECEIVED_BYTES:
        return None
    received_ms = int.from_bytes(held, "big", signed=True)
    return received_ms if TIME_MS_MIN <= received_ms <= appended_ms + DAY_MS else None


def _documents(document: Any) -> list[Any] | None:  # noqa: ANN401 - of a JSON document
    """Return the documents of a record that has several; None: it is one."""
    found = document if isinstance(document, list) else None
    if isinstance(document, dict):
        found = segment.calls_of(document)
    if found is None:
        return None
    if len(found) > CALLS_MAX:
        raise RefusedRecord("too_many", f"the record has {len(found)} documents; at most {CALLS_MAX} are allowed")
    return found


def _name_in(headers: Mapping[str, bytes]) -> str | None:
    """Return the door that a header names.

    Raises:
        RefusedRecord: there is no such door.
    """
    held = headers.get(DOOR)
    if held is None:
        return None
    name = held[:_NAME_BYTES_MAX].decode(errors="replace").strip().lower()
    if name not in DOORS:
        raise RefusedRecord("unknown_door", f"the header {DOOR} is {shown(name)}: allowed are {', '.join(DOORS)}")
    return name


def _object(document: Any) -> dict[str, Any]:  # noqa: ANN401 - of a JSON document
    if not isinstance(document, dict):
        raise RefusedRecord("malformed", f"the document is {kind_of(document)}: allowed is an object")
    return document


def _form_of(document: dict[str, Any]) -> str:
    """Return the door by the form of a document."""
    if "specversion" in document:
        return cloudevents.DOOR
    if "event_id" in document and "time_ms" in document:
        return touchpoint_json.DOOR
    return segment.SOURCE


def _part(
    document: Any,  # noqa: ANN401 - of a JSON document
    door_name: str | None,
    headers: Mapping[str, bytes],
    appended_ms: int,
    settings: DomainSettings,
) -> Part:
    try:
        name = door_name or _form_of(_object(document))
        return Part(document, DOORS[name](_object(document), _settings_of(name, headers, appended_ms, settings)), None)
    except RefusedRecord as refused:
        return Part(document, (), refused)


def _settings_of(
    door_name: str, headers: Mapping[str, bytes], appended_ms: int, settings: DomainSettings
) -> DoorSettings:
    held = headers.get(SOURCE, b"")
    if len(held) > TEXT_BYTES_MAX:
        raise RefusedRecord("too_long", f"the header {SOURCE} has more than {TEXT_BYTES_MAX} bytes")
    source = held.decode(errors="replace").strip() or door_name
    received_ms = None
    if settings.clock == "wall":
        received_ms = received_of(headers, appended_ms) or appended_ms
    names = {*settings.logout_events.get(source, ()), *settings.logout_events.get(door_name, ())}
    return DoorSettings(
        source=source,
        currency=settings.reporting_currency,
        logouts=frozenset(map(folded, names)) if names else frozenset(),
        received_ms=received_ms,
        is_server=source in settings.server_sources,
    )
