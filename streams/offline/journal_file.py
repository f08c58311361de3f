"""A journal in an Avro object container file, in two halves as a backtest reads them, without Kafka."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import fastavro
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME

from schemas.container import ContainerError, read_blocks, write_blocks
from schemas.wire import SINGLE_OBJECT, WireError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from schemas.wire import Wire
    from streams.offline.journal import Half, Journal

_NAME = "touchstream.v1.JournalRecord"
_SCHEMA = fastavro.parse_schema(
    {
        "type": "record",
        "name": _NAME,
        "doc": "A record of the journal as in Kafka; the value is Avro in single-object encoding.",
        "fields": [
            {"name": "is_of_devices", "type": "boolean", "doc": "The half; records without a key are in both."},
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

    def halves(self, starts: Mapping[int, int]) -> Iterator[Half]:
        """Yield the halves; see Journal.

        Raises:
            ContainerError: the file cannot be read, is not a journal, is damaged, or has its partitions in disorder.
        """
        met: list[tuple[bool, int]] = []
        for half, own in groupby(read_blocks(self._path, _SCHEMA, _NAME, _as_read), _half):
            is_of_devices, partition = half
            if half in met or (met and is_of_devices > met[-1][0]):
                message = f"{self._path}: partition {partition} is out of order; export the journal again"
                raise ContainerError(message)
            met.append(half)
            start = starts.get(partition, 0)
            yield is_of_devices, partition, (FileRecord(read) for read in own if read["offset"] >= start)


_half = itemgetter("is_of_devices", "partition")


def _as_read(read: Any) -> Any:  # noqa: ANN401 - as fastavro reads
    return read


def write_journal(path: Path, journal: Journal, wire: Wire = SINGLE_OBJECT) -> int:
    """Write a journal and return its number of records.

    `wire` decodes the values, so that a reader needs no registry.
    """
    count = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal count
        for is_of_devices, partition, messages in journal.halves({}):
            for message in messages:
                key, (kind, timestamp_ms) = message.key(), message.timestamp()
                count += key is not None or is_of_devices
                yield {
                    "is_of_devices": is_of_devices,
                    "partition": partition,
                    "offset": message.offset(),
                    "timestamp_ms": timestamp_ms,
                    "key": key,
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
