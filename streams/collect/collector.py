"""What becomes of a record of `touchpoints`: a journal record under its customer's key, a mark, or a dead letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn

from msgspec.structs import replace

from schemas.limits import VALUE_BYTES_MAX
from schemas.touchpoint import CUSTOM, IDENTITY_LINKED, IDENTITY_UNLINKED, Mark, Touchpoint
from schemas.wire import WireError
from streams.collect.attributes import attributed, canonical
from streams.collect.checks import check_linking, check_time, checked
from streams.collect.consents import with_statement_read
from streams.collect.doors import come_in, is_json
from streams.collect.hiding import may_be_plain
from streams.collect.keys import key_of
from streams.collect.parsing import written
from streams.collect.refused import RefusedRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.wire import Wire
    from streams.collect.arrived import Arrived
    from streams.collect.attributes import LetGo
    from streams.settings import DomainSettings

_BELONG_HERE = (Touchpoint, Mark)


class Collected(NamedTuple):
    """A touchpoint on its way into the journal."""

    key: bytes
    value: bytes
    received_ms: int
    event: Touchpoint
    let_go: tuple[LetGo, ...] = ()
    """Attributes that were not kept."""


class RefusedPart(NamedTuple):
    """A part of a record that does not come in, while others do."""

    reason: str
    detail: str
    value: bytes
    """The part alone, so that it can be retried without the others."""


def collect(value: bytes | None, appended_ms: int, wire: Wire, settings: DomainSettings) -> Collected | Mark:
    """Map, check and key one record; appended_ms is the broker's append time, the receive time of a wall prefix.

    Canonical bytes of this release go on as they came.

    Raises:
        RefusedRecord: the record becomes a dead letter. So does one of JSON that has several touchpoints.
    """
    value = sized_right(value)
    if is_json(value):
        found = collect_json(value, (), appended_ms, wire, settings)
        if len(found) != 1 or isinstance(found[0], RefusedPart):
            raise RefusedRecord("malformed", f"the record has {len(found)} touchpoints, where one is allowed")
        return found[0]
    try:
        record: Touchpoint | Mark = wire.decode_one_of(_BELONG_HERE, value)
    except WireError as error:
        raise RefusedRecord(error.reason, error.detail) from None
    if isinstance(record, Mark):
        if settings.clock != "marks":
            raise RefusedRecord("mark_in_wall_prefix", "this prefix takes its time from the wall clock")
        check_time(record.time_ms, record.time_ms)
        return record
    header = wire.header(Touchpoint)
    is_canonical = value.startswith(header)
    received_ms = appended_ms if settings.clock == "wall" else record.time_ms
    event = record
    let_go: tuple[LetGo, ...] = ()
    if record.properties or record.traits:
        event, let_go = canonical(record, settings)
    event = _checked(event, received_ms, settings, may_have_address=not is_canonical or may_be_plain(value, header))
    if event is record and is_canonical:
        return Collected(key_of(event) or _nobodys(), value, received_ms, event, let_go)
    return _written(event, received_ms, wire, let_go)


def collect_json(
    value: bytes,
    headers: Iterable[tuple[str, bytes | None]],
    appended_ms: int,
    wire: Wire,
    settings: DomainSettings,
) -> list[Collected | RefusedPart]:
    """Do as `collect` for a record of JSON, which may be a list or a batch: its parts come in one by one, in order.

    Raises:
        RefusedRecord: nothing of the record comes in, so all of it becomes one dead letter.
    """
    record = come_in(value, headers, appended_ms, settings)
    found: list[Collected | RefusedPart] = []
    for part in record.parts:
        try:
            if part.refused is not None:
                raise part.refused
            made = [_of_json(each, appended_ms, wire, settings) for each in part.arrived]
        except RefusedRecord as refused:
            if not record.is_batch:
                raise
            found.append(RefusedPart(refused.reason, refused.detail, written(part.document)))
        else:
            found += made
    return found


def sized_right(value: bytes | None) -> bytes:
    """Return the value of a record.

    Raises:
        RefusedRecord: it has none, or too much.
    """
    if not value:
        raise RefusedRecord("empty", "the record has no value")
    if len(value) > VALUE_BYTES_MAX:
        raise RefusedRecord("too_large", f"the record has {len(value)} bytes; at most {VALUE_BYTES_MAX} are allowed")
    return value


def _of_json(arrived: Arrived, appended_ms: int, wire: Wire, settings: DomainSettings) -> Collected:
    received_ms = appended_ms if settings.clock == "wall" else arrived.touchpoint.time_ms
    try:
        event, let_go = attributed(arrived, settings)
        return _written(_checked(event, received_ms, settings), received_ms, wire, let_go)
    except UnicodeEncodeError:
        raise RefusedRecord("malformed", "a text has half a character, which is no UTF-8") from None


def _checked(
    record: Touchpoint, received_ms: int, settings: DomainSettings, *, may_have_address: bool = True
) -> Touchpoint:
    event = _named(record, settings)
    event = checked(event, received_ms, settings.ids_of_nobody, may_have_address=may_have_address)
    if event.type == IDENTITY_LINKED:
        check_linking(event, settings.may_link)
    return event


def _nobodys() -> NoReturn:
    raise RefusedRecord(
        "no_customer", "the touchpoint has none of user_id, anonymous_id, order, spend with channel, email_hash"
    )


def _written(event: Touchpoint, received_ms: int, wire: Wire, let_go: tuple[LetGo, ...] = ()) -> Collected:
    key = key_of(event) or _nobodys()
    value = wire.encode(event)
    if len(value) > VALUE_BYTES_MAX:
        raise RefusedRecord(
            "too_large", f"it would have {len(value)} bytes in the journal; at most {VALUE_BYTES_MAX} are allowed"
        )
    return Collected(key, value, received_ms, event, let_go)


def _named(event: Touchpoint, settings: DomainSettings) -> Touchpoint:
    """Return a logout under its canonical type, and consent with a purpose that the settings have.

    So the journal says what the settings made of the event.
    """
    if event.consent is not None:
        event = with_statement_read(event, settings.consent_purposes)
    logouts = settings.logout_events.get(event.source)
    if not logouts:
        return event
    name = event.name if event.type == CUSTOM else event.type
    return replace(event, type=IDENTITY_UNLINKED, name=None) if name in logouts else event
