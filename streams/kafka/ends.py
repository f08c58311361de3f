"""Where partitions end, asked of the brokers at intervals."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_END, KafkaException, TopicPartition

from streams.kafka.config import ANSWER_SECONDS
from streams.kafka.offsets import End

if TYPE_CHECKING:
    from collections.abc import Collection

    from confluent_kafka import Consumer

    from streams.kafka.offsets import PartitionId

ASK_SECONDS = 0.5


class EndOffsets:
    """Asks for the ends of owned partitions with a consumer that has joined no group; blocks."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def ask(self, places: Collection[PartitionId]) -> dict[PartitionId, End]:
        """Give all, or raise KafkaException. The clock is read first: no record before it lies beyond the end."""
        asked_ms = int(time.time() * 1_000)
        return {place: End(offset, asked_ms) for place, offset in end_offsets(self._consumer, places).items()}


def end_offsets(consumer: Consumer, places: Collection[PartitionId]) -> dict[PartitionId, int]:
    """Ask where partitions end, in one request a broker; blocks, raises KafkaException.

    A consumer that reads uncommitted is told of open transactions' records too: they will have to be waited for.
    """
    # sorted: librdkafka writes a topic down anew with each run of its partitions
    wanted = [TopicPartition(*place, OFFSET_END) for place in sorted(places)]
    answers = consumer.offsets_for_times(wanted, timeout=ANSWER_SECONDS)
    for answer in answers:
        # what is left of a first attempt, though a second was answered
        if answer.error is not None:
            raise KafkaException(answer.error)
    return {(answer.topic, answer.partition): answer.offset for answer in answers}
