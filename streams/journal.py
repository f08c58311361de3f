"""Journal records as they lie in Kafka, or in any reader of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.fold import Record

if TYPE_CHECKING:
    from confluent_kafka import Message

    from schemas.wire import Wire


def read_record(message: Message, wire: Wire) -> Record:
    """The record in a message of the journal.

    Raises:
        WireError: the value is no record of ours.
    """
    raw = message.value() or b""
    key = message.key()
    received_ms = hops = 0
    for name, value in message.headers() or ():
        if name == "received_at_ms":
            received_ms = int.from_bytes(value or b"", "big")
        elif name == "hops":
            hops = (value or b"\x00")[0]
    return Record(key.decode() if key else "", wire.decode(raw), raw, received_ms, hops)
