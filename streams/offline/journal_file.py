"""A journal in an Avro object container file, in the order in which a backtest reads it, without Kafka."""

from __future__ import annotations

from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

import fastavro
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME

from schemas.container import read_blocks, write_blocks
from schemas.wire import SINGLE_OBJECT, WireError
from streams.offline.journal import side_by_side

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from confluent_kafka import Message

    from schemas.wire import Wire
    from streams.offline.journal import Journal

_NAME = "touchstream.v1.JournalRecord"
_SCHEMA = fastavro.parse_schema(
    {
        "type": "record",
        "name": _NAME,
        "doc": "A record of the journal as in Kafka; the value is Avro in single-object encoding.",
        "fields": [
            {"name": "is_of_devices", "type": "boolean", "doc": "Of an earlier release: the half."},
            {"name": "partition", "type": "int"},
            {"name": "offset", "type": "long"},
            {"name": "timestamp_ms", "type": "long"},
            {"name": "key", "type": ["null", "bytes"]},
            {"name": "value", "type": ["null", "bytes"]},
            {"name": "headers", "type": {"type": "map", "values": "bytes"}},
            {
                "name": "is_append_time",
                "type": "boolean",
                "default": False,
                "doc": "Whether the timestamp is the broker's; else it is that of who wrote the record.",
            },
        ],
    }
)


class FileRecord:
    """A record with the methods of a Kafka message."""

    __slots__ = ("_read",)

    def __init__(self, read: dict[str, Any]) -> None:
        self._read = read

    def partition(self) -> int:
        partition: int = self._read["partition"]
        return partition

    def offset(self) -> int:
        offset: int = self._read["offset"]
        return offset

    def timestamp(self) -> tuple[int, int]:
        kind = TIMESTAMP_LOG_APPEND_TIME if self._read["is_append_time"] else TIMESTAMP_CREATE_TIME
        return kind, self._read["timestamp_ms"]

    def key(self) -> bytes | None:
        key: bytes | None = self._read["key"]
        return key

    def value(self) -> bytes | None:
        value: bytes | None = self._read["value"]
        return value

    def headers(self) -> list[tuple[str, bytes]]:
        return list(self._read["headers"].items())


class JournalFile:
    """A file that `write_journal` wrote."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def records(self, starts: Mapping[int, int]) -> Iterator[Message]:
        """Yield the records; see Journal. They are in the file in this order.

        An earlier release wrote partition after partition, and of each first the records of devices. Such a file is
        read as often as it has partitions.

        Raises:
            ContainerError: the file cannot be read, is not a journal, or is damaged.
        """
        if any(read["is_of_devices"] for read in islice(self._rows(), 1)):
            numbers = sorted({read["partition"] for read in self._rows()})
            whole = {number: self._united(number, starts.get(number, 0)) for number in numbers}
            yield from side_by_side(whole, SINGLE_OBJECT)
            return
        for read in self._rows():
            if read["offset"] >= starts.get(read["partition"], 0):
                yield cast("Message", FileRecord(read))

    def _rows(self) -> Iterator[dict[str, Any]]:
        return read_blocks(self._path, _SCHEMA, _NAME, _as_read)

    def _united(self, partition: int, start: int) -> Iterator[Message]:
        """Yield one partition of two halves; records without a key are in both."""
        last = -1
        halves = [self._half(partition, start, of_devices=of_devices) for of_devices in (True, False)]
        for read in merge(*halves, key=_offset):
            if read["offset"] != last:
                last = read["offset"]
                yield cast("Message", FileRecord(read))

    def _half(self, partition: int, start: int, *, of_devices: bool) -> Iterator[dict[str, Any]]:
        return (
            read
            for read in self._rows()
            if read["partition"] == partition and read["is_of_devices"] is of_devices and read["offset"] >= start
        )


_offset = itemgetter("offset")


def _as_read(read: Any) -> Any:  # noqa: ANN401 - as fastavro reads
    return read


def write_journal(path: Path, journal: Journal, wire: Wire = SINGLE_OBJECT) -> int:
    """Write a journal and return its number of records.

    `wire` decodes the values, so that a reader needs no registry.
    """
    count = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal count
        for message in journal.records({}):
            count += 1
            kind, timestamp_ms = message.timestamp()
            yield {
                "is_of_devices": False,
                "partition": message.partition(),
                "offset": message.offset(),
                "timestamp_ms": timestamp_ms,
                "key": message.key(),
                "value": _plain(message.value(), wire),
                "headers": {name: value or b"" for name, value in message.headers() or ()},
                "is_append_time": kind == TIMESTAMP_LOG_APPEND_TIME,
            }

    write_blocks(path, _SCHEMA, _NAME, rows())
    return count


def _plain(value: bytes | None, wire: Wire) -> bytes | None:
    if value is None or wire is SINGLE_OBJECT:
        return value
    try:
        return SINGLE_OBJECT.encode(wire.decode(value))
    except WireError:
        return value  # it was a dead letter, and is one again
