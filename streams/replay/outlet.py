"""The sink of a replay: touchpoints by customer, marks to every partition, refused lines to the dead letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, Producer

from schemas.outputs import DeadLetter
from schemas.touchpoint import Mark
from streams.collect.hiding import masked
from streams.kafka.partitioner import partition_of_key

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

    from streams.replay.files.mapped import RefusedLines
    from streams.replay.target import Target

_OURS: dict[str, str | int | bool] = {
    "linger.ms": 20,
    "compression.type": "lz4",
    # limits the memory of a replay that is faster than its broker
    "queue.buffering.max.messages": 50_000,
    "queue.buffering.max.kbytes": 65_536,
}
_FIXED: dict[str, str | int | bool] = {
    # a mark must not overtake the touchpoints before it
    "enable.idempotence": True,
}
_POLL_EVERY = 500
_FULL_SECONDS = 0.5
_FLUSH_SECONDS = 60.0
_RAW_BYTES_MAX = 500_000
_STAGE = "replay"


class Undeliverable(RuntimeError):
    """The broker refused a record; the message says which topic and why."""


def letter_of(refused: RefusedLines, file: str, stage: str) -> DeadLetter:
    """Make the dead letter of lines of a file that could not be used."""
    detail, raw = refused.detail, refused.raw
    if len(raw) > _RAW_BYTES_MAX:
        detail, raw = f"{detail} (the first {_RAW_BYTES_MAX} of {len(raw)} bytes)", raw[:_RAW_BYTES_MAX]
    return DeadLetter(
        reason=refused.reason.value,
        detail=masked(detail),
        stage=stage,
        source_topic=file,
        source_partition=-1,
        source_offset=refused.line_number,
        value=raw,
        lines=refused.lines,
    )


class Outlet:
    """The sink, for one thread. Records are certainly written only when `flush` has returned."""

    def __init__(self, target: Target) -> None:
        self._producer = Producer({**_OURS, **target.kafka, **_FIXED})
        self._touchpoints = target.topics.touchpoints
        self._dead_letters = target.topics.dead_letters
        self._partitions = target.domain.touchpoint_partitions
        self._wire = target.wire
        self._failure: str | None = None
        self._sent = 0

    def touchpoint(self, key: bytes, value: bytes) -> None:
        self._send(self._touchpoints, partition_of_key(key, self._partitions), key, value)

    def mark(self, time_ms: int) -> None:
        value = self._wire.encode(Mark(time_ms))
        for partition in range(self._partitions):
            self._send(self._touchpoints, partition, b"", value)

    def dead_letter(self, refused: RefusedLines, file: str) -> None:
        letter = letter_of(refused, file, _STAGE)
        self._send(self._dead_letters, 0, file.encode(), self._wire.encode(letter))

    def serve(self, seconds: float = 0.0) -> None:
        """Give the client time for its deliveries; raises Undeliverable if one failed."""
        self._producer.poll(seconds)
        if self._failure:
            raise Undeliverable(self._failure)

    def flush(self) -> None:
        """Return when everything sent is written; raises Undeliverable."""
        left = self._producer.flush(_FLUSH_SECONDS)
        self.serve()
        if left:
            message = f"{self._touchpoints}: the broker did not accept {left} records in {_FLUSH_SECONDS:.0f} s"
            raise Undeliverable(message)

    def _send(self, topic: str, partition: int, key: bytes, value: bytes) -> None:
        self._sent += 1
        if self._sent % _POLL_EVERY == 0:
            self.serve()
        while True:
            try:
                self._producer.produce(topic, value, key, partition, on_delivery=self._delivered)
            except BufferError:
                self.serve(_FULL_SECONDS)
            except KafkaException as error:
                raise Undeliverable(f"{topic}: {error.args[0].str()}") from None
            else:
                return

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and self._failure is None:
            self._failure = f"{message.topic()}: {error.str()}"
