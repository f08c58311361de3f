"""A journal in an Avro object container file, partition after partition: all that a fold needs, and no Kafka."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import fastavro
from confluent_kafka import TIMESTAMP_CREATE_TIME

from schemas.wire import SINGLE_OBJECT, WireError
from streams.replay.container import ContainerError, read_blocks, write_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from confluent_kafka import Message

    from schemas.wire import Wire

_NAME = "touchstream.v1.JournalRecord"
_SCHEMA = fastavro.parse_schema({
    "type": "record",
    "name": _NAME,
    "doc": "A record of the journal as it lies in Kafka; the value is Avro in single-object encoding.",
    "fields": [
        {"name": "partition", "type": "int"},
        {"name": "offset", "type": "long"},
        {"name": "timestamp_ms", "type": "long"},
        {"name": "key", "type": ["null", "bytes"]},
        {"name": "value", "type": ["null", "bytes"]},
        {"name": "headers", "type": {"type": "map", "values": "bytes"}},
    ],
})


class FileRecord(NamedTuple):
    """Asked as a Kafka message is."""

    in_partition: int
    at_offset: int
    at_ms: int
    of_key: bytes | None
    of_value: bytes | None
    with_headers: dict[str, bytes]

    def partition(self) -> int:
        return self.in_partition

    def offset(self) -> int:
        return self.at_offset

    def timestamp(self) -> tuple[int, int]:
        return TIMESTAMP_CREATE_TIME, self.at_ms

    def key(self) -> bytes | None:
        return self.of_key

    def value(self) -> bytes | None:
        return self.of_value

    def headers(self) -> list[tuple[str, bytes]]:
        return list(self.with_headers.items())


class JournalFile:
    """What `write_journal` wrote."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def partitions(self, starts: Mapping[int, int]) -> Iterator[tuple[int, Iterator[Message]]]:
        """Each partition once, with its records in order, from the offset in `starts` on where there is one.

        Raises:
            ContainerError: not to be read, no journal, damaged, or not partition after partition.
        """
        met: set[int] = set()
        records = read_blocks(self._path, _SCHEMA, _NAME, _record)
        for partition, own in groupby(records, attrgetter("in_partition")):
            if partition in met:
                raise ContainerError(f"{self._path}: partition {partition} begins twice; write it anew")
            met.add(partition)
            start = starts.get(partition, 0)
            yield partition, (record for record in own if record.at_offset >= start)


def _record(read: Any) -> FileRecord:  # noqa: ANN401 - as fastavro reads
    return FileRecord(
        read["partition"], read["offset"], read["timestamp_ms"], read["key"], read["value"], read["headers"]
    )  # fmt: skip


def write_journal(path: Path, messages: Iterable[Message], wire: Wire = SINGLE_OBJECT) -> int:
    """Writes them in the order given, which is partition after partition, and returns their number.

    Values are decoded by `wire`, so that whoever reads them needs no registry.
    """
    records = (
        {
            "partition": message.partition(),
            "offset": message.offset(),
            "timestamp_ms": message.timestamp()[1],
            "key": message.key(),
            "value": _plain(message.value(), wire),
            "headers": {name: value or b"" for name, value in message.headers() or ()},
        }
        for message in messages
    )
    return write_blocks(path, _SCHEMA, _NAME, records)


def _plain(value: bytes | None, wire: Wire) -> bytes | None:
    if value is None or wire is SINGLE_OBJECT:
        return value
    try:
        return SINGLE_OBJECT.encode(wire.decode(value))
    except WireError:
        return value  # it was a dead letter, and is one again
