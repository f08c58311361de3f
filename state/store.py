"""The interface of a partition's committed state; the adapters are `state.rocksdb` and `state.memory`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from state.codec import DUE_MS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Entry = tuple[int, bytes]
"""An entry of the timer index: due_ms, key."""

NO_POSITION = -1
BEFORE_ALL: Entry = (0, b"")
"""No entry is as low: a due of 0 means that there is no timer."""


class StateUnreadable(Exception):
    """This program cannot read a state directory: it is damaged, or a later release wrote it.

    Set it aside and restore from the changelog.
    """


class Store(Protocol):
    """Committed state of one partition: framed values (`state.codec`) by key, and their timers in order."""

    @property
    def position(self) -> int:
        """Return the changelog offset after the last applied record; -1 while there is none."""
        ...

    def get(self, key: bytes) -> bytes | None: ...

    def due(self, until_ms: int = DUE_MS_MAX, after: Entry = BEFORE_ALL) -> Iterator[Entry]:
        """Yield index entries later than `after` and not later than `until_ms`, in order.

        An entry is valid only if the record of its key still has exactly that due time. Others are leftovers of
        records that changed; the caller skips them and passes them to `write`.
        """
        ...

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield records whose keys begin with `prefix`, in the keys' order."""
        ...

    def write(self, records: Iterable[tuple[bytes, bytes | None]], position: int, passed: Iterable[Entry] = ()) -> None:
        """Apply records (None deletes), their timers and the position, all or nothing.

        `passed` are index entries that are no longer valid. They are removed first, so an entry that a record sets
        again stays.
        """
        ...

    def close(self) -> None: ...
