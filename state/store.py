"""What a partition's committed state can do; the adapters are `state.rocksdb` and `state.memory`."""

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
    """A state directory that this program cannot read: damaged, or written by a newer one.

    Set it aside and restore from the changelog.
    """


class Store(Protocol):
    """Committed state of one partition: framed values (`state.codec`) by key, and their timers in order."""

    @property
    def position(self) -> int:
        """Changelog offset after the last record applied; -1 while there is none."""
        ...

    def get(self, key: bytes) -> bytes | None: ...

    def due(self, until_ms: int = DUE_MS_MAX, after: Entry = BEFORE_ALL) -> Iterator[Entry]:
        """Index entries later than `after` and not later than `until_ms`, in order.

        An entry is valid only if the record under its key still has exactly that due time. Others are
        left behind by records that moved on; the caller skips them and passes them to `write`.
        """
        ...

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Records whose keys begin with `prefix`, in the keys' order."""
        ...

    def write(self, records: Iterable[tuple[bytes, bytes | None]], position: int, passed: Iterable[Entry] = ()) -> None:
        """Apply records (None deletes), their timers and the position, all or nothing.

        `passed` are index entries that are no longer valid; they go first, so an entry that one of the
        records has anew stays.
        """
        ...

    def close(self) -> None: ...
