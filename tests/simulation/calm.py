"""What must have come of a run: its records worked off again, in one go and with nothing that could go wrong."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from schemas.journal import PartitionProgress, Progress
from schemas.touchpoint import Mark
from schemas.wire import SINGLE_OBJECT
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.engine.batch import Batch
from tests.simulation.history import JOURNAL_PARTITIONS, configuration, domain
from tests.simulation.model_broker import Entry
from tests.simulation.model_client import ModelMessage
from tests.simulation.model_producer import partition_of
from tests.simulation.outcome import Outcome
from tests.simulation.worker import TOPICS, inputs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.engine.batch import Output
    from streams.engine.inputs import Input
    from streams.settings import DomainSettings
    from tests.simulation.history import Sent
    from tests.simulation.model_broker import ModelBroker

_MARK = SINGLE_OBJECT.header(Mark)


class Calm:
    """The processors of one input over state in memory."""

    def __init__(self, source: Input, outcome: Outcome) -> None:
        self._source = source
        self._outcome = outcome
        self._overlays: dict[int, Overlay[Any] | None] = {}

    def work_off(self, number: int, entries: Iterable[tuple[int, Entry]]) -> list[Output]:
        """Give a partition's records to the processor; what it says is taken into the outcome."""
        topic, processor, codec = self._source.topic, self._source.processor, self._source.codec
        if number not in self._overlays:
            overlay = self._overlays[number] = None if codec is None else Overlay(MemoryStore(), codec)
            processor.assigned(number, overlay)
        messages = [
            ModelMessage(topic, number, offset, entry.key, entry.value, entry.headers, entry.timestamp_ms)
            for offset, entry in entries
        ]
        batch: Any = Batch(topic, number, messages, 0)
        batch.overlay = self._overlays[number]
        outputs = list(processor.process(batch))
        for output in outputs:
            self._outcome.take(output)
        return outputs

    def end(self) -> None:
        """Conclude as the last cycle does, and note the state."""
        for output in self._source.processor.conclude(sorted(self._overlays)):
            self._outcome.take(output)
        for number, overlay in self._overlays.items():
            if overlay is not None:
                overlay.freeze()
                overlay.committed(1)
                self._outcome.state[self._source.topic, number] = dict(overlay.store.items())


def refolded(broker: ModelBroker, settings: DomainSettings) -> Outcome:
    """Process the committed records of every input in the order of the topics."""
    outcome = Outcome()
    for source in inputs(settings):
        calm = Calm(source, outcome)
        for number, log in enumerate(broker.topics[source.topic]):
            calm.work_off(number, log.committed())
        calm.end()
    return outcome.summed()


def calm_run(sent: Iterable[Sent]) -> Outcome:
    """Work off what was sent, a record at a time, time told at once: collect and profiles, without insights.

    For histories in which nothing crosses from one partition to another, but for what is said of an order's owner.
    """
    outcome = Outcome()
    collecting, profiling, _ = (Calm(source, outcome) for source in inputs(domain()))
    for number in range(JOURNAL_PARTITIONS):
        profiling.work_off(number, [(0, Entry(None, configuration()))])
    offsets: dict[int, int] = {}
    come: dict[int, int] = {}
    for each in sent:
        offset = offsets[each.partition] = offsets.get(each.partition, -1) + 1
        for output in collecting.work_off(each.partition, [(offset, Entry(each.key, each.value))]):
            if output.topic == TOPICS.journal:
                _fold(profiling, output)
        if each.value.startswith(_MARK):
            come[each.partition] = SINGLE_OBJECT.decode_as(Mark, each.value).time_ms
            value = SINGLE_OBJECT.encode(_told(come))
            for number in range(JOURNAL_PARTITIONS):
                profiling.work_off(number, [(0, Entry(None, value))])
    profiling.end()
    return outcome.summed()


def _fold(profiling: Calm, collected: Output) -> None:
    """Work off a record of the journal, and at once what an order's entry and its profiles send each other then."""
    waiting = deque([collected])
    while waiting:
        key, value, headers = waiting[0].key or b"", waiting[0].value, waiting.popleft().headers
        number = partition_of(key, JOURNAL_PARTITIONS)
        outputs = profiling.work_off(number, [(0, Entry(key, value, tuple(headers or ())))])
        waiting += [each for each in outputs if each.topic == TOPICS.journal and each.key is not None]


def _told(come: dict[int, int]) -> Progress:
    return Progress(tuple(PartitionProgress(number, time_ms) for number, time_ms in sorted(come.items())))
