"""The program that callgrind runs: folds a workload in memory and has the last part of it counted, phase by phase.

    python -m tests.bench.cost.layout LAYOUT WORKLOAD COUNTER

The counted touchpoints are folded twice. First in pieces, each through the function that does the phase; that is
dropped, as the engine drops a cycle that it aborts. Then as a worker does it, by the processor and a commit.
"""

from __future__ import annotations

import ctypes
import gc
from contextlib import contextmanager
from itertools import repeat
from typing import TYPE_CHECKING, Any, cast

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME

from schemas.wire import SINGLE_OBJECT
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.engine.batch import Batch, Output
from streams.engine.garbage import collect_rarely
from streams.fold.partition_state import JournalCodec
from streams.kafka.journal import read_record
from streams.processors.profiling import Profiling, Tally
from streams.settings import parse_domain
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import Observer, known_labels
from streams.topics import Topics
from tests.bench.cost.workload import PARTITIONS, WARM_UP, read_workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from streams.fold.fold import Fold
    from tests.bench.cost.workload import JournalRecord, Workload

BETWEEN = "between"
"""What is counted under this name is no part of any phase."""
_TOPICS = Topics("cost")


_APPENDED = (TIMESTAMP_LOG_APPEND_TIME, 4_102_444_800_000)
"""In 2100: no record is ahead of it."""


class Message:
    """A Kafka message that answers from C, as the client's own do: those cannot be made here."""

    __slots__ = ("headers", "key", "offset", "partition", "timestamp", "value")

    def __init__(self, partition: int, offset: int, key: bytes | None, value: bytes, headers: list[Any]) -> None:
        self.partition = repeat(partition).__next__
        self.offset = repeat(offset).__next__
        self.key = repeat(key).__next__
        self.value = repeat(value).__next__
        self.headers = repeat(headers).__next__
        self.timestamp = repeat(_APPENDED).__next__


class Counter:
    """Names what callgrind counts."""

    def __init__(self, library: Path) -> None:
        loaded = ctypes.CDLL(str(library))
        self.start: Callable[[], None] = loaded.start_counting
        self.stop: Callable[[], None] = loaded.stop_counting
        self._note = loaded.note

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """What runs inside counts as this phase; outside of `start` and `stop` that is nothing."""
        self._note(BETWEEN.encode())
        yield
        self._note(name.encode())


class Partitions:
    """A worker's journal partitions over stores in memory."""

    def __init__(self, workload: Workload, counter: Counter) -> None:
        domain = parse_domain(workload.settings)
        flows = tuple(str(flow["id"]) for flow in domain.flows)
        observer = Observer(Metrics(), known_labels(domain, flows=flows, reasons={}))
        self.profiling = Profiling(_TOPICS, SINGLE_OBJECT, observer, PARTITIONS)
        self.overlays: list[Overlay[Any]] = [Overlay(MemoryStore(), JournalCodec()) for _ in range(PARTITIONS)]
        self._counter = counter
        for partition, overlay in enumerate(self.overlays):
            self.profiling.assigned(partition, overlay)
        self.process([[Message(number, 0, None, workload.configured, [])] for number in range(PARTITIONS)])
        self.commit()

    def process(self, messages: list[list[Message]]) -> None:
        """Folds what each partition has."""
        for number, own in enumerate(messages):
            self.profiling.process(Batch(_TOPICS.journal, number, cast("Any", own), 1))

    def commit(self) -> None:
        """In the engine's order, but without a producer: facts, the changelog, the stores, metrics."""
        phase, changelog = self._counter.phase, _TOPICS.profiles_changelog
        with phase("facts"):
            list(self.profiling.conclude(range(PARTITIONS)))
        with phase("profiles"):
            for number, overlay in enumerate(self.overlays):
                for key, value in overlay.freeze():
                    Output(changelog, number, key, value)
        with phase("store"):
            for overlay in self.overlays:
                overlay.committed(overlay.store.position + 1)
        with phase("metrics"):
            self.profiling.committed()

    def drop(self) -> None:
        """Undoes what was folded since the last commit."""
        for overlay in self.overlays:
            overlay.drop()
        self.profiling.dropped()


def _by_partition(records: Iterable[JournalRecord]) -> list[list[Message]]:
    messages: list[list[Message]] = [[] for _ in range(PARTITIONS)]
    for each in records:
        messages[each.partition].append(Message(each.partition, each.offset, each.key, each.value, each.headers))
    return messages


def _fold_in_pieces(folds: dict[int, Fold], messages: list[list[Any]], counter: Counter) -> None:
    wire, encode = SINGLE_OBJECT, SINGLE_OBJECT.encode
    with counter.phase("decode"):
        records = [[read_record(message, wire) for message in own] for own in messages]
    with counter.phase("fold"):
        effects = [[folds[number](record) for record in own] for number, own in enumerate(records)]
    with counter.phase("tally"):
        for own in effects:
            tally = Tally()
            for each in own:
                tally.add(each)
            tally.count()
    with counter.phase("encode"):
        for own in effects:
            for each in own:
                for _, output in each.outputs:
                    if output is not None:
                        encode(output)


def fold_counted(workload_file: Path, counter_library: Path) -> None:
    """Folds the workload; what is to be counted, under callgrind, is."""
    workload, counter = read_workload(workload_file), Counter(counter_library)
    partitions = Partitions(workload, counter)
    partitions.process(_by_partition(workload.records[:WARM_UP]))
    partitions.commit()
    counted = _by_partition(workload.records[WARM_UP:])
    # a collection of garbage that moves from one phase to another would look like a change of the code
    collect_rarely()
    gc.disable()
    counter.start()
    _fold_in_pieces(partitions.profiling.folds, counted, counter)
    partitions.drop()
    with counter.phase("process"):
        partitions.process(counted)
    partitions.commit()
    counter.stop()
