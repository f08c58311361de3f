"""The store of a partition's committed state; its adapters are `state.rocksdb` and `state.memory`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from state.codec import DUE_MS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Entry = tuple[int, bytes]
"""An entry of the timer index: (due_ms, key)."""

NO_POSITION = -1
BEFORE_ALL: Entry = (0, b"")
"""Lower than any entry: a due time of 0 means that there is no timer."""


class StateUnreadable(Exception):
    """A state directory is damaged, or written by a newer program, so that this one cannot read it.

    Set it aside and restore from the changelog.
    """


class Store(Protocol):
    """Committed state of one partition: framed values (`state.codec`) by key, and their timers in order."""

    @property
    def position(self) -> int:
        """Changelog offset after the last record applied; -1 while there is none."""
        ...

    @property
    def origin(self) -> str:
        """Return what `keep_origin` was given last; empty before."""
        ...

    def keep_origin(self, origin: str) -> None:
        """Keep a text that says to which topics the state belongs."""
        ...

    def get(self, key: bytes) -> bytes | None: ...

    def due(self, until_ms: int = DUE_MS_MAX, after: Entry = BEFORE_ALL) -> Iterator[Entry]:
        """Yield the index entries later than `after` and not later than `until_ms`, in order.

        An entry is valid only if the record under its key still has exactly that due time. Others are left over from
        records that have another one now: the caller skips them and passes them to `write`.
        """
        ...

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the records whose keys begin with `prefix`, in the keys' order."""
        ...

    def write(self, records: Iterable[tuple[bytes, bytes | None]], position: int, passed: Iterable[Entry] = ()) -> None:
        """Apply records (None deletes), their timers and the position, all or nothing.

        `passed` are index entries that are no longer valid. They are deleted first, so an entry that one of the records
        sets again stays.
        """
        ...

    def close(self) -> None: ...
