"""Partitions of a stable group that nobody owns.

A static member may leave some: in a cooperative rebalance it gives up partitions first, and joins again to have them
shared out. If it ends in between, its next life is let in without a rebalance, and they are nobody's for good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import ConsumerGroupState

if TYPE_CHECKING:
    from collections.abc import Collection

    from confluent_kafka.admin import AdminClient

    from streams.engine.partition import Place

_ANSWER_SECONDS = 10.0


class Unowned:
    """Asks the brokers who owns what in a group; blocks."""

    def __init__(self, admin: AdminClient, group: str, topics: Collection[str]) -> None:
        self._admin = admin
        self._group = group
        self._topics = topics

    def ask(self) -> set[Place]:
        """Give what nobody owns, nothing of a group that is about to change; raises KafkaException.

        Between the two halves of a rebalance a group is stable too: only what is found twice counts.
        """
        asked = self._admin.describe_consumer_groups([self._group], request_timeout=_ANSWER_SECONDS)
        group = asked[self._group].result()
        if group.state != ConsumerGroupState.STABLE:
            return set()
        owned = {(at.topic, at.partition) for member in group.members for at in member.assignment.topic_partitions}
        there = {
            (topic, number)
            for topic in self._topics
            for number in self._admin.list_topics(topic, _ANSWER_SECONDS).topics[topic].partitions
        }
        return there - owned
