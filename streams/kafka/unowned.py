"""Partitions of a stable group that nobody owns.

A static member may leave some: in a cooperative rebalance it gives up partitions first, and joins again to have them
shared out. If it ends in between, its next life is let in without a rebalance, and they are nobody's for good.
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
    """Asks the brokers who owns what in a group; blocks."""

    def __init__(self, admin: AdminClient, group: str, topics: Collection[str]) -> None:
        self._admin = admin
        self._group = group
        self._topics = topics

    def ask(self) -> set[PartitionId]:
        """Give what nobody owns, nothing of a group that is about to change; raises KafkaException.

        Between the two halves of a rebalance a group is stable too: only what is found twice counts.
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
    """Read what a member was assigned, as Kafka's ConsumerProtocolAssignment, of any version, begins."""
    reader = BytesIO(written)

    def number(size: int) -> int:
        return int.from_bytes(reader.read(size), "big")

    number(2)  # the version
    for _ in range(number(4)):
        topic = reader.read(number(2)).decode()
        for _ in range(number(4)):
            yield topic, number(4)
