"""Records written by a producer that is not the product's."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from confluent_kafka import Producer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SECONDS = 60.0


@contextmanager
def a_producer(brokers: str, **config: str | int) -> Iterator[Producer]:
    """Puts keys where Kafka's own clients do; at the end the broker has taken every record.

    `config` are settings of librdkafka, with underscores for dots.
    """
    settings = {name.replace("_", "."): value for name, value in config.items()}
    # without idempotence a batch that is sent again may come twice, or after the next one
    fixed = {"bootstrap.servers": brokers, "partitioner": "murmur2_random", "enable.idempotence": True}
    producer = Producer({**fixed, **settings})
    yield producer
    assert producer.flush(_SECONDS) == 0


def produce(brokers: str, topic: str, value: bytes, key: bytes | None = None, partition: int = -1) -> None:
    """Writes one record."""
    with a_producer(brokers) as producer:
        producer.produce(topic, value, key, partition)


def transact(
    brokers: str, name: str, topic: str, values: Iterable[bytes], partition: int = -1, *, is_committed: bool = True
) -> None:
    """Writes records in one transaction, which is committed or aborted."""
    with a_producer(brokers, transactional_id=name) as producer:
        producer.init_transactions(_SECONDS)
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value, partition=partition)
        producer.flush(_SECONDS)
        (producer.commit_transaction if is_committed else producer.abort_transaction)(_SECONDS)
