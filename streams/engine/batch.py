"""The fetched records of one partition, as one event of Faust."""

from __future__ import annotations

import time
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import faust
import msgspec
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from streams.engine.step_watch import UNWATCHED, Watch

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from confluent_kafka import Message

    from state.overlay import Overlay
    from streams.profiles.effects import Guard

GENERATION = 0
"""Faust's generation of the assignment never changes: the poller's tags show which batches are stale."""


class Output(msgspec.Struct, frozen=True, gc=False):
    """A record to send.

    It names its partition: a fold's own partition for its customers, `streams.kafka.partitioner` with a number of
    partitions from the settings for other keys. So no number that the client sees decides.
    """

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] | None = None


class Condemned(NamedTuple):
    """Why a record is set aside without being tried."""

    reason: str
    """The dead letter's reason, which is a metric's label."""
    detail: str


_NONE: Mapping[int, Condemned] = {}
_NO_GUARDS: Mapping[int, Guard] = {}


class Batch:
    """Records of one partition in the order of their offsets; `next_offset` follows the last one.

    Without records it says that the partition was read up to `next_offset`: there were only records of transactions
    themselves.
    """

    __slots__ = (
        "_process",
        "_watch",
        "condemned",
        "error",
        "guards",
        "messages",
        "next_offset",
        "outputs",
        "overlay",
        "partition",
        "topic",
    )

    def __init__(self, topic: str, partition: int, messages: list[Message], next_offset: int) -> None:
        self.topic = topic
        self.partition = partition
        self.messages = messages
        self.next_offset = next_offset
        self.overlay: Overlay[Any] | None = None
        self.condemned: Mapping[int, Condemned] = _NONE
        """By offset: records that the processor sets aside without trying them."""
        self.outputs: list[Output] | None = None
        self.error: Exception | None = None
        self._process: Callable[[Batch], Iterable[Output]] | None = None
        self._watch: Watch = UNWATCHED
        self.guards: Mapping[int, Guard] = _NO_GUARDS
        """By offset: guards of the timers that a record fires."""

    def bind(
        self, process: Callable[[Batch], Iterable[Output]], overlay: Overlay[Any] | None, watch: Watch = UNWATCHED
    ) -> None:
        self._process = process
        self.overlay = overlay
        self._watch = watch

    def records(self) -> Iterator[Message]:
        """Yield the records in order, noting before each few of them that they are in hand."""
        return chain.from_iterable(self._slices())

    def _slices(self) -> Iterator[Sequence[Message]]:
        messages, watch = self.messages, self._watch
        size = watch.slice_records
        for start in range(0, len(messages), size):
            piece = messages[start : start + size]
            watch.hold(piece[0].offset(), piece[-1].offset())
            yield piece

    def run(self) -> None:
        """Hand the batch to its input's processor; hold its outputs until the whole batch has succeeded.

        An exception is kept for the engine, which aborts and reads again. Raised here, it would end the agent, and
        Faust takes seconds to start another.
        """
        if self._process is None:
            raise RuntimeError(f"the batch of {self.topic}-{self.partition} was not handed out by the engine")
        self._watch.take((self.topic, self.partition))
        try:
            self.outputs = list(self._process(self))
        except Exception as error:  # noqa: BLE001 - the engine deals with all of them alike
            self.error = error
        finally:
            self._watch.clear()


class BatchSchema(faust.Schema[Any, Any]):
    """A schema that passes a batch on undecoded."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:  # noqa: ANN401, ARG002 - as Faust has it
        return message.key

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:  # noqa: ANN401, ARG002 - as Faust has it
        return message.value


class BatchMessage(ConsumerMessage):
    """A batch on its way through Faust; `done` is resolved when the agent has finished with it."""

    # The stream sets `acked` when it has finished an event, without calling the consumer. So it is a property here,
    # and only the first time counts.
    use_tracking = False

    def __init__(self, batch: Batch, done: Future[None]) -> None:
        self.done = done
        self._acked = False
        super().__init__(
            batch.topic,
            batch.partition,
            batch.next_offset,
            time.time(),
            0,
            None,
            None,
            None,
            None,
            0,
            0,
            TP(batch.topic, batch.partition),
            generation_id=GENERATION,
        )
        self.key = b""
        self.value: Any = batch

    @property
    def acked(self) -> bool:
        return self._acked

    @acked.setter
    def acked(self, acked: bool) -> None:
        self._acked = acked
        if acked and not self.done.done():
            self.done.set_result(None)
