"""The local disk, where a worker keeps the state of its partitions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from state.rocksdb import RocksDBStore, destroy, set_aside

if TYPE_CHECKING:
    from pathlib import Path

    from state.store import Store


class Disk(Protocol):
    """The disk, with stores by the path of their directory."""

    def open(self, path: Path) -> Store:
        """Open a store, or create it; StateUnreadable if it is damaged."""
        ...

    def age_ms(self, path: Path) -> int:
        """Return the time since anything in it was last written."""
        ...

    def destroy(self, path: Path) -> None:
        """Remove a closed store."""
        ...

    def set_aside(self, path: Path, why: str) -> Path:
        """Rename a store, for the reason `why` in one word; return the new path."""
        ...


class LocalDisk:
    """The local disk with RocksDB's directories."""

    def open(self, path: Path) -> Store:
        return RocksDBStore(path)

    def age_ms(self, path: Path) -> int:
        files = path.iterdir() if path.is_dir() else ()
        written_ms = max((int(file.stat().st_mtime * 1_000) for file in files), default=0)
        return int(time.time() * 1_000) - written_ms

    def destroy(self, path: Path) -> None:
        destroy(path)

    def set_aside(self, path: Path, why: str) -> Path:
        return set_aside(path, why)
