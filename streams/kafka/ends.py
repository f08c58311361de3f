"""The ends of partitions, asked of the brokers at intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_END, KafkaException, TopicPartition

from streams.kafka.config import ANSWER_SECONDS
from streams.kafka.offsets import End

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from confluent_kafka import Consumer

    from streams.kafka.offsets import PartitionId

ASK_SECONDS = 0.5


class EndOffsets:
    """The ends of owned partitions, asked with a consumer that has joined no group; blocks."""

    def __init__(self, consumer: Consumer, now_ms: Callable[[], int | None]) -> None:
        """`now_ms` gives the brokers' time, never later than it is."""
        self._consumer = consumer
        self._now_ms = now_ms

    def ask(self, places: Collection[PartitionId]) -> dict[PartitionId, End]:
        """Return all ends, or raise KafkaException. The clock is read first: no earlier record is beyond the end."""
        asked_ms = self._now_ms()
        return {place: End(offset, asked_ms) for place, offset in end_offsets(self._consumer, places).items()}


def end_offsets(consumer: Consumer, places: Collection[PartitionId]) -> dict[PartitionId, int]:
    """Return the ends of partitions, with one request for each broker; blocks, raises KafkaException.

    For a consumer that reads uncommitted, the end includes records of open transactions; callers have to wait for them.
    """
    # sorted: librdkafka repeats a topic for each run of its partitions
    wanted = [TopicPartition(*place, OFFSET_END) for place in sorted(places)]
    answers = consumer.offsets_for_times(wanted, timeout=ANSWER_SECONDS)
    for answer in answers:
        # the error of a first attempt may remain, although a second was answered
        if answer.error is not None:
            raise KafkaException(answer.error)
    return {(answer.topic, answer.partition): answer.offset for answer in answers}
