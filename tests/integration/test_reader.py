"""Tails of a partition, on real Kafka."""

from __future__ import annotations

from streams.kafka.reader import last_committed, read_tail
from streams.kafka.topics import create_topics
from streams.topics import TopicSpec
from tests.support.producing import transact


def numbers(first: int, end: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, end)]


def test_each_tail_is_longer_and_they_end_at_the_same_record(kafka: str, prefix: str) -> None:
    create_topics(kafka, [TopicSpec(prefix, 1)])
    transact(kafka, prefix, prefix, numbers(0, 300), 0)
    tails = read_tail(kafka, prefix, 0)
    lengths = [len(next(tails))]
    transact(kafka, prefix, prefix, numbers(300, 305), 0)
    for tail in tails:
        assert [int(each.value() or b"") for each in tail] == list(range(300 - len(tail), 300))
        lengths.append(len(tail))
    # one offset is that of the transaction's marker
    assert lengths == [63, 255, 300]


def test_the_last_committed_record_may_be_far_before_the_end(kafka: str, prefix: str) -> None:
    create_topics(kafka, [TopicSpec(prefix, 1)])
    assert last_committed(kafka, prefix, 0) is None
    transact(kafka, prefix, prefix, numbers(0, 1), 0)
    transact(kafka, prefix, prefix, numbers(1, 401), 0, is_committed=False)
    last = last_committed(kafka, prefix, 0)
    assert last is not None
    assert last.value() == b"0"
