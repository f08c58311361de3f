"""The collect agent's work: touchpoints to the journal, and how far time has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.journal import CollectedTo, PartitionProgress
from schemas.touchpoint import Mark
from schemas.wire import RegistryUnusable
from streams.collect.checks import RefusedRecord
from streams.collect.collector import collect
from streams.engine.batch import Output
from streams.fold.attempt import RAISED, raised_detail
from streams.fold.record import journal_headers
from streams.processors.letters import dead_letter

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
"""How far a caught-up partition stays behind the clock: clocks of workers and brokers differ."""


class ReadPosition(NamedTuple):
    """How far a partition has been read: next offset after what was processed, and the end, asked at asked_ms."""

    position: int
    end: int
    asked_ms: int


class Collecting:
    """Processor of `touchpoints`; without state, so progress is what this worker itself has seen."""

    def __init__(
        self,
        topics: Topics,
        settings: DomainSettings,
        wire: Wire,
        reach: Callable[[int], ReadPosition | None],
        observer: Observer,
    ) -> None:
        """`reach` tells how far an owned partition has been read; None: not known yet."""
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
        """One output for each record but marks."""
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
            except Exception as error:  # noqa: BLE001 - the one place: the record is set aside, its batch goes on
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
        """How far time has come here, for each journal partition, when it has come further."""
        further = {p: at for p, at in self._came_to().items() if p in partitions and at > self._announced.get(p, -1)}
        if not self._is_time(further):
            return []
        self._telling = further
        told = tuple(PartitionProgress(p, at) for p, at in sorted(further.items()))
        value = self._wire.encode(CollectedTo(told))
        return [Output(self._topics.journal, None, value, None, p) for p in range(self._settings.journal_partitions)]

    def wants_cycle(self) -> bool:
        """In a wall prefix: an idle partition's progress is to be told."""
        return self._settings.clock == "wall" and self._is_time(self._came_to())

    def committed(self) -> None:
        """What was told is told; metrics count."""
        if self._telling:
            self._announced |= self._telling
            self._telling = {}
        self._observer.observe_journalled(self._journalled)
        self._observer.observe_committed(self._letters)
        self._letters, self._journalled = [], 0

    def dropped(self) -> None:
        """The records come again; what had come before is still true."""
        self._telling, self._letters, self._journalled = {}, [], 0
        self._come = dict(self._announced)

    def assigned(self, partition: int, overlay: Overlay[Any] | None) -> None:
        """Begins silent: the owner before has told its progress with its last commit."""
        self._owned.add(partition)

    def revoked(self, partition: int) -> None:
        """Ends with a partition."""
        self._owned.discard(partition)
        self._come.pop(partition, None)
        self._announced.pop(partition, None)

    def _is_time(self, come: Mapping[int, int]) -> bool:
        """A mark is told with its commit; the wall's time at most once a second."""
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
