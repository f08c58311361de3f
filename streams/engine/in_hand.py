"""Which records a worker is working on, in a file that outlives the process however it ends."""

from __future__ import annotations

import mmap
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from streams.kafka.offsets import PartitionId

SIZE = 512
_FORMAT = int.from_bytes(b"in-hand1", "little")
"""Another machine's order of bytes gives another number."""
_NUMBERS = Struct("@6q")
_NAME = slice(_NUMBERS.size, _NUMBERS.size + 249)
"""Longer than this no topic's name may be."""
_FIRST, _LAST, _BEGAN_MS, _PARTITION, _NAME_BYTES = range(1, 6)
NOTHING = -1


class LeftInHand(NamedTuple):
    """The records that an earlier process had in hand when it ended."""

    place: PartitionId
    first: int
    last: int
    began_ms: int
    """Unix time, at most a second before the first of them was begun."""


class InHand:
    """The mapped file. A store to memory is all that a slice of records costs, and the kernel keeps it over a kill."""

    def __init__(self, path: Path) -> None:
        # written, not only made longer: on a full disk a hole in a mapped file would end the process without a word
        path.write_bytes(_NUMBERS.pack(_FORMAT, NOTHING, NOTHING, 0, 0, 0).ljust(SIZE, b"\0"))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SIZE)
        self._numbers = memoryview(self._map)[: _NUMBERS.size].cast("q")

    def take(self, place: PartitionId) -> None:
        """Note whose records are held next."""
        topic, self._numbers[_PARTITION] = place[0].encode(), place[1]
        self._map[_NAME.start : _NAME.start + len(topic)] = topic
        self._numbers[_NAME_BYTES] = len(topic)

    def hold(self, first: int, last: int) -> None:
        """Note the offsets of the records that are worked on from now on."""
        self._numbers[_LAST] = last
        self._numbers[_FIRST] = first

    def clear(self) -> None:
        """Note that nothing is worked on."""
        self._numbers[_FIRST] = NOTHING

    def note_time(self, unix_ms: int) -> None:
        """Note when the limit of what is worked on began to run."""
        self._numbers[_BEGAN_MS] = unix_ms


def left_in_hand(path: Path) -> LeftInHand | None:
    """Return what the file's last process had in hand; None if it had nothing, or there is no such file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(content) != SIZE:
        return None
    form, first, last, began_ms, partition, name_bytes = _NUMBERS.unpack_from(content)
    name = content[_NAME][: max(name_bytes, 0)]
    if form != _FORMAT or first < 0 or not name:
        return None
    return LeftInHand((name.decode(errors="replace"), partition), first, last, began_ms)
