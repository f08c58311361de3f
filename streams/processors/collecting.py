"""The collect agent's work: touchpoints go to the journal, with the source watermarks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import structlog

from schemas.journal import CollectedTo, PartitionProgress
from schemas.limits import LETTER_BYTES_MAX, TIME_AHEAD_MS_MAX
from schemas.touchpoint import Mark
from streams.collect.attributes import NOT_NAMED
from streams.collect.collector import RefusedPart, collect, collect_json, sized_right
from streams.collect.doors import is_json
from streams.engine.batch import Output
from streams.fold.attempt import Refused, as_it_is, attempt, nothing_to_undo
from streams.fold.record import journal_headers
from streams.kafka.headers import headers_of
from streams.kafka.partitioner import partition_of_key
from streams.processors.letters import CONDEMNED_BYTES_MAX, LETTERS_PARTITION, dead_letter, dead_letter_of_part
from streams.profiles.effects import sized

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from confluent_kafka import Message

    from schemas.insights import Arrivals
    from schemas.outputs import DeadLetter
    from schemas.wire import Wire
    from state.overlay import Overlay
    from streams.collect.arriving import Arriving, Taken
    from streams.collect.collector import Collected
    from streams.engine.batch import Batch
    from streams.settings import DomainSettings
    from streams.telemetry.observer import Observer
    from streams.topics import Topics

PROGRESS_EVERY_MS = 1_000
MARGIN_MS = 1_000
"""How far a caught-up partition stays behind the brokers' clock, and how far a stamp may be ahead of it: the clocks of
several brokers differ."""
ARRIVALS_KEY = b"arrivals"
"""Of the counts by source, which are of no journal partition."""
LOOKED_AT_EVERY = 16
"""Of so many records one's place is looked at: a wrong partitioner shows with the next one as well."""

_log = structlog.get_logger(__name__)


class ReadPosition(NamedTuple):
    """How far a partition has been read: the offset after what was processed, and the end as asked at asked_ms."""

    position: int
    end: int
    asked_ms: int | None
    """The brokers' time; None: it was not known."""


class Clock(Protocol):
    """The brokers' time, known from their stamps of what this worker wrote."""

    def now_ms(self) -> int | None:
        """Return the time now; None: not known."""
        ...

    def wants_stamp(self) -> bool:
        """Return whether to write something only to get a stamp."""
        ...

    def asked(self) -> None: ...
    def forget_asked(self) -> None: ...


class Source(NamedTuple):
    """What the engine knows of the input."""

    position_of: Callable[[int], ReadPosition | None]
    """How far an owned partition has been read; None: not known yet."""
    clock: Clock
    arriving: Arriving | None = None
    """Counts by source what goes on; None: the rules of the prefix do not know such counts."""


