"""A prefix as earlier rules left it on a real broker: the journal that they wrote, what came of it, and its state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import Consumer, TopicPartition

from schemas.insights import Count, Facts
from schemas.wire import SINGLE_OBJECT
from streams.kafka.config import reader_config
from streams.offline.refold import refold
from streams.operations.create import make_topics
from streams.settings import parse_domain
from streams.worker_settings import WorkerSettings
from tests.support.producing import a_producer
from tests.support.running import Place
from tests.support.same_bytes import read_partitions

if TYPE_CHECKING:
    from pathlib import Path

    from confluent_kafka import Message, Producer

    from streams.offline.refold import Contents


def a_place_of(written: Path, brokers: str, prefix: str, folder: Path) -> Place:
    """Creates the topics and fills them as workers did that wrote this journal; all of it is folded.

    What comes of the journal is folded again here. That its bytes are those of then is what test_fold_upgrades shows.
    """
    journal = read_partitions(written)
    first = journal[0][0].value() or b""
    domain = parse_domain(SINGLE_OBJECT.decode(first).settings)
    place = Place(WorkerSettings(brokers=brokers, prefix=prefix), domain, folder.resolve())
    make_topics(place.settings, domain)
    with a_producer(brokers) as producer:
        producer.produce(place.topics.settings, first, b"domain", 0)
        producer.produce(place.topics.facts, first, None, 0)
        for partition, messages in journal.items():
            _write(producer, place, messages)
            _write_contents(producer, place, partition, refold(messages, SINGLE_OBJECT))
    _commit(place, {partition: len(messages) for partition, messages in journal.items()})
    return place


def _write(producer: Producer, place: Place, messages: list[Message]) -> None:
    for offset, message in enumerate(messages):
        assert message.offset() == offset
        producer.produce(
            place.topics.journal,
            message.value(),
            message.key(),
            message.partition() or 0,
            headers=list(message.headers() or ()),
        )


def _write_contents(producer: Producer, place: Place, partition: int, contents: Contents) -> None:
    for topic, by_key in contents.topics.items():
        for key, values in by_key.items():
            for value in values:
                producer.produce(getattr(place.topics, topic), value, key, partition)
    counts = tuple(Count(*name, value) for name, value in contents.sums.counts.items() if value)
    facts = Facts(partition, None, counts, tuple(contents.sums.panel.elements()))
    producer.produce(place.topics.facts, SINGLE_OBJECT.encode(facts), b"%d" % partition, 0)
    for key, value in contents.state.items():
        producer.produce(place.topics.profiles_changelog, value, key, partition)


def _commit(place: Place, ends: dict[int, int]) -> None:
    consumer = Consumer(reader_config(place.settings.brokers, {}, group=place.settings.prefix))
    try:
        offsets = [TopicPartition(place.topics.journal, number, end) for number, end in ends.items()]
        consumer.commit(offsets=offsets, asynchronous=False)
    finally:
        consumer.close()
