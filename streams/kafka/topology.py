"""What topics are now: how many partitions they have, and whether they are the same topics as before."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException, TopicCollection

from streams.kafka.config import ANSWER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Collection

    from confluent_kafka.admin import AdminClient

_NO_ID = "A" * 22
"""The zero id, by which a broker says that topics have no ids (before KIP-516)."""


class TopicSeen(NamedTuple):
    """A topic as the brokers describe it."""

    partitions: int
    id: str
    """Given at its creation, so a topic that is deleted and made again has another; empty: the brokers have no ids."""


class TopicsAsker(Protocol):
    """The brokers, asked about topics; blocks."""

    def ask(self, names: Collection[str]) -> dict[str, TopicSeen]:
        """Return the topics that are there; KafkaException: no answer."""
        ...


class DescribedTopics:
    """The brokers behind an admin client."""

    def __init__(self, admin: AdminClient) -> None:
        self._admin = admin

    def ask(self, names: Collection[str]) -> dict[str, TopicSeen]:
        found: dict[str, TopicSeen] = {}
        answers = self._admin.describe_topics(TopicCollection(sorted(names)), request_timeout=ANSWER_SECONDS)
        for name, answer in answers.items():
            try:
                described = answer.result()
            except KafkaException as error:
                reason = error.args[0]
                if reason.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    continue
                raise KafkaException(KafkaError(reason.code(), f"topic {name}: {reason.str()}")) from error
            topic_id = str(described.topic_id)
            found[name] = TopicSeen(len(described.partitions), "" if topic_id == _NO_ID else topic_id)
        return found
