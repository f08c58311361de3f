"""The collect agent's work: touchpoints to the journal, and how far time has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.journal import PartitionProgress, Progress
from schemas.touchpoint import Mark
from streams.collect.checks import Refused
from streams.collect.collector import collect
from streams.engine.batch import Output
from streams.fold import journal_headers
from streams.processors.letters import RAISED, dead_letter, raised_detail

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from confluent_kafka import Message

    from schemas.wire import Wire
    from state.overlay import Overlay
    from streams.engine.batch import Batch
    from streams.observed import Observer
    from streams.settings import DomainSettings
    from streams.topics import Topics

PROGRESS_EVERY_MS = 1_000
MARGIN_MS = 1_000
"""How far a caught-up partition stays behind the clock: clocks of workers and brokers differ."""


class CaughtUp:
    """What the end-offset query of a wall prefix found: the clock before it, and the end offsets."""

    __slots__ = ("clock_ms", "ends")

    def __init__(self) -> None:
        self.clock_ms = 0
        self.ends: dict[int, int] = {}


class Collecting:
    """Processor of `touchpoints`; without state, so progress is what this worker itself has seen."""

    def __init__(
        self,
        topics: Topics,
        settings: DomainSettings,
        wire: Wire,
        position: Callable[[int], int],
        observer: Observer,
    ) -> None:
        """`position` gives the next offset of an owned partition after what was processed."""
        self.caught_up = CaughtUp()
        self._topics = topics
        self._settings = settings
        self._wire = wire
        self._position = position
        self._observer = observer
        self._come: dict[int, int] = {}
        self._told: dict[int, int] = {}
        self._telling: dict[int, int] = {}
        self._letters: list[object] = []
        self._journalled = 0
        self._told_at_ms = 0

    def process(self, batch: Batch) -> Iterator[Output]:
        """One output for each record but marks."""
        for message in batch.messages:
            value = message.value()
            appended_ms = message.timestamp()[1]
            try:
                collected = collect(value, appended_ms, self._wire, self._settings)
            except Refused as refused:
                yield self._letter(refused.reason, refused.detail, message)
                continue
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
        """One Progress for each journal partition, when time has come further."""
        if self._settings.clock == "wall":
            self._look_at_ends(partitions)
            if not self._is_time():
                return []
        further = {p: at for p, at in self._come.items() if p in partitions and at > self._told.get(p, -1)}
        if not further:
            return []
        self._telling = further
        told = tuple(PartitionProgress(p, at) for p, at in sorted(further.items()))
        value = self._wire.encode(Progress(told))
        return [Output(self._topics.journal, None, value, None, p) for p in range(self._settings.journal_partitions)]

    def wants_cycle(self) -> bool:
        """In a wall prefix: an idle partition's progress is to be told."""
        return self._settings.clock == "wall" and bool(self.caught_up.ends) and self._is_time()

    def committed(self) -> None:
        """Progress told is told; metrics count."""
        if self._telling:
            self._told |= self._telling
            self._told_at_ms = max(self._told_at_ms, self.caught_up.clock_ms, *self._telling.values())
            self._telling = {}
        self._observer.observe_journalled(self._journalled)
        self._observer.observe_committed(self._letters)  # type: ignore[arg-type]
        self._letters, self._journalled = [], 0

    def dropped(self) -> None:
        """The records come again; what had come before is still true."""
        self._telling, self._letters, self._journalled = {}, [], 0
        self._come = dict(self._told)

    def assigned(self, partition: int, overlay: Overlay[object] | None) -> None:
        """Begins silent: the owner before has told its progress with its last commit."""
        self._come.pop(partition, None)
        self._told.pop(partition, None)

    def revoked(self, partition: int) -> None:
        """Ends with a partition."""
        self._come.pop(partition, None)
        self._told.pop(partition, None)
        self.caught_up.ends.pop(partition, None)

    def _is_time(self) -> bool:
        newest_ms = max(self.caught_up.clock_ms, *self._come.values(), 0) if self._come else self.caught_up.clock_ms
        return newest_ms >= self._told_at_ms + PROGRESS_EVERY_MS

    def _look_at_ends(self, partitions: Collection[int]) -> None:
        for partition, end in self.caught_up.ends.items():
            if partition in partitions and self._position(partition) >= end:
                self._came(partition, self.caught_up.clock_ms - MARGIN_MS)

    def _came(self, partition: int, time_ms: int) -> None:
        self._come[partition] = max(self._come.get(partition, -1), time_ms)

    def _letter(self, reason: str, detail: str, message: Message) -> Output:
        letter = dead_letter("collect", reason, detail, message)
        self._letters.append(letter)
        return Output(self._topics.dead_letters, message.key(), self._wire.encode(letter))
