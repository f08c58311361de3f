"""The insights agent's work: facts are added up to KPIs, anomalies and models."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from schemas.insights import Facts
from schemas.limits import LETTER_BYTES_MAX
from streams.engine.batch import Output
from streams.fold.attempt import Refused, as_it_is, attempt
from streams.insights.fold import fold_record
from streams.kafka.journal import appended_ms, is_copied
from streams.processors.letters import CONDEMNED_BYTES_MAX, LETTERS_PARTITION, dead_letter
from streams.profiles.effects import sized

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    import msgspec
    from confluent_kafka import Message

    from schemas.wire import Wire
    from state.overlay import Overlay
    from streams.engine.batch import Batch
    from streams.insights.effects import InsightEffects
    from streams.telemetry.observer import InsightSnapshot, Observer
    from streams.topics import Topics


ONLY_PARTITION = 0
"""Of facts, and of all topics that insights writes."""
GOING_ON = Facts(0)
"""A record that counts nothing: with it insights conclude what the record before has left."""


class Insighting:
    """Processor of `facts`."""

    def __init__(
        self,
        topics: Topics,
        wire: Wire,
        observer: Observer,
        journal_partitions: int,
        held: Callable[[Overlay[Any]], InsightSnapshot],
    ) -> None:
        """`held` reads from restored state what the gauges show."""
        self._topics = topics
        self._wire = wire
        self._observer = observer
        self._journal_partitions = journal_partitions
        self._held = held
        self._pending: list[msgspec.Struct] = []
        self._stocks: dict[tuple[str, str], int] = {}
        """Durable totals of all facts without an hour, for the gauges."""
        self._changed: dict[tuple[str, str], int] = {}
        self._left_out: Counter[str] = Counter()
        self._beyond_long = 0

    def process(self, batch: Batch) -> Iterator[Output]:
        """Fold each record of facts."""
        if batch.overlay is None:
            raise ValueError("facts is an input with state")
        overlay, aside = batch.overlay, batch.condemned
        for message in batch.records():
            if aside and message.offset() in aside:
                yield self._letter(*aside[message.offset()], message, CONDEMNED_BYTES_MAX)
                continue
            if is_copied(message):
                continue  # the state that was copied with the journal has counted it already
            outcome = attempt(partial(self._folded, overlay), as_it_is, message, overlay.roll_back)
            if isinstance(outcome, Refused):
                yield self._letter(outcome.reason, outcome.detail, message)
                continue
            effects, outputs = outcome.effects
            self._changed |= effects.stocks
            self._pending += [*effects.kpis, *effects.anomalies, *effects.models]
            self._left_out.update(effects.left_out)
            self._beyond_long += effects.beyond_long
            yield from outputs

    def _folded(self, overlay: Overlay[Any], message: Message) -> tuple[InsightEffects, list[Output]]:
        """Do everything with a record that may fail because of it."""
        overlay.savepoint()
        effects = fold_record(overlay, self._wire.decode(message.value() or b""), appended_ms(message))
        return effects, list(self._outputs(effects))

    def _letter(self, reason: str, detail: str, message: Message, bytes_max: int = LETTER_BYTES_MAX) -> Output:
        letter = dead_letter("insights", reason, detail, message, bytes_max)
        self._pending.append(letter)
        return Output(self._topics.dead_letters, LETTERS_PARTITION, letter.key, self._wire.encode(letter))

    def conclude(self, partitions: Collection[int]) -> Iterable[Output]:
        """Return nothing: all outputs come with records."""
        return ()

    def wants_cycle(self) -> bool:
        """Return False: only records change anything here."""
        return False

    def committed(self) -> None:
        """Let metrics show what is durable now."""
        self._observer.observe_committed(self._pending)
        self._stocks |= self._changed
        self._observer.show_stock(self._stocks)
        self._observer.observe_left_out(self._left_out, self._beyond_long)
        self.dropped()

    def dropped(self) -> None:
        """Forget what was not committed: the records come again."""
        self._pending, self._changed, self._beyond_long = [], {}, 0
        self._left_out.clear()

    def assigned(self, partition: int, overlay: Overlay[Any] | None) -> None:
        """Set the gauges again from the state."""
        if overlay is not None:
            held = self._held(overlay)
            self._stocks = dict(held.stock)
            self._observer.show_insights(held)

    def revoked(self, partition: int) -> None:
        """Withdraw the gauges, which the next owner shows."""
        self._stocks = {}
        self._observer.withdraw_insights()

    def _outputs(self, effects: InsightEffects) -> Iterator[Output]:
        topics = self._topics
        for kpi in effects.kpis:
            yield self._output(topics.kpis, f"{kpi.name}|{kpi.grain}|{kpi.by}", kpi)
        for anomaly in effects.anomalies:
            yield self._output(topics.anomalies, f"{anomaly.kpi}|{anomaly.by}", anomaly)
        for model in effects.models:
            yield self._output(topics.models, model.kind, model)
        for record in effects.broadcast:
            value = sized(self._wire.encode(record), b"")
            for partition in range(self._journal_partitions):
                yield Output(topics.journal, partition, None, value)
        if effects.is_behind:
            yield self._output(topics.facts, "0", GOING_ON)

    def _output(self, topic: str, key: str, record: msgspec.Struct) -> Output:
        return Output(topic, ONLY_PARTITION, key.encode(), sized(self._wire.encode(record), key))
