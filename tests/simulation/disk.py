"""A model of a worker's disk: what a store has written outlives its process, if nothing happens to the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from state.memory import MemoryStore
from tests.simulation.scheduler import Killed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from state.store import Entry, Store
    from tests.simulation.faults import Faults
    from tests.simulation.scheduler import Process

    Write = tuple[list[tuple[bytes, bytes | None]], int, list[Entry]]


class DiskRefused(OSError):
    """The disk gives or takes nothing; nothing on it is damaged."""


class Kept(MemoryStore):
    """A store in a directory: one process has it open at a time, and its writes are kept in order."""

    def __init__(self, writes: Iterable[Write] = ()) -> None:
        super().__init__()
        self.process: Process | None = None
        self.faults: Faults | None = None
        self.disk: ModelDisk | None = None
        self.writes: list[Write] = []
        for records, position, passed in writes:
            self.write(records, position, passed)

    def write(self, records: Iterable[tuple[bytes, bytes | None]], position: int, passed: Iterable[Entry] = ()) -> None:
        process, faults = self.process, self.faults
        if process is not None and faults is not None:
            if not process.is_alive:
                raise Killed
            faults.before("write", process)
            if self.disk is not None:
                self.disk.check("write")
        written = list(records), position, list(passed)
        self.writes.append(written)
        super().write(*written)
        if process is not None and faults is not None:
            faults.after("write", process)

    def close(self) -> None:
        if self.process is None or not self.process.is_alive:
            raise Killed
        self.process = None


class ModelDisk:
    """The disk of one worker's slot."""

    def __init__(self, faults: Faults) -> None:
        self.stores: dict[Path, Kept] = {}
        self.process: Process | None = None
        """Of the worker that runs in the slot."""
        self.refused: Mapping[str, int] = {}
        """Calls that it refuses, with the errors."""
        self._faults = faults

    def check(self, call: str) -> None:
        """Raise DiskRefused if the disk refuses such calls now."""
        if call in self.refused:
            raise DiskRefused(self.refused[call], "the disk refuses")

    def open(self, path: Path) -> Store:
        process = self.process
        if process is None or not process.is_alive:
            raise Killed
        self._faults.before("open", process)
        self.check("open")
        store = self.stores.setdefault(path, Kept())
        if store.process is process:
            raise RuntimeError(f"{path} is open already")
        store.process, store.faults, store.disk = process, self._faults, self
        return store

    def age_ms(self, path: Path) -> int:  # noqa: ARG002 - none is old here
        return 0

    def destroy(self, path: Path) -> None:
        del self.stores[path]

    def set_aside(self, path: Path, why: str) -> Path:
        if why == "unreadable":
            raise NotImplementedError(f"nothing is damaged here: {path}")
        aside = path.with_name(f"{path.name}.{why}-{len(self.stores)}")
        self.stores[aside] = self.stores.pop(path)
        return aside

    def wipe(self) -> None:
        self.stores.clear()

    def forget(self, writes: int) -> None:
        """Lose the newest writes, as a machine does whose power fails."""
        self.stores = {path: Kept(store.writes[:-writes]) for path, store in self.stores.items()}
