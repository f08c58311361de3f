"""Journal records as messages of Kafka, or of anything that reads like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME

from schemas.journal import Progress
from schemas.wire import WireError
from streams.fold.record import AGAIN, FAILED_TIMERS, IMPORTED, Both, Failing, Record
from streams.kafka.headers import headers_of, readable_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from confluent_kafka import Message

    from schemas.wire import Wire
    from streams.profiles.effects import Guard


COPIED = "copied"
"""Header of records copied from another prefix (their offset there), and of outputs that repeat outputs from there."""

_LONG_BYTES = 8
_FAILED_THERE = "set aside in the prefix that the record was copied from"
APPENDED = "appended_at_ms"
"""Header of a copied record: when the broker appended the original, 8 bytes, big-endian."""


def counted_as_letter(message: Message) -> tuple[tuple[str, int, str], ...]:
    """Return facts to increase by one for a record that could not be folded, so that touchpoints' accounts balance.

    It looks at headers, which only touchpoints have, so the record need not be readable.
    """
    names = {name for name, _ in readable_headers(message)}
    if "received_at_ms" not in names:
        return ()
    letter = ("fold_dead_letters", 0, "")
    return (letter, ("forwards_received", 0, "")) if "hops" in names else (letter,)


def reader(wire: Wire) -> Callable[[Message], Record]:
    """Make what reads records of one wire format."""

    def read(message: Message) -> Record:
        return read_record(message, wire)

    return read


def read_record(message: Message, wire: Wire) -> Record:  # noqa: C901 - one loop over the headers is the fastest
    """Read the record in a message of the journal.

    Raises:
        WireError: the value is not one of our records.
    """
    raw = message.value() or b""
    key = message.key()
    received_ms = hops = original_ms = 0
    is_copy = is_again = is_imported = False
    guard: Guard | None = None
    for name, value in headers_of(message):
        if name == "received_at_ms":
            if len(value or b"") > _LONG_BYTES:
                raise WireError("malformed", f"the receive time has {len(value or b'')} bytes")
            received_ms = int.from_bytes(value or b"", "big")
        elif name == "hops":
            hops = (value or b"\x00")[0]
        elif name == COPIED:
            is_copy = True
        elif name == AGAIN:
            is_again = True
        elif name == IMPORTED:
            is_imported = True
        elif name == APPENDED:
            original_ms = int.from_bytes(value or b"", "big")
        elif name == FAILED_TIMERS:
            # a forged header can only park timers, which a person brings back
            guard = Failing(_timers(value or b""))
    stamped_ms = appended_ms(message)
    if original_ms:
        # an original is never later than its copy, so a foreign header cannot move time forwards
        stamped_ms = min(stamped_ms, original_ms)
    try:
        where = key.decode() if key else ""
    except UnicodeDecodeError:
        raise WireError("malformed", "the key is not UTF-8") from None
    return Record(where, wire.decode(raw), raw, received_ms, hops, is_copy, stamped_ms, is_again, guard, is_imported)


def _timers(header: bytes) -> dict[tuple[str, str], tuple[int, str]]:
    try:
        given = msgspec.json.decode(header, type=list[tuple[str, str, int]])
    except msgspec.DecodeError as error:
        raise WireError("malformed", f"the failed timers cannot be read: {error}") from None
    return {(customer, timer): (firing, _FAILED_THERE) for customer, timer, firing in given}


def failed_header(timers: Iterable[tuple[str, str, int]]) -> tuple[str, bytes]:
    """Return the header of a copied record whose timers failed, each (customer, timer, firing)."""
    return FAILED_TIMERS, msgspec.json.encode(list(timers))


def guarding(read: Callable[[Message], Record], guards: Mapping[int, Guard]) -> Callable[[Message], Record]:
    """Make a reader that gives the records at these offsets a guard of their timers, after one that they have."""

    def read_guarded(message: Message) -> Record:
        record, guard = read(message), guards.get(message.offset() or 0)
        if guard is None:
            return record
        both = guard if record.guard is None else Both(record.guard, guard)
        return msgspec.structs.replace(record, guard=both)

    return read_guarded


def is_copied(message: Message) -> bool:
    """Return whether a record was copied from another prefix, or repeats an output from there."""
    return any(name == COPIED for name, _ in readable_headers(message))


def appended_ms(message: Message) -> int:
    """Return when a broker appended a record, by the broker's clock; 0: no broker said so."""
    kind, stamped_ms = message.timestamp()
    return stamped_ms if kind == TIMESTAMP_LOG_APPEND_TIME else 0


def announced_ms(record: Record) -> int:
    """Return the time that a record shows to have come; -1: it says nothing about time."""
    if record.received_ms:
        return record.received_ms
    if isinstance(record.value, Progress):
        return max((each.time_ms for each in record.value.partitions), default=-1)
    return -1