class Collecting:
    """Processor of `touchpoints`; it has no state, so its watermarks are what this worker itself has seen."""

    def __init__(
        self,
        topics: Topics,
        settings: DomainSettings,
        wire: Wire,
        source: Source,
        observer: Observer,
    ) -> None:
        self._topics = topics
        self._settings = settings
        self._wire = wire
        self._position_of, self._clock, self._arriving = source
        self._observer = observer
        self._taken: list[Taken] = []
        self._counted: list[Arrivals] = []
        self._is_wall = settings.clock == "wall"
        self._owned: set[int] = set()
        self._watermarks: dict[int, int] = {}
        self._announced: dict[int, int] = {}
        self._announcing: dict[int, int] = {}
        self._letters: list[DeadLetter] = []
        self._journalled = self._misplaced = 0
        self._let_go: Counter[tuple[str, str]] = Counter()
        """Values that were not kept, by attribute and why; of what the catalogue does not name all together."""
        self._has_warned = False

    def process(self, batch: Batch) -> Iterator[Output]:
        """Yield one output for each record that is not a mark, and one for each part of a record of JSON."""
        aside = batch.condemned
        for message in batch.records():
            if aside and message.offset() in aside:
                yield self._letter(*aside[message.offset()], message, CONDEMNED_BYTES_MAX)
                continue
            outcome = attempt(self._collect, as_it_is, message, nothing_to_undo)
            if isinstance(outcome, Refused):
                yield self._letter(outcome.reason, outcome.detail, message)
            elif isinstance(outcome.effects, Output):
                self._journalled += 1
                yield outcome.effects
            elif isinstance(outcome.effects, Mark):
                self._advance(batch.partition, outcome.effects.time_ms)
            else:
                yield from self._parts(outcome.effects, message)
        if self._arriving is not None:
            self._arriving.take(self._taken)
            self._taken.clear()
        self._look_at_places(batch)
        if batch.messages and self._is_wall:
            self._advance(batch.partition, self._believed_ms(batch.messages[-1].timestamp()[1]))

    def _look_at_places(self, batch: Batch) -> None:
        """Count records that another partitioner than murmur2, or another number of partitions, brought here."""
        count = self._settings.touchpoint_partitions
        for message in batch.messages[::LOOKED_AT_EVERY]:
            key = message.key()
            if key and partition_of_key(key, count) != batch.partition:
                if not self._has_warned:
                    self._has_warned = True
                    _log.warning("touchpoint in another partition than its key's", partition=batch.partition)
                self._misplaced += 1

    def _collect(self, message: Message) -> Output | Mark | list[Output | RefusedPart]:
        """Do everything with a record that may fail because of it."""
        value, appended_ms = message.value(), message.timestamp()[1]
        if value and is_json(value):
            found = collect_json(sized_right(value), headers_of(message), appended_ms, self._wire, self._settings)
            # of a batch the touchpoints are looked at: to read all of it for each part would take quadratic time
            sent = value if len(found) == 1 else b""
            return [each if isinstance(each, RefusedPart) else self._output(each, sent) for each in found]
        collected = collect(value, appended_ms, self._wire, self._settings)
        return collected if isinstance(collected, Mark) else self._output(collected, value or b"")

    def _parts(self, parts: list[Output | RefusedPart], message: Message) -> Iterator[Output]:
        """Yield the touchpoints and the dead letters of a record, in the order of its parts."""
        for part in parts:
            if isinstance(part, RefusedPart):
                yield self._sent(dead_letter_of_part("collect", part.reason, part.detail, message, part.value))
            else:
                self._journalled += 1
                yield part

    def _output(self, collected: Collected, value_as_it_came: bytes) -> Output:
        if self._arriving is not None:
            self._taken.append((collected.event, collected.received_ms, value_as_it_came))
        if collected.let_go:
            self._let_go.update([("" if why == NOT_NAMED else name, why) for _, name, why in collected.let_go])
        key, value = collected.key, sized(collected.value, collected.key)
        partition = partition_of_key(key, self._settings.journal_partitions)
        return Output(self._topics.journal, partition, key, value, list(journal_headers(collected.received_ms)))

    def conclude(self, partitions: Collection[int]) -> Iterable[Output]:
        """Send what arrived, by source, and the watermarks that have advanced.

        These go to each journal partition; without any, nothing is announced there to hear the brokers' time.
        """
        return [*self._arrived(), *self._announced_to(partitions)]

    def _arrived(self) -> Iterator[Output]:
        if self._arriving is None:
            return
        for record in self._arriving.records():
            self._counted.append(record)
            yield Output(self._topics.facts, 0, ARRIVALS_KEY, self._wire.encode(record))

    def _announced_to(self, partitions: Collection[int]) -> list[Output]:
        latest = self._latest_watermarks()
        advanced = {p: at for p, at in latest.items() if p in partitions and at > self._announced.get(p, -1)}
        if not self._is_worth_announcing(advanced):
            if not (self._is_wall and partitions and self._clock.wants_stamp()):
                return []
            advanced = {}
        if self._is_wall:
            self._clock.asked()
        self._announcing = advanced
        progress = tuple(PartitionProgress(p, at) for p, at in sorted(advanced.items()))
        value = self._wire.encode(CollectedTo(progress))
        return [Output(self._topics.journal, p, None, value) for p in range(self._settings.journal_partitions)]

    def wants_cycle(self) -> bool:
        """Return whether an idle partition's watermark is to be announced, which only a wall prefix does.

        So is nothing at all, where the brokers' time is not known.
        """
        if not self._is_wall or not self._owned:
            return False
        return self._clock.wants_stamp() or self._is_worth_announcing(self._latest_watermarks())

    def committed(self) -> None:
        """Note that what was announced has arrived, and let metrics count."""
        if self._announcing:
            self._announced |= self._announcing
            self._announcing = {}
        self._observer.observe_journalled(self._journalled)
        self._observer.observe_misplaced(self._misplaced)
        self._observer.observe_committed(self._letters)
        if self._let_go:
            self._observer.observe_let_go(self._let_go)
            self._let_go.clear()
        self._observer.observe_committed(self._counted)
        self._letters, self._journalled, self._misplaced = [], 0, 0
        self._forget_arrived()

    def dropped(self) -> None:
        """Forget what was not committed: the records come again, and what was announced before is still true."""
        self._announcing, self._letters, self._journalled, self._misplaced = {}, [], 0, 0
        self._let_go.clear()
        self._forget_arrived()
        self._watermarks = dict(self._announced)
        self._clock.forget_asked()

    def _forget_arrived(self) -> None:
        self._counted = []
        self._taken.clear()
        if self._arriving is not None:
            self._arriving.forget()

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
        least_ms = PROGRESS_EVERY_MS if self._is_wall else 1
        return any(at - self._announced.get(partition, -1) >= least_ms for partition, at in watermarks.items())

    def _latest_watermarks(self) -> Mapping[int, int]:
        if self._is_wall:
            self._forget_ahead()
            for partition in self._owned:
                read = self._position_of(partition)
                if read is not None and read.position >= read.end and read.asked_ms is not None:
                    self._advance(partition, read.asked_ms - MARGIN_MS)
        return self._watermarks

    def _forget_ahead(self) -> None:
        """Begin again with partitions that are ahead of the brokers, for one had a wrong clock."""
        now_ms = self._clock.now_ms()
        if now_ms is not None:
            for partition in [p for p, at in self._watermarks.items() if at > now_ms + TIME_AHEAD_MS_MAX]:
                del self._watermarks[partition]
                self._announced.pop(partition, None)

    def _believed_ms(self, stamped_ms: int) -> int:
        """Return a broker's stamp of a touchpoint, but no later than the other brokers' clocks allow."""
        now_ms = self._clock.now_ms()
        return stamped_ms if now_ms is None else min(stamped_ms, now_ms + MARGIN_MS)

    def _advance(self, partition: int, time_ms: int) -> None:
        self._watermarks[partition] = max(self._watermarks.get(partition, -1), time_ms)

    def _letter(self, reason: str, detail: str, message: Message, bytes_max: int = LETTER_BYTES_MAX) -> Output:
        return self._sent(dead_letter("collect", reason, detail, message, bytes_max))

    def _sent(self, letter: DeadLetter) -> Output:
        self._letters.append(letter)
        return Output(self._topics.dead_letters, LETTERS_PARTITION, letter.key, self._wire.encode(letter))
