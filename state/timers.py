"""The nearest timers of a partition, kept in memory over a store's index and what is not committed yet."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import islice
from typing import TYPE_CHECKING

from state.codec import DUE_MS_MAX
from state.store import BEFORE_ALL, Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from state.store import Store

_NEVER_MS = DUE_MS_MAX + 1


class Timers:
    """Index entries in order, of the store and of the running transaction, without repeats.

    The store's index is read forwards in chunks, each entry about once. `_near` holds all of its entries up to
    `_horizon`, and beyond that none is due before `_beyond_ms`. So asking while nothing is due costs a comparison, and
    deleted entries in front are not walked over again. What a transaction adds waits in `_fresh` until it is committed.
    What it passes is remembered, to come back if the transaction is dropped.
    """

    def __init__(self, store: Store, chunk: int = 1_024) -> None:
        self._store = store
        self._chunk = chunk
        self._near: list[Entry] = []
        self._fresh: list[Entry] = []
        self._passed: list[Entry] = []
        self._passed_before = 0
        """How many were passed before the savepoint."""
        self._horizon: Entry = BEFORE_ALL
        self._beyond_ms = 0

    def add(self, due_ms: int, key: bytes) -> None:
        """Note a timer of the running transaction."""
        heappush(self._fresh, (due_ms, key))

    def due(self, until_ms: int, limit: int, is_valid: Callable[[int, bytes], bool]) -> list[Entry]:
        """Return at most `limit` valid entries up to `until_ms`, in order; they stay until they are invalid."""
        near, fresh = self._near, self._fresh
        valid_near: list[Entry] = []
        valid_fresh: list[Entry] = []
        found: list[Entry] = []
        try:
            while len(found) < limit:
                if not near and self._beyond_ms <= (min(until_ms, fresh[0][0]) if fresh else until_ms):
                    self._load()
                from_near = bool(near) and (not fresh or near[0] <= fresh[0])
                source = near if from_near else fresh
                if not source or source[0][0] > until_ms:
                    break
                entry = source[0]
                # the store may raise, so that an entry leaves only after it was looked at
                is_repeat = bool(found) and found[-1] == entry
                stays = not is_repeat and is_valid(*entry)
                heappop(source)
                if stays:
                    found.append(entry)
                    (valid_near if from_near else valid_fresh).append(entry)
                elif from_near and not is_repeat:
                    self._passed.append(entry)
        finally:
            for entry in valid_near:
                heappush(near, entry)
            for entry in valid_fresh:
                heappush(fresh, entry)
        return found

    def _load(self) -> None:
        chunk = list(islice(self._store.due(after=self._horizon), self._chunk))
        self._beyond_ms = chunk[-1][0] if len(chunk) == self._chunk else _NEVER_MS
        if chunk:
            self._horizon = chunk[-1]
            self._near.extend(chunk)
            heapify(self._near)

    def savepoint(self) -> None:
        """Begin what may be rolled back."""
        self._passed_before = len(self._passed)

    def roll_back(self) -> None:
        """Bring back the store's entries that were passed since the savepoint: they may be valid again."""
        # entries that were added stay: they are invalid, and passed by when their time comes
        for entry in self._passed[self._passed_before :]:
            heappush(self._near, entry)
        del self._passed[self._passed_before :]

    @property
    def passed(self) -> list[Entry]:
        """Entries of the store that were invalid since the last commit; the next one removes them."""
        return self._passed

    def committed(self, entries: Iterable[Entry]) -> None:
        """Adopt `entries`, the timers of what was just written to the store."""
        for entry in entries:
            if entry <= self._horizon:
                heappush(self._near, entry)
            elif entry[0] < self._beyond_ms:
                self._beyond_ms = entry[0]
        self._fresh.clear()
        self._passed, self._passed_before = [], 0
        if len(self._near) > 4 * self._chunk:
            self._narrow()

    def _narrow(self) -> None:
        # timers that are set again and again pile up before the horizon: move it nearer, the store has the rest
        entries = sorted(set(self._near))
        if len(entries) > self._chunk:
            self._horizon = entries[self._chunk - 1]
            self._beyond_ms = min(self._beyond_ms, entries[self._chunk][0])
        self._near = entries[: self._chunk]

    def dropped(self) -> None:
        """Forget the running transaction: entries that it passed may be valid again."""
        self._fresh.clear()
        self._near.extend(self._passed)
        heapify(self._near)
        self._passed, self._passed_before = [], 0
