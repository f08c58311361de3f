"""The folded state of a journal partition at one of its records, in a file from which a fold may continue."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import fastavro
import msgspec
from xxhash import xxh3_128, xxh3_128_hexdigest

from schemas.container import ContainerError, read_blocks, write_blocks
from schemas.insights import PanelRow
from state.memory import MemoryStore
from streams.offline.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from confluent_kafka import Message

_NAME = "touchstream.v1.CheckpointRecord"
_SCHEMA = fastavro.parse_schema(
    {
        "type": "record",
        "name": _NAME,
        "doc": "The first record has an empty key and, in JSON, what is known of the whole; others are the state's.",
        "fields": [{"name": "key", "type": "bytes"}, {"name": "value", "type": "bytes"}],
    }
)
_WHOLE = b""


class UnfitCheckpoint(Exception):
    """A checkpoint cannot be used; the message names the file, and what is wrong with it."""


class Position(msgspec.Struct, frozen=True):
    """The last folded record of a journal partition."""

    partition: int
    offset: int
    digest: str
    """Of the record."""
    end: int
    """Offset after the last record that was read; records in between were set aside."""
    announced_ms: int = msgspec.field(name="told_ms")  # stored under the name that it had first
    """The latest time of a record; -1: there was none."""


class Checkpoint(NamedTuple):
    """A fold at one place in its journal."""

    place: Position
    values: dict[str, int]
    """By topic: how many values it had made."""
    sums: Sums
    state: MemoryStore


class _Whole(msgspec.Struct, frozen=True):
    place: Position
    values: dict[str, int]
    counts: list[tuple[tuple[str, int, str], int]]
    panel: list[tuple[PanelRow, int]]
    digest: str
    """Of the state."""


class Checkpoints:
    """The files of one prefix in a folder; keep them as long as its journal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def starts(self, before_ms: int) -> dict[int, int]:
        """Return by partition the offset of the last checkpoint taken before any record had this time.

        Raises:
            UnfitCheckpoint: a file cannot be read.
        """
        partitions = {int(path.name.partition("-")[0]) for path in self._folder.glob("[0-9]*-[0-9]*.avro")}
        found = {partition: self._found(partition, before_ms) for partition in partitions}
        return {partition: each[0].place.offset for partition, each in found.items() if each is not None}

    def last(
        self, partition: int, before_ms: int = 1 << 62, is_wanted: Callable[[bytes], bool] = lambda _: True
    ) -> Checkpoint | None:
        """Return the partition's last checkpoint before any record had this time, with the wanted part of its state.

        Raises:
            UnfitCheckpoint: a file cannot be read, or was changed.
        """
        found = self._found(partition, before_ms)
        if found is None:
            return None
        whole, path, pairs = found
        state, digest = MemoryStore(), xxh3_128()
        with _refused(path):
            state.write((pair for pair in _digested(pairs, digest) if is_wanted(pair[0])), whole.place.offset)
        if digest.hexdigest() != whole.digest:
            raise UnfitCheckpoint(f"{path}: its state was changed after it was written; delete the file")
        sums = Sums(Counter(dict(whole.counts)), Counter(dict(whole.panel)))
        return Checkpoint(whole.place, whole.values, sums, state)

    def _found(self, partition: int, before_ms: int) -> tuple[_Whole, Path, Iterator[tuple[bytes, bytes]]] | None:
        for path in sorted(self._folder.glob(f"{partition}-*.avro"), reverse=True):
            with _refused(path):
                pairs = read_blocks(path, _SCHEMA, _NAME, _pair)
                whole = msgspec.json.decode(next(pairs)[1], type=_Whole)
                if whole.place.announced_ms < before_ms:
                    return whole, path, pairs
        return None

    def write(self, checkpoint: Checkpoint) -> None:
        """Write a file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        place, sums, state = checkpoint.place, checkpoint.sums, checkpoint.state
        digest = xxh3_128()
        for _ in _digested(state.items(), digest):
            pass
        counts, panel = list(sums.counts.items()), list(sums.panel.items())
        whole = _Whole(place, checkpoint.values, counts, panel, digest.hexdigest())
        path = self._folder / f"{place.partition}-{place.offset:020d}.avro"
        pairs = chain([(_WHOLE, msgspec.json.encode(whole))], state.items())
        write_blocks(path, _SCHEMA, _NAME, ({"key": key, "value": value} for key, value in pairs))


def going_on(messages: Iterable[Message], start: Checkpoint) -> Iterator[Message]:
    """Return the records after that of a checkpoint, with which `messages` begin.

    Raises:
        UnfitCheckpoint: they begin with another record.
    """
    is_there, behind = divided(messages, start.place)
    if not is_there:
        raise of_another_journal(start.place)
    return behind


def divided(messages: Iterable[Message], place: Position) -> tuple[bool, Iterator[Message]]:
    """Return whether the first message is the record at this place, and the records after it."""
    rest = iter(messages)
    first = next(rest, None)
    if first is None:
        return False, rest
    is_there = first.offset() == place.offset and digest_of(first) == place.digest
    return is_there, (message for message in chain([first], rest) if (message.offset() or 0) >= place.end)


def of_another_journal(place: Position) -> UnfitCheckpoint:
    """Return the error for a checkpoint whose record is not in the journal."""
    return UnfitCheckpoint(
        f"the checkpoint of partition {place.partition} at offset {place.offset} belongs to another journal: "
        "its record is missing there, or different"
    )


def digest_of(message: Message) -> str:
    """Return xxh3-128 (hex) of key and value."""
    return xxh3_128_hexdigest(repr((message.key(), message.value())).encode())


def _digested(pairs: Iterable[tuple[bytes, bytes]], digest: xxh3_128) -> Iterator[tuple[bytes, bytes]]:
    """Yield the pairs as they are, and add each to the digest."""
    for key, value in pairs:
        digest.update(b"".join((len(key).to_bytes(8, "big"), key, len(value).to_bytes(8, "big"), value)))
        yield key, value


def _pair(read: Any) -> tuple[bytes, bytes]:  # noqa: ANN401 - as fastavro reads
    return read["key"], read["value"]


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    try:
        yield
    except ContainerError as error:
        raise UnfitCheckpoint(str(error)) from None
    except (StopIteration, msgspec.DecodeError) as error:
        raise UnfitCheckpoint(f"{path}: not a checkpoint of this release: {error}") from None
