"""The profiles agent's work: folds the journal, encodes effects, and sends facts and progress with each commit."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from schemas.journal import PartitionProgress, Progress, SetAside
from schemas.limits import LETTER_BYTES_MAX
from streams.engine.batch import Output
from streams.fold.attempt import Refused, attempt
from streams.fold.fold import Fold
from streams.kafka.journal import COPIED, counted_as_letter, guarding, reader
from streams.kafka.partitioner import partition_of
from streams.processors.letters import CONDEMNED_BYTES_MAX, LETTERS_PARTITION, dead_letter
from streams.processors.pieces import pieces
from streams.processors.watermark_gate import WatermarkGate
from streams.profiles.effects import TOPIC_OF, added_up

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import msgspec
    from confluent_kafka import Message

    from schemas.insights import Facts, PanelRow
    from schemas.wire import Wire
    from state.overlay import Overlay
    from streams.engine.batch import Batch
    from streams.kafka.offsets import GroupOffsets
    from streams.profiles.effects import CountKey, Effects
    from streams.telemetry.observer import Observer
    from streams.topics import Topics


_COPY = [(COPIED, b"")]


class Tally:
    """Facts of one journal partition since its last commit."""

    __slots__ = ("_counted", "folded", "increments", "ones", "panel")

    def __init__(self) -> None:
        self.folded = False
        self._counted: Counter[CountKey] = Counter()
        self.ones: list[CountKey] = []
        self.increments: list[tuple[CountKey, int]] = []
        self.panel: list[PanelRow] = []

    def add(self, effects: Effects) -> None:
        """Add what one record counted."""
        self.folded = True
        self.ones += effects.ones
        if effects.increments:
            self.increments += effects.increments
        if effects.panel:
            self.panel += effects.panel

    def count(self) -> None:
        """Add up the ones, as a key for each until the commit would be work for the garbage collector."""
        self._counted.update(self.ones)
        self.ones.clear()

    def facts(self, partition: int, complete_to_ms: int | None, *, is_imported: bool = False) -> list[Facts]:
        """Make the facts records of this commit, of which there is at least one; imported ones say nothing of time."""
        self.count()
        sums = added_up(self._counted, self.increments)
        if is_imported:
            return [replace(each, is_imported=True) for each in pieces(partition, None, sums, self.panel)]
        return pieces(partition, complete_to_ms, sums, self.panel)


class Profiling:
    """Processor of `journal`: one fold a partition."""

    def __init__(self, topics: Topics, wire: Wire, observer: Observer, journal_partitions: int) -> None:
        self.folds: dict[int, Fold] = {}
        self._topics = topics
        self._topic_names = {struct: getattr(topics, name) for struct, name in TOPIC_OF.items()}
        self._wire = wire
        self._journal_partitions = journal_partitions
        self._read = reader(wire)
        self._observer = observer
        self._tallies: dict[int, tuple[Tally, Tally, Tally]] = {}
        """Of what is new, of what was copied and is counted where it came from, and of what an import brought."""
        self._gate = WatermarkGate()
        self._pending: list[msgspec.Struct] = []

    def process(self, batch: Batch) -> list[Output]:
        """Fold each record; one that cannot be folded becomes a dead letter, and the rest goes on."""
        partition, outputs = batch.partition, list[Output]()
        fold, (new, copied, imported) = self.folds[partition], self._tallies[partition]
        undo, aside = fold.undo, batch.condemned
        read = guarding(self._read, batch.guards) if batch.guards else self._read
        for message in batch.records():
            if aside and message.offset() in aside:
                why = aside[message.offset()]
                outputs += self._set_aside(Refused(None, *why), message, new, CONDEMNED_BYTES_MAX)
                continue
            outcome = attempt(fold, read, message, undo)
            record = outcome.record
            is_copy = record is not None and record.is_copy
            tally = copied if is_copy else new
            if isinstance(outcome, Refused):
                outputs += self._set_aside(outcome, message, tally)
                continue
            effects = outcome.effects
            if record is not None and record.is_imported and not is_copy:
                tally = imported
            tally.add(effects)
            if effects.outputs:
                self._send(effects, partition, outputs, _COPY if is_copy else None)
            if effects.journal and not is_copy:
                self._append(effects, message, outputs)
        new.count()
        copied.count()
        imported.count()
        return outputs

    def conclude(self, partitions: Collection[int]) -> Iterable[Output]:
        """Send the watermarks that advanced, and the facts of each partition that folded something."""
        outputs = []
        for partition, times in list(self._gate.unannounced(partitions)):
            self._gate.announce(partition, times)
            progress = tuple(PartitionProgress(p, time_ms) for p, time_ms in enumerate(times) if time_ms >= 0)
            outputs.append(Output(self._topics.journal, partition, None, self._wire.encode(Progress(progress))))
        for partition in partitions:
            if partition in self._tallies:
                self._send_facts(partition, outputs)
        return outputs

    def _send_facts(self, partition: int, outputs: list[Output]) -> None:
        fold, (new, copied, imported) = self.folds[partition], self._tallies[partition]
        if not (new.folded or copied.folded or imported.folded):
            return
        for tally, headers in ((copied, _COPY), (imported, None), (new, None)):
            if tally.folded:
                for facts in tally.facts(partition, fold.complete_to_ms(), is_imported=tally is imported):
                    self._pending.append(facts)
                    outputs.append(Output(self._topics.facts, 0, b"%d" % partition, self._wire.encode(facts), headers))
        self._tallies[partition] = Tally(), Tally(), Tally()

    def wants_cycle(self) -> bool:
        """Return whether a watermark is to be announced; all else comes with records."""
        return next(self._gate.unannounced(self.folds), None) is not None

    def wants_look(self) -> bool:
        """Return whether anything collected waits to be folded, here or by other workers."""
        return self._gate.wants_look()

    def looked(self, offsets: GroupOffsets) -> None:
        """Take in the committed offsets and ends that the group has now."""
        self._gate.looked(offsets)

    def committed(self) -> None:
        """Let metrics count what is durable now."""
        self._observer.observe_committed(self._pending)
        self._pending = []
        for partition, fold in self.folds.items():
            self._gate.note(partition, fold.collected())
        self._observer.observe_held_back(self._gate.held_back_ms())

    def dropped(self) -> None:
        """Forget what was not committed: the records come again."""
        self._gate.dropped()
        self._pending = []
        self._tallies = {partition: (Tally(), Tally(), Tally()) for partition in self._tallies}

    def assigned(self, partition: int, overlay: Overlay[Any] | None) -> None:
        """Begin a fold over the partition's restored state."""
        if overlay is None:
            raise ValueError("the journal is an input with state")
        fold = self.folds[partition] = Fold(overlay, encode=self._wire.encode)
        self._tallies[partition] = Tally(), Tally(), Tally()
        self._gate.note(partition, fold.collected())

    def revoked(self, partition: int) -> None:
        """Forget a partition."""
        self.folds.pop(partition, None)
        self._tallies.pop(partition, None)
        self._gate.forget(partition)
        self._observer.withdraw_partition(partition)

    def _send(
        self, effects: Effects, partition: int, outputs: list[Output], headers: list[tuple[str, bytes]] | None
    ) -> None:
        topics = self._topic_names
        last, key = "", b""
        for (customer, record), value in zip(effects.outputs, effects.values, strict=True):
            if customer is not last:
                last, key = customer, customer.encode()
            if record is None:
                outputs.append(Output(self._topics.profiles, partition, key, None, headers))
                continue
            self._pending.append(record)
            outputs.append(Output(topics[type(record)], partition, key, value, headers))

    def _append(self, effects: Effects, message: Message, outputs: list[Output]) -> None:
        for (key, record, headers), value in zip(effects.journal, effects.journal_values, strict=True):
            if key is None:
                if type(record) is SetAside:
                    # of a timer that this record fired
                    value = self._wire.encode(replace(record, offset=message.offset()))  # noqa: PLW2901 - completed
                outputs.append(Output(self._topics.journal, message.partition() or 0, None, value))
            else:
                to = partition_of(key, self._journal_partitions)
                outputs.append(Output(self._topics.journal, to, key.encode(), value, list(headers) or None))

    def _set_aside(
        self, refused: Refused, message: Message, tally: Tally, bytes_max: int = LETTER_BYTES_MAX
    ) -> tuple[Output, Output]:
        """Return the dead letter of a record, and the mark in its own partition that it was not folded."""
        tally.folded = True
        tally.ones += counted_as_letter(message)
        letter = dead_letter("fold", refused.reason, refused.detail, message, bytes_max)
        self._pending.append(letter)
        mark = SetAside(letter.source_offset, letter.reason)
        encode, topics = self._wire.encode, self._topics
        return (
            Output(topics.dead_letters, LETTERS_PARTITION, letter.key, encode(letter)),
            Output(topics.journal, letter.source_partition, None, encode(mark)),
        )
