"""An import into a worker in memory."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from schemas.wire import SINGLE_OBJECT
from streams.operations import import_history as module
from tests.support.memory_worker import TOPICS, MemoryWorker, configured
from tests.support.opened import OpenedPrefix
from tests.support.world import START_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

PART = 10


class Stopped(Exception):
    """As a kill, or a broker that is gone."""


class APrefix(OpenedPrefix):
    """A prefix with workers, or without."""

    def __init__(self, worker: MemoryWorker, *, rules: int = 4, workers: int = 1) -> None:
        super().__init__(worker)
        self.rules = rules
        self._workers = workers

    def folded_to(self) -> tuple[int, ...]:
        return tuple(len(journal) for journal in self.worker.journal)

    def members(self) -> int:
        return self._workers


class APublisher:
    """Commits to the worker's journal; it stops before or after the commit of a transaction as `stops` says."""

    def __init__(self, worker: MemoryWorker, letters: list[bytes], stops: Iterator[str]) -> None:
        self._worker, self._letters, self._stops = worker, letters, stops
        self._sent: list[tuple[Any, ...]] = []

    def renew(self) -> bool:
        return False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._sent, stop = [], next(self._stops, "")
        yield
        if stop == "before":
            raise Stopped
        for topic, partition, key, value, headers in self._sent:
            if topic == TOPICS.journal:
                self._worker.write(partition, key, value, headers)
            else:
                assert (topic, partition) == (TOPICS.dead_letters, 0)
                self._letters.append(value)
        self._worker.commit()
        if stop == "after":
            raise Stopped

    def send(self, *record: Any) -> None:
        topic, partition, key, value, *headers = record
        self._sent.append((topic, partition, key, value, headers[0] if headers else ()))


class NoPace:
    """The worker folds at once."""

    def __init__(self, *_: object) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def wait(self, meanwhile: Any) -> None:
        meanwhile()


class Shop:
    """A prefix in memory, and what was written into it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        settings = {"clock": "wall", "touchpoint_partitions": 1, "journal_partitions": 3}
        self.worker = MemoryWorker(configured(**settings))
        self.worker.pass_time(START_MS)
        self.letters: list[bytes] = []
        self.stops: Iterator[str] = iter(())
        patch.setattr(module, "Publisher", lambda *_: APublisher(self.worker, self.letters, self.stops))
        patch.setattr(module, "Pace", NoPace)
        patch.setattr(module, "OUTCOMES_A_PART", PART)
        patch.setattr(module, "LANDED_A_PART", PART)

    def records(self, kind: type) -> list[tuple[bytes | None, Any]]:
        """Keys and records of one type in the journal, partition after partition."""
        found = []
        for journal in self.worker.journal:
            for each in journal:
                record = SINGLE_OBJECT.decode(each.value() or b"")
                if isinstance(record, kind):
                    found.append((each.key(), record))
        return found
