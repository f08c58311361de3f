"""The collect agent's work: touchpoints go to the journal, with the source watermarks."""

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
from streams.kafka.partitioner import partition_of_key
from streams.processors.letters import LETTERS_PARTITION, dead_letter

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
    """How far a partition has been read: the offset after what was processed, and the end as asked at asked_ms."""

    position: int
    end: int
    asked_ms: int


class Collecting:
    """Processor of `touchpoints`; it has no state, so its watermarks are what this worker itself has seen."""

    def __init__(
        self,
        topics: Topics,
        settings: DomainSettings,
        wire: Wire,
        position_of: Callable[[int], ReadPosition | None],
        observer: Observer,
    ) -> None:
        """`position_of` gives how far an owned partition has been read; None: not known yet."""
        self._topics = topics
        self._settings = settings
        self._wire = wire
        self._position_of = position_of
        self._observer = observer
        self._owned: set[int] = set()
        self._watermarks: dict[int, int] = {}
        self._announced: dict[int, int] = {}
        self._announcing: dict[int, int] = {}
        self._letters: list[DeadLetter] = []
        self._journalled = 0

    def process(self, batch: Batch) -> Iterator[Output]:
        """Yield one output for each record that is not a mark."""
        for message in batch.records():
            value = message.value()
            appended_ms = message.timestamp()[1]
            try:
                collected = collect(value, appended_ms, self._wire, self._settings)
            except RefusedRecord as refused:
                yield self._letter(refused.reason, refused.detail, message)
                continue
            except RegistryUnusable:
                raise
            except Exception as error:  # noqa: BLE001 - the only place: the record is set aside, and its batch goes on
                yield self._letter(RAISED, raised_detail(error), message)
                continue
            if isinstance(collected, Mark):
                self._advance(batch.partition, collected.time_ms)
                continue
            self._journalled += 1
            headers = list(journal_headers(collected.received_ms))
            partition = partition_of_key(collected.key, self._settings.journal_partitions)
            yield Output(self._topics.journal, partition, collected.key, collected.value, headers)
        if batch.messages and self._settings.clock == "wall":
            self._advance(batch.partition, batch.messages[-1].timestamp()[1])

    def conclude(self, partitions: Collection[int]) -> Iterable[Output]:
        """Announce the watermarks that have advanced, to each journal partition."""
        latest = self._latest_watermarks()
        advanced = {p: at for p, at in latest.items() if p in partitions and at > self._announced.get(p, -1)}
        if not self._is_worth_announcing(advanced):
            return []
        self._announcing = advanced
        progress = tuple(PartitionProgress(p, at) for p, at in sorted(advanced.items()))
        value = self._wire.encode(CollectedTo(progress))
        return [Output(self._topics.journal, p, None, value) for p in range(self._settings.journal_partitions)]

    def wants_cycle(self) -> bool:
        """Return whether an idle partition's watermark is to be announced, which only a wall prefix does."""
        return self._settings.clock == "wall" and self._is_worth_announcing(self._latest_watermarks())

    def committed(self) -> None:
        """Note that what was announced has arrived, and let metrics count."""
        if self._announcing:
            self._announced |= self._announcing
            self._announcing = {}
        self._observer.observe_journalled(self._journalled)
        self._observer.observe_committed(self._letters)
        self._letters, self._journalled = [], 0

    def dropped(self) -> None:
        """Forget what was not committed: the records come again, and what was announced before is still true."""
        self._announcing, self._letters, self._journalled = {}, [], 0
        self._watermarks = dict(self._announced)

    def assigned(self, partition: int, overlay: Overlay[Any] | None) -> None:
        """Begin without a watermark: the owner before announced its last one with its last commit."""
        self._owned.add(partition)

    def revoked(self, partition: int) -> None:
        """Forget a partition."""
        self._owned.discard(partition)
        self._watermarks.pop(partition, None)
        self._announced.pop(partition, None)

    def _is_worth_announcing(self, watermarks: Mapping[int, int]) -> bool:
        """Return whether to announce now: a mark with its commit, the wall's time at most once a second."""
        least_ms = PROGRESS_EVERY_MS if self._settings.clock == "wall" else 1
        return any(at - self._announced.get(partition, -1) >= least_ms for partition, at in watermarks.items())

    def _latest_watermarks(self) -> Mapping[int, int]:
        if self._settings.clock == "wall":
            for partition in self._owned:
                read = self._position_of(partition)
                if read is not None and read.position >= read.end:
                    self._advance(partition, read.asked_ms - MARGIN_MS)
        return self._watermarks

    def _advance(self, partition: int, time_ms: int) -> None:
        self._watermarks[partition] = max(self._watermarks.get(partition, -1), time_ms)

    def _letter(self, reason: str, detail: str, message: Message) -> Output:
        letter = dead_letter("collect", reason, detail, message)
        self._letters.append(letter)
        return Output(self._topics.dead_letters, LETTERS_PARTITION, letter.key, self._wire.encode(letter))
