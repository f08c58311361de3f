"""Door, fold and insights in one process, each step measured; what is stored is kept in memory."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from schemas.journal import PartitionProgress, Progress
from schemas.wire import SINGLE_OBJECT
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.collect.collector import Collected, collect
from streams.collect.refused import RefusedRecord
from streams.engine.batch import Batch
from streams.fold.partition_state import JournalCodec
from streams.fold.record import journal_headers
from streams.insights import clusters  # noqa: F401 - insights import it with the first rows: once in a process
from streams.insights.state import InsightCodec
from streams.kafka.partitioner import partition_of_key
from streams.processors.insighting import Insighting
from streams.processors.profiling import Profiling
from streams.settings import parse_domain
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import InsightSnapshot, Observer, known_labels
from streams.topics import Topics
from tests.support.kept import Kept
from tests.support.memory_worker import configured

if TYPE_CHECKING:
    from streams.engine.batch import Output

TOPICS = Topics("adversary")
PARTITIONS = 2
COMMIT_EVERY = 50


@dataclass(slots=True)
class Most:
    """The most that was seen of each measure, and where."""

    values: dict[str, int] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)

    def note(self, measure: str, value: int, where: str) -> None:
        """Keep the value if it is the largest so far."""
        if value > self.values.get(measure, -1):
            self.values[measure], self.where[measure] = value, where


@dataclass(slots=True)
class Cost:
    """What one record sent by a producer has cost until nothing of it was left to fold."""

    cpu_ns: int = 0
    """The longest single step."""
    output_bytes: int = 0
    """The most that one step sent."""
    records: int = 0
    """The most records that one step sent."""
    refused: bool = False


class Pipeline:
    """Touchpoints in, with the time of the brokers moved by the caller."""

    def __init__(self, most: Most, **domain: Any) -> None:
        chosen = {"journal_partitions": PARTITIONS, "touchpoint_partitions": 1, "consent_default": "granted", **domain}
        first = configured(**chosen)
        self.settings = parse_domain(SINGLE_OBJECT.decode(first).settings)
        self.most = most
        self.letters: dict[str, int] = {}
        observer = Observer(Metrics(), known_labels(self.settings, flows=(), reasons={}))
        self._profiling = Profiling(TOPICS, SINGLE_OBJECT, observer, PARTITIONS)
        self._insighting = Insighting(TOPICS, SINGLE_OBJECT, observer, PARTITIONS, lambda _: InsightSnapshot())
        self._overlays: list[Overlay[Any]] = [Overlay(MemoryStore(), JournalCodec()) for _ in range(PARTITIONS)]
        self._insights: Overlay[Any] = Overlay(MemoryStore(), InsightCodec())
        for partition, overlay in enumerate(self._overlays):
            self._profiling.assigned(partition, overlay)
        self._waiting: list[list[Kept]] = [[] for _ in range(PARTITIONS)]
        self._facts: list[Kept] = []
        self._offset = 0
        self._since_commit = 0
        self._cost = Cost()
        self._name = ""
        for partition in range(PARTITIONS):
            self._append(partition, None, first)
        self._facts.append(Kept(None, first))
        self._drain()

    def send(self, name: str, value: bytes, appended_ms: int) -> Cost:
        """Send one record to `touchpoints`, and fold it and all that follows from it; `name` is for the report."""
        self._cost, self._name = Cost(), name
        begun_ns = time.thread_time_ns()
        try:
            collected = collect(value, appended_ms, SINGLE_OBJECT, self.settings)
        except RefusedRecord as refused:
            self._note_step("collect", begun_ns, ())
            self._cost.refused = True
            self.letters[refused.reason] = self.letters.get(refused.reason, 0) + 1
            return self._cost
        self._note_step("collect", begun_ns, ())
        if isinstance(collected, Collected):
            partition = partition_of_key(collected.key, PARTITIONS)
            self._append(partition, collected.key, collected.value, journal_headers(collected.received_ms))
            self._drain()
        self._since_commit += 1
        if self._since_commit >= COMMIT_EVERY:
            self.commit()
        return self._cost

    def pass_time(self, until_ms: int) -> None:
        """Let time come to until_ms in both partitions, and fold what that wakes."""
        self._cost, self._name = Cost(), "time"
        told = SINGLE_OBJECT.encode(Progress((PartitionProgress(0, until_ms),)))
        for partition in range(PARTITIONS):
            self._append(partition, None, told)
        self._drain()
        self.commit()

    def commit(self) -> None:
        """End a cycle: facts go to insights, and the state is stored."""
        begun_ns = time.thread_time_ns()
        outputs = list(self._profiling.conclude(range(PARTITIONS)))
        self._note_step("conclude", begun_ns, outputs)
        self._take(outputs)
        self._store("profile", self._overlays)
        self._profiling.committed()
        facts, self._facts = self._facts, []
        for message in facts:
            self._insight(message)
        self._store("insights state", [self._insights])
        self._insighting.committed()
        self._since_commit = 0
        self._drain()

    def _insight(self, message: Kept) -> None:
        batch = Batch(TOPICS.facts, 0, cast("Any", [message]), message.kept_offset + 1)
        batch.overlay = self._insights
        begun_ns = time.thread_time_ns()
        outputs = list(self._insighting.process(batch))
        self._note_step("insights", begun_ns, outputs)
        self._take(outputs)

    def _store(self, kind: str, overlays: list[Overlay[Any]]) -> None:
        for overlay in overlays:
            frozen = overlay.freeze()
            for key, value in frozen:
                self.most.note(f"{kind} bytes", len(value or b""), f"{self._name} {key[:40]!r}")
            overlay.committed(overlay.store.position + len(frozen))

    def _drain(self) -> None:
        while any(self._waiting):
            for partition, waiting in enumerate(self._waiting):
                self._waiting[partition] = []
                for message in waiting:
                    self._fold(partition, message)

    def _fold(self, partition: int, message: Kept) -> None:
        batch = Batch(TOPICS.journal, partition, cast("Any", [message]), message.kept_offset + 1)
        batch.overlay = self._overlays[partition]
        begun_ns = time.thread_time_ns()
        outputs = list(self._profiling.process(batch))
        self._note_step("profiles", begun_ns, outputs)
        self._take(outputs)

    def _note_step(self, stage: str, begun_ns: int, outputs: list[Output] | tuple[()]) -> None:
        spent_ns = time.thread_time_ns() - begun_ns
        sizes = [len(output.key or b"") + len(output.value or b"") for output in outputs]
        for output, size in zip(outputs, sizes, strict=True):
            self.most.note(f"{output.topic.removeprefix('adversary.')} record bytes", size, self._name)
        self.most.note(f"{stage} step ns", spent_ns, self._name)
        self.most.note(f"{stage} step records", len(sizes), self._name)
        self.most.note(f"{stage} step bytes", sum(sizes), self._name)
        cost = self._cost
        cost.cpu_ns = max(cost.cpu_ns, spent_ns)
        cost.records = max(cost.records, len(sizes))
        cost.output_bytes = max(cost.output_bytes, sum(sizes))

    def _take(self, outputs: list[Output]) -> None:
        for output in outputs:
            if output.topic == TOPICS.journal:
                self._append(output.partition, output.key, output.value, tuple(output.headers or ()))
            elif output.topic == TOPICS.facts:
                self._offset += 1
                self._facts.append(Kept(output.key, output.value, tuple(output.headers or ()), self._offset))
            elif output.topic == TOPICS.dead_letters:
                reason = SINGLE_OBJECT.decode(output.value or b"").reason
                self.letters[reason] = self.letters.get(reason, 0) + 1

    def _append(
        self, partition: int, key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        self._offset += 1
        self._waiting[partition].append(Kept(key, value, headers, self._offset, partition))
