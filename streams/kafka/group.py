"""The offsets that a group as a whole has committed in a topic, on all workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, TopicPartition

from streams.kafka.config import ANSWER_SECONDS
from streams.kafka.ends import end_offsets
from streams.kafka.offsets import GroupOffsets

if TYPE_CHECKING:
    from confluent_kafka import Consumer

LOOK_SECONDS = 0.1
"""Longest time between two requests while an answer is wanted: other workers commit too."""


class GroupOffsetsReader:
    """The committed offsets of a consumer's group, asked of the brokers; blocks.

    The consumer has not joined its group, and reads uncommitted. An offset that an open transaction will move is given
    as it still is, which is too low and right here. librdkafka's admin client has the same request, but it ends the
    process when the group's coordinator is away for long (librdkafka #3663, #4605).
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._partitions: dict[str, list[int]] = {}

    def ask(self, topic: str) -> GroupOffsets:
        """Return committed offsets, and the ends asked after them; raises KafkaException."""
        if topic not in self._partitions:
            self._partitions[topic] = list(self._consumer.list_topics(topic, ANSWER_SECONDS).topics[topic].partitions)
        places = [(topic, number) for number in self._partitions[topic]]
        answers = self._consumer.committed([TopicPartition(*place) for place in places], timeout=ANSWER_SECONDS)
        for answer in answers:
            if answer.error is not None:
                raise KafkaException(answer.error)
        committed = {answer.partition: max(answer.offset, 0) for answer in answers}
        ends = {number: offset for (_, number), offset in end_offsets(self._consumer, places).items()}
        return GroupOffsets(committed, ends)
