"""Tails of a partition, on real Kafka."""

from __future__ import annotations

from confluent_kafka import Producer

from streams.kafka.reader import last_committed, read_tail
from streams.kafka.topics import create_topics
from streams.topics import TopicSpec

ANSWER_SECONDS = 20.0


def a_transaction(brokers: str, topic: str, first: int, count: int, *, is_committed: bool) -> None:
    """Numbers in a row."""
    producer = Producer({"bootstrap.servers": brokers, "transactional.id": topic})
    producer.init_transactions(ANSWER_SECONDS)
    producer.begin_transaction()
    for number in range(first, first + count):
        producer.produce(topic, b"%d" % number, partition=0)
    producer.flush(ANSWER_SECONDS)
    if is_committed:
        producer.commit_transaction(ANSWER_SECONDS)
    else:
        producer.abort_transaction(ANSWER_SECONDS)


def test_each_tail_is_longer_and_they_end_at_the_same_record(kafka: str, prefix: str) -> None:
    create_topics(kafka, [TopicSpec(prefix, 1)])
    a_transaction(kafka, prefix, 0, 300, is_committed=True)
    tails = read_tail(kafka, prefix, 0)
    lengths = [len(next(tails))]
    a_transaction(kafka, prefix, 300, 5, is_committed=True)
    for tail in tails:
        assert [int(each.value() or b"") for each in tail] == list(range(300 - len(tail), 300))
        lengths.append(len(tail))
    # one offset is that of the transaction's marker
    assert lengths == [63, 255, 300]


def test_the_last_committed_record_may_be_far_before_the_end(kafka: str, prefix: str) -> None:
    create_topics(kafka, [TopicSpec(prefix, 1)])
    assert last_committed(kafka, prefix, 0) is None
    a_transaction(kafka, prefix, 0, 1, is_committed=True)
    a_transaction(kafka, prefix, 1, 400, is_committed=False)
    last = last_committed(kafka, prefix, 0)
    assert last is not None
    assert last.value() == b"0"
