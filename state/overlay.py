"""The uncommitted view of a partition's state."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from state.cache import Cache
from state.codec import DUE_MS_MAX, due_of
from state.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from state.codec import Codec
    from state.store import Entry, Store

T = TypeVar("T")

_ABSENT: Final[Any] = object()
"""No uncommitted value; None is one, of a deleted key."""


class Overlay(Generic[T]):
    """Decoded frozen values over a store; what is put is seen at once, and kept only if it is committed.

    A savepoint is the beginning of work that may be undone alone, such as one record. It costs as much as what is
    changed after it, and nothing is copied.

    Not thread-safe: the caller orders `freeze`, `committed` and `drop` after the work on it.
    """

    def __init__(self, store: Store, codec: Codec[T]) -> None:
        self.store = store
        self.cache = Cache[T]()
        """Committed values, decoded."""
        self._codec = codec
        self._dirty: dict[bytes, T | None] = {}
        self._dirty_due: dict[bytes, int] = {}
        self._undo: list[tuple[bytes, Any, int | None]] = []
        """What each change since the savepoint replaced: key, value, due time."""
        self._frozen: list[tuple[bytes, bytes | None]] = []
        self._read: dict[bytes, bytes] = {}
        """Values that `due` has looked at: the caller gets those that are due next."""
        self._timers = Timers(store)

    def get(self, key: bytes) -> T | None:
        if key in self._dirty:
            return self._dirty[key]
        value = self.cache.get(key)
        if value is None:
            framed = self._read.pop(key, None) or self.store.get(key)
            if framed is None:
                return None
            value = self._codec.decode(key, framed)
            self.cache.put(key, value, len(framed))
        return value

    def put(self, key: bytes, value: T, due_ms: int) -> None:
        """Replace the value; `due_ms` is when its first timer is due, 0 if it has none."""
        dirty, dues = self._dirty, self._dirty_due
        before_ms = dues.get(key)
        self._undo.append((key, dirty.get(key, _ABSENT), before_ms))
        dirty[key] = value
        if before_ms != due_ms:
            dues[key] = due_ms
            if due_ms:
                self._timers.add(due_ms, key)

    def delete(self, key: bytes) -> None:
        self._undo.append((key, self._dirty.get(key, _ABSENT), self._dirty_due.get(key)))
        self._dirty[key] = None
        self._dirty_due[key] = 0

    def savepoint(self) -> None:
        """Keep what was changed until now, whatever is rolled back later."""
        self._undo.clear()
        self._timers.savepoint()

    def changes(self) -> int:
        """Return how many changes there were since the savepoint: a place for `roll_back`."""
        return len(self._undo)

    def roll_back(self, to: int = 0) -> None:
        """Undo the changes since the savepoint but for the first `to`."""
        undo, dirty, dues = self._undo, self._dirty, self._dirty_due
        while len(undo) > to:
            key, value, due_ms = undo.pop()
            if value is _ABSENT:
                del dirty[key]
            else:
                dirty[key] = value
            if due_ms is None:
                dues.pop(key, None)
                continue
            dues[key] = due_ms
            if due_ms:
                # its entry may have been passed by since
                self._timers.add(due_ms, key)
        self._timers.roll_back()

    def due(self, until_ms: int, limit: int) -> list[tuple[int, bytes]]:
        """Return the first `limit` timers (due_ms, key) due by `until_ms`, in that order.

        A timer stays due until its value is put with another due time, or deleted.
        """
        self._read.clear()
        return self._timers.due(until_ms, limit, self._is_valid)

    def later(self, after: Entry, limit: int) -> list[Entry]:
        """Return the first `limit` timers behind an entry, in order; slower than `due`, which begins at the first."""
        held = (entry for entry in self.store.due(after=after) if self._is_valid(*entry))
        fresh = [(due_ms, key) for key, due_ms in self._dirty_due.items() if due_ms and (due_ms, key) > after]
        return sorted({*islice(held, limit), *fresh})[:limit]

    def first_due_ms(self) -> int | None:
        first = self.due(DUE_MS_MAX, 1)
        return first[0][0] if first else None

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, T]]:
        """Yield the values whose keys begin with `prefix`, in the keys' order, as they are at the call."""
        dirty = {key: value for key, value in self._dirty.items() if key.startswith(prefix)}
        keys = sorted({key for key, _ in self.store.items(prefix)} | dirty.keys())
        for key in keys:
            value = dirty[key] if key in dirty else self.get(key)
            if value is not None:
                yield key, value

    @property
    def is_changed(self) -> bool:
        return bool(self._dirty)

    def freeze(self) -> list[tuple[bytes, bytes | None]]:
        """Encode the last state of each changed key, for the changelog and `committed`.

        Nothing may be put between `freeze` and `committed` or `drop`.
        """
        encode, dues = self._codec.encode, self._dirty_due
        self._frozen = []
        for key, value in self._dirty.items():
            framed = None if value is None else encode(key, value)
            if framed is not None and due_of(framed) != dues[key]:
                raise ValueError(
                    f"the value of {key!r} is framed with due_ms {due_of(framed)}, but was put with {dues[key]}"
                )
            self._frozen.append((key, framed))
        return self._frozen

    def committed(self, position: int) -> None:
        """Write what was frozen to the store; `position` is the changelog offset after the last of it."""
        if self._frozen or self._timers.passed:
            self.store.write(self._frozen, position, self._timers.passed)
        self._timers.committed((due_ms, key) for key, due_ms in self._dirty_due.items() if due_ms)
        for key, framed in self._frozen:
            value = self._dirty[key]
            if value is None or framed is None:
                self.cache.pop(key)
            else:
                self.cache.put(key, value, len(framed))
        self._forget_changes()

    def drop(self) -> None:
        """Forget what is not committed."""
        self._timers.dropped()
        self._forget_changes()

    def _forget_changes(self) -> None:
        self._dirty.clear()
        self._dirty_due.clear()
        self._undo.clear()
        self._read.clear()
        self._frozen = []

    def _is_valid(self, due_ms: int, key: bytes) -> bool:
        expected = self._dirty_due.get(key)
        if expected is None:
            framed = self.store.get(key)
            if framed is None:
                return False
            expected = due_of(framed)
            if expected == due_ms:
                self._read[key] = framed
        return expected == due_ms
