"""What becomes of a record of `touchpoints`: a journal record under its customer's key, a mark, or a dead letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from schemas.limits import VALUE_BYTES_MAX
from schemas.touchpoint import IDENTITY_LINKED, IDENTITY_UNLINKED, Mark, Touchpoint
from schemas.wire import WireError
from streams.collect.checks import check_linking, check_time, checked
from streams.collect.consents import with_statement_read
from streams.collect.hiding import may_be_plain
from streams.collect.keys import key_of
from streams.collect.refused import RefusedRecord
from streams.collect.segment import SOURCE, is_segment, touchpoint_of

if TYPE_CHECKING:
    from schemas.wire import Wire
    from streams.settings import DomainSettings


_BELONG_HERE = (Touchpoint, Mark)


class Collected(NamedTuple):
    """A touchpoint on its way into the journal."""

    key: bytes
    value: bytes
    received_ms: int


def collect(value: bytes | None, appended_ms: int, wire: Wire, settings: DomainSettings) -> Collected | Mark:
    """Map, check and key one record; appended_ms is the broker's append time, the receive time of a wall prefix.

    Canonical bytes of this release go on as they came.

    Raises:
        RefusedRecord: the record becomes a dead letter.
    """
    if not value:
        raise RefusedRecord("empty", "the record has no value")
    if len(value) > VALUE_BYTES_MAX:
        raise RefusedRecord("too_large", f"the record has {len(value)} bytes; at most {VALUE_BYTES_MAX} are allowed")
    record = _read(value, wire, settings)
    if isinstance(record, Mark):
        if settings.clock != "marks":
            raise RefusedRecord("mark_in_wall_prefix", "this prefix takes its time from the wall clock")
        check_time(record.time_ms, record.time_ms)
        return record
    received_ms = appended_ms if settings.clock == "wall" else record.time_ms
    header = wire.header(Touchpoint)
    is_canonical = value.startswith(header)
    may_have_address = not is_canonical or may_be_plain(value, header)
    event = _named(record, settings)
    if event.consent is not None:
        event = with_statement_read(event, settings.consent_purposes)
    event = checked(event, received_ms, may_have_address=may_have_address)
    if event.type == IDENTITY_LINKED:
        check_linking(event, settings.may_link)
    key = key_of(event)
    if key is None:
        raise RefusedRecord(
            "no_customer", "the touchpoint has none of user_id, anonymous_id, order, spend with channel, email_hash"
        )
    if event is record and is_canonical:
        return Collected(key, value, received_ms)
    written = wire.encode(event)
    if len(written) > VALUE_BYTES_MAX:
        raise RefusedRecord(
            "too_large", f"it would have {len(written)} bytes in the journal; at most {VALUE_BYTES_MAX} are allowed"
        )
    return Collected(key, written, received_ms)


def _read(value: bytes, wire: Wire, settings: DomainSettings) -> Touchpoint | Mark:
    if is_segment(value):
        named = settings.logout_events.get(SOURCE, ())
        return touchpoint_of(value, settings.reporting_currency, [name.lower() for name in named])
    try:
        record: Touchpoint | Mark = wire.decode_one_of(_BELONG_HERE, value)
    except WireError as error:
        raise RefusedRecord(error.reason, error.detail) from None
    return record


def _named(event: Touchpoint, settings: DomainSettings) -> Touchpoint:
    """Return a logout under its canonical type, so that the journal says what the settings made of the event."""
    logouts = settings.logout_events.get(event.source)
    return replace(event, type=IDENTITY_UNLINKED) if logouts and event.type in logouts else event
