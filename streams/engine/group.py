"""How far the group as a whole has come in a topic, whoever owns its partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from streams.engine.ends import find_leaders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka.admin import AdminClient

LOOK_SECONDS = 0.1
"""From one look to the next at most while one is wanted: other workers commit too."""
_ANSWER_SECONDS = 10.0


class Standing(NamedTuple):
    """Offsets by partition, of every partition of a topic."""

    committed: Mapping[int, int]
    """The group's; 0 where it has none."""
    ends: Mapping[int, int]
    """Asked after the committed ones were known; of open transactions too."""


class GroupOffsets:
    """Asks the brokers where the group stands; blocks."""

    def __init__(self, admin: AdminClient, group: str) -> None:
        self._admin = admin
        self._group = group
        self._partitions: dict[str, list[int]] = {}

    def ask(self, topic: str) -> Standing:
        """Give committed offsets, and then the ends; raises KafkaException."""
        if topic not in self._partitions:
            self._partitions[topic] = list(self._admin.list_topics(topic, _ANSWER_SECONDS).topics[topic].partitions)
        places = [TopicPartition(topic, number) for number in self._partitions[topic]]
        # one that a pending transaction will move is given as it still is: too low is right here
        asked = self._admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(self._group, places)], request_timeout=_ANSWER_SECONDS
        )
        found = asked[self._group].result().topic_partitions
        committed = {each.partition: max(each.offset, 0) for each in found}
        answers = self._admin.list_offsets(
            {place: OffsetSpec.latest() for place in places},
            isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=_ANSWER_SECONDS,
        )
        try:
            ends = {place.partition: answer.result().offset for place, answer in answers.items()}
        except KafkaException:
            find_leaders(self._admin, [topic])
            raise
        return Standing(committed, ends)
