"""A topic's committed records, read from a start to the topic's present end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from streams.kafka.config import PATIENT_SECONDS, reader_config
from streams.kafka.watermarks import watermarks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from confluent_kafka import Message

_POLL_SECONDS = 0.2
_RECORDS_MAX = 5_000
_TAIL = 64


class TopicMissing(Exception):
    """A topic to read does not exist."""


def read_committed(
    brokers: str,
    topic: str,
    client: Mapping[str, str] | None = None,
    partitions: Collection[int] | None = None,
    start: Mapping[int, int] | None = None,
) -> Iterator[Message]:
    """Yield the records between `start` (offset by partition; else the beginning) and the end at the call.

    Nothing after the start of an open transaction is read. Records are in order within a partition.
    """
    consumer = Consumer(reader_config(brokers, client or {}))
    try:
        chosen = sorted(partitions if partitions is not None else _partitions(consumer, topic))
        begin = {number: (start or {}).get(number, OFFSET_BEGINNING) for number in chosen}
        ends = {number: watermarks(consumer, (topic, number)) for number in chosen}
        open_ = {number for number, (low, high) in ends.items() if high > max(low, begin[number])}
        consumer.assign([TopicPartition(topic, number, begin[number]) for number in sorted(open_)])
        yield from _read(consumer, {number: ends[number][1] for number in open_})
    finally:
        consumer.close()


def read_tail(
    brokers: str, topic: str, partition: int, client: Mapping[str, str] | None = None
) -> Iterator[list[Message]]:
    """Yield the committed records of ever longer tails of a partition, at last of all of it; all end where it ended."""
    consumer = Consumer(reader_config(brokers, client or {}))
    try:
        low, high = watermarks(consumer, (topic, partition))
        back = _TAIL
        while high > low:
            start = max(low, high - back)
            consumer.assign([TopicPartition(topic, partition, start)])
            yield list(_read(consumer, {partition: high}))
            if start == low:
                return
            back *= 4
    finally:
        consumer.close()


def last_committed(brokers: str, topic: str, partition: int, client: Mapping[str, str] | None = None) -> Message | None:
    """Return the last committed record of a partition; markers of transactions behind it do not count."""
    tails = read_tail(brokers, topic, partition, client)
    return next((messages[-1] for messages in tails if messages), None)


def offset_at(brokers: str, topic: str, partition: int, time_ms: int, client: Mapping[str, str] | None = None) -> int:
    """Return the offset of the first record of a partition with a timestamp at or after a time, else its end."""
    consumer = Consumer(reader_config(brokers, client or {}))
    try:
        (found,) = consumer.offsets_for_times([TopicPartition(topic, partition, time_ms)], timeout=PATIENT_SECONDS)
        if found.error is not None:
            raise KafkaException(found.error)
        return int(found.offset) if found.offset >= 0 else watermarks(consumer, (topic, partition))[1]
    finally:
        consumer.close()


def _read(consumer: Consumer, ends: dict[int, int]) -> Iterator[Message]:
    while ends:
        first = consumer.poll(_POLL_SECONDS)
        if first is None:
            continue
        for message in [first, *consumer.consume(_RECORDS_MAX, 0)]:
            number, offset, error = message.partition(), message.offset(), message.error()
            if error is not None and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
                # the client looks for its group's coordinator although it joins no group: nobody needs a right for that
                continue
            if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
                raise KafkaException(error)
            end = ends.get(number)
            if end is None:
                continue
            if error is None and offset < end:
                yield message
                offset += 1
            if offset >= end:
                del ends[number]


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    metadata = consumer.list_topics(topic, timeout=PATIENT_SECONDS).topics[topic]
    if metadata.error is not None:
        raise TopicMissing(f"topic {topic} cannot be read: {metadata.error.str()}")
    return list(metadata.partitions)
