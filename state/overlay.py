"""The uncommitted view of a partition's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from state.cache import Cache
from state.codec import DUE_MS_MAX, due_of
from state.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from state.codec import Codec
    from state.store import Store

T = TypeVar("T")


class Overlay(Generic[T]):
    """Decoded frozen values over a store; what is put is seen at once, and kept only if it is committed.

    Not thread-safe: the caller orders `freeze`, `committed` and `drop` after the work on it.
    """

    def __init__(self, store: Store, codec: Codec[T]) -> None:
        self.store = store
        self.cache = Cache[T]()
        """Committed values, decoded."""
        self._codec = codec
        self._dirty: dict[bytes, T | None] = {}
        self._dirty_due: dict[bytes, int] = {}
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
        self._dirty[key] = value
        dues = self._dirty_due
        if dues.get(key) != due_ms:
            dues[key] = due_ms
            if due_ms:
                self._timers.add(due_ms, key)

    def delete(self, key: bytes) -> None:
        self._dirty[key] = None
        self._dirty_due[key] = 0

    def due(self, until_ms: int, limit: int) -> list[tuple[int, bytes]]:
        """Return the first `limit` timers (due_ms, key) due by `until_ms`, in that order.

        A timer stays due until its value is put with another due time, or deleted.
        """
        self._read.clear()
        return self._timers.due(until_ms, limit, self._is_valid)

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
