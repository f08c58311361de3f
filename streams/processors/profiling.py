"""The profiles agent's work: the journal folded, its effects encoded; facts and time told with each commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.insights import Count, Facts, PanelRow
from schemas.journal import PartitionProgress, Progress
from schemas.wire import WireError
from streams.engine.batch import Output
from streams.fold import Fold
from streams.folding.moment import Rejected
from streams.journal import MUST_STOP, counted_as_letter, read_record
from streams.processors.letters import RAISED, dead_letter, raised_detail
from streams.processors.settling import Settling
from streams.profiles.effects import TOPIC_OF

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    import msgspec
    from confluent_kafka import Message

    from schemas.wire import Wire
    from state.overlay import Overlay
    from streams.engine.batch import Batch
    from streams.engine.group import Standing
    from streams.observed import Observer
    from streams.profiles.effects import Effects
    from streams.topics import Topics


class Tally:
    """Facts of one journal partition since its last commit."""

    __slots__ = ("counts", "folded", "panel")

    def __init__(self) -> None:
        self.folded = False
        self.counts: dict[tuple[str, int, str], int] = {}
        self.panel: list[PanelRow] = []

    def add(self, effects: Effects) -> None:
        """Adds what one record counted."""
        counts = self.counts
        for key, value in effects.increments:
            counts[key] = counts.get(key, 0) + value
        self.panel += effects.panel

    def facts(self, partition: int, complete_to_ms: int | None) -> Facts:
        """The record of this commit."""
        counts = tuple(Count(name, hour, by, value) for (name, hour, by), value in self.counts.items() if value)
        return Facts(partition, complete_to_ms, counts, tuple(self.panel))


class Profiling:
    """Processor of `journal`: one fold a partition."""

    def __init__(self, topics: Topics, wire: Wire, observer: Observer) -> None:
        self.folds: dict[int, Fold] = {}
        self._topics = topics
        self._topic_names = {struct: getattr(topics, name) for struct, name in TOPIC_OF.items()}
        self._wire = wire
        self._observer = observer
        self._tallies: dict[int, Tally] = {}
        self._settling = Settling()
        self._pending: list[msgspec.Struct] = []

    def process(self, batch: Batch) -> Iterator[Output]:
        """Folds each record; one that cannot be folded is a dead letter, and the rest goes on."""
        fold, tally = self.folds[batch.partition], self._tallies[batch.partition]
        tally.folded = tally.folded or bool(batch.messages)
        for message in batch.messages:
            record = None
            try:
                record = read_record(message, self._wire)
                effects = fold(record)
            except MUST_STOP:
                raise
            except (Rejected, WireError) as error:
                yield self._letter(error.reason, error.detail, message, tally)
                continue
            except Exception as error:
                if record is not None and not record.is_of_customer:
                    raise
                yield self._letter(RAISED, raised_detail(error), message, tally)
                continue
            tally.add(effects)
            yield from self._outputs(effects, batch.partition)

    def conclude(self, partitions: Collection[int]) -> Iterable[Output]:
        """One facts record for each partition that folded something, and the time that has come in some."""
        outputs = []
        for partition, times in list(self._settling.untold(partitions)):
            self._settling.tell(partition, times)
            told = tuple(PartitionProgress(p, time_ms) for p, time_ms in enumerate(times) if time_ms >= 0)
            outputs.append(Output(self._topics.journal, None, self._wire.encode(Progress(told)), None, partition))
        for partition in partitions:
            tally = self._tallies.get(partition)
            if tally is None or not tally.folded:
                continue
            fold = self.folds[partition]
            self._settling.note(partition, fold.collected())
            facts = tally.facts(partition, fold.complete_to_ms())
            self._pending.append(facts)
            self._tallies[partition] = Tally()
            outputs.append(Output(self._topics.facts, b"%d" % partition, self._wire.encode(facts), None, 0))
        return outputs

    def wants_cycle(self) -> bool:
        """Time has come that is to be told; nothing else happens here but by records."""
        return next(self._settling.untold(self.folds), None) is not None

    def wants_look(self) -> bool:
        """What was collected waits to be folded, here or by other workers."""
        return self._settling.wants_look()

    def looked(self, standing: Standing) -> None:
        """So far the group has come."""
        self._settling.looked(standing)

    def committed(self) -> None:
        """Metrics count what is durable."""
        self._observer.observe_committed(self._pending)
        self._pending = []
        self._observer.observe_held_back(self._settling.held_back_ms())

    def dropped(self) -> None:
        """The records come again."""
        self._settling.dropped()
        self._pending = []
        self._tallies = {partition: Tally() for partition in self._tallies}

    def assigned(self, partition: int, overlay: Overlay[Any] | None) -> None:
        """A fold over the partition's restored state."""
        if overlay is None:
            raise ValueError("the journal is an input with state")
        fold = self.folds[partition] = Fold(overlay)
        self._tallies[partition] = Tally()
        self._settling.note(partition, fold.collected())

    def revoked(self, partition: int) -> None:
        """Ends with a partition."""
        self.folds.pop(partition, None)
        self._tallies.pop(partition, None)
        self._settling.forget(partition)
        self._observer.withdraw_partition(partition)

    def _outputs(self, effects: Effects, partition: int) -> Iterator[Output]:
        encode = self._wire.encode
        for customer, record in effects.outputs:
            if record is None:
                yield Output(self._topics.profiles, customer.encode(), None)
                continue
            self._pending.append(record)
            yield Output(self._topic_names[type(record)], customer.encode(), encode(record))
        for key, appended, headers in effects.journal:
            value = appended if isinstance(appended, bytes) else encode(appended)
            if key is None:
                yield Output(self._topics.journal, None, value, None, partition)
            else:
                yield Output(self._topics.journal, key.encode(), value, list(headers) or None)

    def _letter(self, reason: str, detail: str, message: Message, tally: Tally) -> Output:
        for key in counted_as_letter(message):
            tally.counts[key] = tally.counts.get(key, 0) + 1
        letter = dead_letter("fold", reason, detail, message)
        self._pending.append(letter)
        return Output(self._topics.dead_letters, message.key(), self._wire.encode(letter))
