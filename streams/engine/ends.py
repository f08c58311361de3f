"""Where the owned partitions end, asked of the brokers at intervals."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from streams.engine.status import End

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from confluent_kafka.admin import AdminClient

    from streams.engine.partition import Place

ASK_SECONDS = 0.5
_ANSWER_SECONDS = 10.0


class EndOffsets:
    """Asks for high watermarks, in one request for all partitions; blocks."""

    def __init__(self, admin: AdminClient) -> None:
        self._admin = admin

    def ask(self, places: Collection[Place]) -> dict[Place, End]:
        """Give those that answered. The clock is read first: no record before it lies beyond the end."""
        asked_ms = int(time.time() * 1_000)
        wanted = {TopicPartition(*place): OffsetSpec.latest() for place in places}
        # uncommitted: a record of an open transaction is one that will have to be waited for
        answers = self._admin.list_offsets(
            wanted, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=_ANSWER_SECONDS
        )
        ends: dict[Place, End] = {}
        unknown = set()
        for asked, answer in answers.items():
            try:
                ends[asked.topic, asked.partition] = End(answer.result().offset, asked_ms)
            except KafkaException:
                unknown.add(asked.topic)
        find_leaders(self._admin, unknown)
        return ends


def find_leaders(admin: AdminClient, topics: Iterable[str]) -> None:
    """Have the client ask who leads their partitions, after a question about them was refused; blocks.

    librdkafka's admin asks with the leader and its epoch that it knows, is refused, and does not ask for the new
    one until its metadata are 15 minutes old.
    """
    for topic in topics:
        admin.list_topics(topic, _ANSWER_SECONDS)
