"""Journal records as they lie in Kafka, or in any reader of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.journal import Progress
from streams.fold.record import Record
from streams.kafka.headers import headers_of, readable_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Message

    from schemas.wire import Wire


COPIED = "copied"
"""Header of what was copied from another prefix (its offset there), and of outputs that repeat what was said there."""


def counted_as_letter(message: Message) -> tuple[tuple[str, int, str], ...]:
    """Facts to add one to for a record that could not be folded; the accounts of touchpoints then balance.

    By its headers, which only touchpoints have, so that it may also be one that cannot be read.
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


def read_record(message: Message, wire: Wire) -> Record:
    """The record in a message of the journal.

    Raises:
        WireError: the value is no record of ours.
    """
    raw = message.value() or b""
    key = message.key()
    received_ms = hops = 0
    is_copy = False
    for name, value in headers_of(message):
        if name == "received_at_ms":
            received_ms = int.from_bytes(value or b"", "big")
        elif name == "hops":
            hops = (value or b"\x00")[0]
        elif name == COPIED:
            is_copy = True
    return Record(key.decode() if key else "", wire.decode(raw), raw, received_ms, hops, is_copy)


def announced_ms(record: Record) -> int:
    """To when time has come by a record; -1: it says nothing of time."""
    if record.received_ms:
        return record.received_ms
    if isinstance(record.value, Progress):
        return max((told.time_ms for told in record.value.partitions), default=-1)
    return -1
