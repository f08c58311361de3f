"""The prefix of a worker in memory, as commands open one on Kafka."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from schemas.journal import RULES
from schemas.wire import SINGLE_OBJECT
from streams.worker_settings import WorkerSettings
from tests.support.commands import run
from tests.support.kept import Kept
from tests.support.memory_worker import TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest
    from click.testing import Result

    from tests.support.memory_worker import MemoryWorker


class OpenedPrefix:
    """What commands ask of a prefix."""

    wire = SINGLE_OBJECT
    rules = RULES
    settings = WorkerSettings(prefix="memory")

    def __init__(self, worker: MemoryWorker) -> None:
        self.worker = worker
        self.domain = worker.settings

    def read(self, topic: str, partition: int, start: int = 0) -> Iterator[Any]:
        """Records of one partition; of the changelog those that compaction leaves."""
        if topic == "profiles_changelog":
            stored = self.worker.stored(partition).items()
            return iter([Kept(key, value, (), at) for at, (key, value) in enumerate(stored)][start:])
        if topic == "journal":
            return iter(self.worker.journal[partition][start:])
        name = getattr(TOPICS, topic)
        sent = [each for each in self.worker.outputs if (each.topic, each.partition) == (name, partition)]
        return iter([Kept(each.key, each.value, (), at) for at, each in enumerate(sent)][start:])


class MemoryPublisher:
    """What commands that write ask of a publisher; records of a transaction come at its end, or not at all."""

    def __init__(self, worker: MemoryWorker) -> None:
        self._worker = worker
        self._sent: list[tuple[int, bytes | None, bytes | None]] = []

    def renew(self) -> bool:
        return False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._sent = []
        yield
        for record in self._sent:
            self._worker.write(*record)
        self._worker.commit()

    def send(self, topic: str, partition: int, key: bytes | None, value: bytes | None) -> None:
        assert topic == TOPICS.journal
        self._sent.append((partition, key, value))


def asked(monkeypatch: pytest.MonkeyPatch, worker: MemoryWorker, *arguments: str) -> Result:
    """One command, which finds the worker's prefix where it would find one on Kafka."""
    opened = OpenedPrefix(worker)
    monkeypatch.setattr("streams.cli.shared.ready_settings", lambda *_: opened.settings)
    monkeypatch.setattr("streams.cli.shared.registry_errors", lambda *_: ())
    monkeypatch.setattr("streams.operations.prefix.open_prefix", lambda *_: opened)
    monkeypatch.setattr("streams.operations.suppression.Publisher", lambda *_: MemoryPublisher(worker))
    return run(*arguments)
