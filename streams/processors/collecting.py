"""The collect agent's work: it writes touchpoints to the journal, and how far time has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.journal import CollectedTo, PartitionProgress
from schemas.touchpoint import Mark
from schemas.wire import RegistryUnusable
from streams.collect.checks import RefusedRecord
from streams.collect.collector import collect
from streams.engine.batch import Output
from streams.fold.record import journal_headers
from streams.processors.letters import RAISED, dead_letter, raised_detail

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from confluent_kafka import Message

    from schemas.outputs import DeadLetter
    from schemas.wire import Wire
    from state.overlay import Overlay
    from streams.engine.batch import Batch
    from streams.settings import DomainSettings
    from streams.telemetry.observer import Observer
    from streams.topics import Topics

PROGRESS_EVERY_MS = 1_000
MARGIN_MS = 1_000
"""How far a caught-up partition stays behind the clock, as clocks of workers and brokers differ."""


class ReadPosition(NamedTuple):
    """How far a partition has been read: the offset after the processed records, and the end, asked at asked_ms."""

    position: int
    end: int
    asked_ms: int


class Collecting:
    """Processor of `touchpoints`, without state; progress is only what this worker itself has seen."""

    def __init__(
        self,
        topics: Topics,
        settings: DomainSettings,
        wire: Wire,
        reach: Callable[[int], ReadPosition | None],
        observer: Observer,
    ) -> None:
        """Take `reach`, which returns how far an owned partition has been read; None: not known yet."""
        self._topics = topics
        self._settings = settings
        self._wire = wire
        self._reach = reach
        self._observer = observer
        self._owned: set[int] = set()
        self._come: dict[int, int] = {}
        self._announced: dict[int, int] = {}
        self._telling: dict[int, int] = {}
        self._letters: list[DeadLetter] = []
        self._journalled = 0

    def process(self, batch: Batch) -> Iterator[Output]:
        """Yield one output for each record that is not a mark."""
        for message in batch.messages:
            value = message.value()
            appended_ms = message.timestamp()[1]
            try:
                collected = collect(value, appended_ms, self._wire, self._settings)
            except RefusedRecord as refused:
                yield self._letter(refused.reason, refused.detail, message)
                continue
            except RegistryUnusable:
                raise
            except Exception as error:  # noqa: BLE001 - the one place: the record is set aside, and its batch continues
                yield self._letter(RAISED, raised_detail(error), message)
                continue
            if isinstance(collected, Mark):
                self._came(batch.partition, collected.time_ms)
                continue
            self._journalled += 1
            headers = list(journal_headers(collected.received_ms))
            yield Output(self._topics.journal, collected.key, collected.value, headers)
        if batch.messages and self._settings.clock == "wall":
            self._came(batch.partition, batch.messages[-1].timestamp()[1])

    def conclude(self, partitions: Collection[int]) -> Iterable[Output]:
        """Announce how far time has come here to each journal partition, if it has come further."""
        further = {p: at for p, at in self._came_to().items() if p in partitions and at > self._announced.get(p, -1)}
        if not self._is_time(further):
            return []
        self._telling = further
        told = tuple(PartitionProgress(p, at) for p, at in sorted(further.items()))
        value = self._wire.encode(CollectedTo(told))
        return [Output(self._topics.journal, None, value, None, p) for p in range(self._settings.journal_partitions)]

    def wants_cycle(self) -> bool:
        """Return whether, in a wall prefix, progress of an idle partition is to be announced."""
        return self._settings.clock == "wall" and self._is_time(self._came_to())

    def committed(self) -> None:
        """Adopt what was announced, and count it in metrics."""
        if self._telling:
            self._announced |= self._telling
            self._telling = {}
        self._observer.observe_journalled(self._journalled)
        self._observer.observe_committed(self._letters)
        self._letters, self._journalled = [], 0

    def dropped(self) -> None:
        """Forget pending records, which come again; earlier progress is still true."""
        self._telling, self._letters, self._journalled = {}, [], 0
        self._come = dict(self._announced)

    def assigned(self, partition: int, overlay: Overlay[Any] | None) -> None:
        """Begin silently: the previous owner announced its progress with its last commit."""
        self._owned.add(partition)

    def revoked(self, partition: int) -> None:
        """End a partition."""
        self._owned.discard(partition)
        self._come.pop(partition, None)
        self._announced.pop(partition, None)

    def _is_time(self, come: Mapping[int, int]) -> bool:
        """Return whether to announce now: a mark with its commit, wall time at most once a second."""
        least_ms = PROGRESS_EVERY_MS if self._settings.clock == "wall" else 1
        return any(at - self._announced.get(partition, -1) >= least_ms for partition, at in come.items())

    def _came_to(self) -> Mapping[int, int]:
        if self._settings.clock == "wall":
            for partition in self._owned:
                reach = self._reach(partition)
                if reach is not None and reach.position >= reach.end:
                    self._came(partition, reach.asked_ms - MARGIN_MS)
        return self._come

    def _came(self, partition: int, time_ms: int) -> None:
        self._come[partition] = max(self._come.get(partition, -1), time_ms)

    def _letter(self, reason: str, detail: str, message: Message) -> Output:
        letter = dead_letter("collect", reason, detail, message)
        self._letters.append(letter)
        return Output(self._topics.dead_letters, letter.key, self._wire.encode(letter))
