"""Partitions of a stable group that no worker owns.

A static member may leave some. In a cooperative rebalance it first gives up partitions, then joins again to have them
shared out. If it ends in between, it later rejoins without a rebalance, and nobody ever owns these partitions.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from streams.kafka.config import ANSWER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from confluent_kafka.admin import AdminClient

    from streams.kafka.offsets import PartitionId


class Unowned:
    """The partitions without an owner in a group, asked of the brokers; blocks."""

    def __init__(self, admin: AdminClient, group: str, topics: Collection[str]) -> None:
        self._admin = admin
        self._group = group
        self._topics = topics

    def ask(self) -> set[PartitionId]:
        """Return the partitions without an owner, or none if the group is changing; raises KafkaException.

        A group also looks stable between the two halves of a rebalance: only partitions found twice count.
        """
        # deprecated for describe_consumer_groups(), which ends the process when the group's coordinator is away for
        # longer than an answer may take (librdkafka #4605)
        groups = self._admin.list_groups(self._group, ANSWER_SECONDS)
        members = [member for group in groups if group.state == "Stable" for member in group.members]
        if not members:
            return set()
        owned = {place for member in members for place in _assigned(member.assignment)}
        there = {
            (topic, number)
            for topic in self._topics
            for number in self._admin.list_topics(topic, ANSWER_SECONDS).topics[topic].partitions
        }
        return there - owned


def _assigned(written: bytes) -> Iterator[PartitionId]:
    """Read a member's partitions from a ConsumerProtocolAssignment of Kafka; every version begins alike."""
    reader = BytesIO(written)

    def number(size: int) -> int:
        return int.from_bytes(reader.read(size), "big")

    number(2)  # the version
    for _ in range(number(4)):
        topic = reader.read(number(2)).decode()
        for _ in range(number(4)):
            yield topic, number(4)
