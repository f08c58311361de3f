"""The group's committed offsets once no transaction that may move them is pending."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from confluent_kafka import TopicPartition

from streams.kafka.config import reader_config

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from confluent_kafka import Consumer

    from streams.engine.clients import Clients
    from streams.engine.settings import EngineSettings
    from streams.kafka.offsets import PartitionId

NOT_COMMITTED = -1
_ANSWER_SECONDS = 5.0


class OffsetsRefused(Exception):
    """The brokers do not say where the group is: asking again does not help."""


@contextmanager
def outsider(clients: Clients, settings: EngineSettings, **config: str | int) -> Iterator[Consumer]:
    """Open a consumer of the group's name that joins nothing; unless said otherwise it reads committed."""
    consumer = clients.consumer({**reader_config(settings.brokers, settings.client, settings.group), **config})
    try:
        yield consumer
    finally:
        consumer.close()


def stable_offsets(consumer: Consumer, places: Collection[PartitionId]) -> dict[PartitionId, int]:
    """Ask for committed offsets, NOT_COMMITTED where there is none; blocks while a transaction is being decided.

    The consumer reads committed and has not joined the group: a member's own may not be asked while its thread polls.

    Raises:
        KafkaException: there is no answer; unless it is fatal, ask again.
        OffsetsRefused: the answer is an error.
    """
    asked = [TopicPartition(*place) for place in places]
    answers = consumer.committed(asked, timeout=_ANSWER_SECONDS)
    for answer in answers:
        if answer.error is not None:
            raise OffsetsRefused(f"{answer.topic}-{answer.partition}: {answer.error}")
    return {(each.topic, each.partition): max(each.offset, NOT_COMMITTED) for each in answers}
