"""A worker's journal partitions without Kafka: the processor that runs in a worker, over stores in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from schemas.journal import RULES, Configured, PartitionProgress, Progress
from schemas.wire import SINGLE_OBJECT
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.collect.keys import key_of
from streams.engine.batch import Batch
from streams.engine.hung import note_hung
from streams.fold.partition_state import JournalCodec
from streams.fold.record import journal_headers
from streams.kafka.partitioner import partition_of_key
from streams.offline.refold import COMPARED
from streams.processors.profiling import Profiling
from streams.settings import DomainSettings, parse_domain
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import Observer, known_labels
from streams.topics import Topics
from tests.support.kept import Kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    import msgspec

    from schemas.touchpoint import Touchpoint
    from streams.engine.batch import Output
    from streams.engine.hung import Hung
    from streams.fold.partition_state import Knowledge

TOPICS = Topics("memory")


class MemoryWorker:
    """Touchpoints in, time moved, records out; what the processor sends to the journal is folded too."""

    def __init__(self, configured: bytes) -> None:
        self.settings = parse_domain(SINGLE_OBJECT.decode(configured).settings)
        partitions = range(self.settings.journal_partitions)
        observer = Observer(Metrics(), known_labels(self.settings, flows=(), reasons={}))
        self._profiling = Profiling(TOPICS, SINGLE_OBJECT, observer, len(partitions))
        self.overlays: list[Overlay[Any]] = [Overlay(MemoryStore(), JournalCodec()) for _ in partitions]
        for partition, overlay in enumerate(self.overlays):
            self._profiling.assigned(partition, overlay)
        self.journal: list[list[Kept]] = [[] for _ in partitions]
        self.outputs: list[Output] = []
        """To all topics, the journal too, in the order in which they were sent."""
        self.changelog: list[tuple[bytes, bytes | None]] = []
        """Keys and values that were stored: by commit, then by partition, then by key."""
        self.hung: Sequence[Hung] = ()
        """What the worker knows to hang."""
        self._folded = [0 for _ in partitions]
        for partition in partitions:
            self._append(partition, None, configured)
        self.commit()

    def send(self, event: Touchpoint, received_ms: int | None = None) -> None:
        """Writes a touchpoint to the journal as the collector does; `commit` folds it. It comes when it happens."""
        key = key_of(event)
        assert key is not None
        partition = partition_of_key(key, len(self.journal))
        self._append(partition, key, SINGLE_OBJECT.encode(event), journal_headers(received_ms or event.time_ms))

    def append(
        self, key: bytes | None, record: msgspec.Struct | bytes, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        """Writes a record to the only journal partition, as anyone with the grant may do; `commit` folds it."""
        (_,) = self.journal
        self._append(0, key, record if isinstance(record, bytes) else SINGLE_OBJECT.encode(record), headers)

    def write(
        self, partition: int, key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        """Writes a record to a journal partition as a command does; `commit` folds it."""
        self._append(partition, key, value, headers)

    def topics(self) -> dict[str, list[Kept]]:
        """What was sent, by topic, and the only journal partition."""
        (journal,) = self.journal
        topics: dict[str, list[Kept]] = {name: [] for name in (*COMPARED, "facts", "dead_letters")}
        for output in self.outputs:
            name = output.topic.removeprefix("memory.").replace("-", "_")
            if name in topics:
                topics[name].append(Kept(output.key, output.value, (), len(topics[name])))
        return {**topics, "journal": journal}

    def stored(self, partition: int = 0) -> dict[bytes, bytes]:
        """The state of a partition."""
        return dict(self.overlays[partition].store.items())

    def known(self) -> Knowledge:
        """What the only journal partition knows."""
        return self._profiling.folds[0].known()

    def pass_time(self, until_ms: int) -> None:
        """Folds what was sent; then time has come to until_ms in all partitions, and is folded too."""
        self.commit()
        told = tuple(PartitionProgress(number, until_ms) for number in range(self.settings.touchpoint_partitions))
        for partition in range(len(self.journal)):
            self._append(partition, None, SINGLE_OBJECT.encode(Progress(told)))
        self.commit()

    def commit(self) -> None:
        """Folds all that the journal holds, and what that appends to it; then a cycle is over."""
        while any(len(journal) > folded for journal, folded in zip(self.journal, self._folded, strict=True)):
            for partition in range(len(self.journal)):
                self._fold(partition)
        self.outputs += self._profiling.conclude(range(len(self.journal)))
        for overlay in self.overlays:
            frozen = overlay.freeze()
            self.changelog += sorted(frozen)  # each key once
            overlay.committed(overlay.store.position + len(frozen))
        self._profiling.committed()

    def _fold(self, partition: int) -> None:
        messages = self.journal[partition][self._folded[partition] :]
        self._folded[partition] += len(messages)
        batch = Batch(TOPICS.journal, partition, cast("Any", messages), self._folded[partition])
        note_hung(batch, self.hung)
        outputs = self._profiling.process(batch)
        self.outputs += outputs
        for output in outputs:
            if output.topic == TOPICS.journal:
                self._append(output.partition, output.key, output.value, tuple(output.headers or ()))

    def _append(
        self, partition: int, key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        journal = self.journal[partition]
        journal.append(Kept(key, value, headers, len(journal), partition))


def configured(**settings: Any) -> bytes:
    """The record that begins each partition."""
    return SINGLE_OBJECT.encode(Configured(DomainSettings.model_validate(settings).model_dump_json(), 0, RULES))
