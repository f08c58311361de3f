"""State in memory, for folds that keep nothing: tests, verify, backtest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sortedcontainers import SortedDict, SortedSet

from state.codec import DUE_MS_MAX, due_of
from state.store import BEFORE_ALL, NO_POSITION, Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class MemoryStore:
    """A `Store` that ends with its process."""

    def __init__(self) -> None:
        self.position = NO_POSITION
        self.origin = ""
        self._records = SortedDict()
        self._timers = SortedSet()

    def keep_origin(self, origin: str) -> None:
        self.origin = origin

    def get(self, key: bytes) -> bytes | None:
        value: bytes | None = self._records.get(key)
        return value

    def due(self, until_ms: int = DUE_MS_MAX, after: Entry = BEFORE_ALL) -> Iterator[Entry]:
        for entry in self._timers.irange(after, inclusive=(False, True)):
            if entry[0] > until_ms:
                return
            yield entry

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        for key in self._records.irange(prefix):
            if not key.startswith(prefix):
                return
            yield key, self._records[key]

    def write(self, records: Iterable[tuple[bytes, bytes | None]], position: int, passed: Iterable[Entry] = ()) -> None:
        self._timers.difference_update(passed)
        for key, value in records:
            if value is None:
                self._records.pop(key, None)
                continue
            self._records[key] = value
            if due_ms := due_of(value):
                self._timers.add((due_ms, key))
        self.position = position

    def close(self) -> None:
        self._records.clear()
        self._timers.clear()
