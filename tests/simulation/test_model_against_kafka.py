"""What the simulation's model of Kafka shows a client is what a real Kafka shows it."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaException, TopicPartition

from tests.simulation.sides import PARTITIONS, KafkaSide, ModelSide, Side

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = 5
Seen = Iterator[object]


def answer(call: Callable[..., object], *arguments: object) -> str:
    """What a call says, as the engine hears it."""
    try:
        call(*arguments)
    except KafkaException as raised:
        error = raised.args[0]
        if error.fatal():
            return "fatal"
        return "retriable" if error.retriable() else f"abort: {error.name()}"
    return "done"


def sent(side: Side, producer: Any, *values: bytes, partition: int = 0) -> None:
    for value in values:
        producer.produce(side.topic, value=value, key=b"key", partition=partition)
    assert producer.flush(10) == 0


def transact(side: Side, producer: Any, *values: bytes, commit: bool = True) -> None:
    producer.begin_transaction()
    sent(side, producer, *values)
    if commit:
        producer.commit_transaction(10)
    else:
        producer.abort_transaction(10)


def wait_for_end(side: Side, end: int) -> None:
    """Until the last marker is written: the answer to a commit may come before."""
    side.wait_until(lambda: side.standing()[1][0] == end, f"partition 0 ends at {end}: {side.standing()}")


def read(side: Side, consumer: Any, end: int) -> list[tuple[int, bytes | None]]:
    """Offsets and values up to the end of the partition at `end`; ends have no value."""
    seen: list[tuple[int, bytes | None]] = []

    def is_at_end() -> bool:
        message = consumer.poll(0.2)
        if message is None:
            return False
        if message.error() is None:
            seen.append((message.offset(), message.value()))
            return False
        return bool(message.offset() == end)

    side.wait_until(is_at_end, f"the end at {end} comes: {seen}")
    return [*seen, (end, None)]


def markers_take_offsets_and_aborted_records_are_passed_over(side: Side) -> Seen:
    producer = side.producer()
    transact(side, producer, b"a", b"b")
    transact(side, producer, b"c", commit=False)
    transact(side, producer, b"d")
    wait_for_end(side, 7)
    yield read(side, side.reader(), 7)
    yield read(side, side.reader(isolation="read_uncommitted"), 7)


def a_transaction_without_records_leaves_nothing(side: Side) -> Seen:
    producer = side.producer()
    producer.begin_transaction()
    producer.commit_transaction(10)
    producer.begin_transaction()
    producer.abort_transaction(10)
    transact(side, producer, b"a")
    wait_for_end(side, 2)
    yield read(side, side.reader(), 2)


def an_open_transaction_holds_back_what_others_committed(side: Side) -> Seen:
    one, other = side.producer(1), side.producer(2)
    one.begin_transaction()
    sent(side, one, b"a")
    transact(side, other, b"b")
    wait_for_end(side, 3)
    at = TopicPartition(side.topic, 0)
    committed, uncommitted = side.reader(), side.reader(isolation="read_uncommitted")
    yield committed.get_watermark_offsets(at, 10), uncommitted.get_watermark_offsets(at, 10)
    yield read(side, committed, 0)
    yield read(side, uncommitted, 3)
    one.commit_transaction(10)
    yield read(side, committed, 4)
    yield committed.get_watermark_offsets(at, 10)


def a_new_producer_of_the_slot_aborts_and_fences_the_old_one(side: Side) -> Seen:
    old = side.producer()
    old.begin_transaction()
    sent(side, old, b"a")
    new = side.producer()
    wait_for_end(side, 2)
    yield answer(old.commit_transaction, 10)
    yield answer(old.abort_transaction, 10)
    transact(side, new, b"b")
    yield read(side, side.reader(), 4)


def a_transaction_that_takes_too_long_is_aborted_and_its_producer_ends(side: Side) -> Seen:
    producer = side.producer()
    producer.begin_transaction()
    sent(side, producer, b"a")
    wait_for_end(side, 2)
    yield answer(producer.commit_transaction, 10)
    transact(side, side.producer(), b"b")
    yield read(side, side.reader(), 4)


def a_record_larger_than_its_topic_takes_fails_the_transaction(side: Side) -> Seen:
    producer = side.producer()
    refused: list[str] = []
    for size in (1_000_000, 1_100_000):
        producer.begin_transaction()
        producer.produce(
            side.topic,
            value=Random(size).randbytes(size),
            key=b"key",
            partition=0,
            on_delivery=lambda error, _: refused.append(error and error.name()),
        )
        yield answer(producer.flush, 10)
        if answer(producer.commit_transaction, 10) != "done":
            producer.abort_transaction(10)
    yield refused
    # as after any abort: librdkafka would go on with a sequence number that the broker has not seen
    transact(side, side.producer(), b"a")
    end = 5
    wait_for_end(side, end)
    yield [(offset, len(value or b"")) for offset, value in read(side, side.reader(), end)]


def an_end_is_told_again_after_a_seek_and_after_new_records(side: Side) -> Seen:
    producer, reader = side.producer(), side.reader()
    yield read(side, reader, 0)
    transact(side, producer, b"a", b"b")
    yield read(side, reader, 3)
    reader.seek(TopicPartition(side.topic, 0, 1))
    yield read(side, reader, 3)
    # a seek after the last record, to a marker
    reader.seek(TopicPartition(side.topic, 0, 2))
    yield read(side, reader, 3)


def nothing_comes_of_what_is_paused(side: Side) -> Seen:
    producer, reader = side.producer(), side.reader()
    at = [TopicPartition(side.topic, 0)]
    yield read(side, reader, 0)
    reader.pause(at)
    transact(side, producer, b"a")
    wait_for_end(side, 2)
    yield [reader.poll(0.1) for _ in range(5)]
    reader.resume(at)
    yield read(side, reader, 2)


def each_record_is_reported_where_it_was_sent(side: Side) -> Seen:
    producer = side.producer()
    reported: dict[int, tuple[int, int]] = {}

    def report(number: int, message: Any) -> None:
        reported[number] = message.partition(), message.offset()

    producer.begin_transaction()
    for number in range(20):
        key = b"key-%d" % number
        producer.produce(
            side.topic,
            value=b"value",
            key=key,
            partition=number % 2,
            on_delivery=lambda _, message, of=number: report(of, message),
        )
    producer.flush(10)
    producer.commit_transaction(10)
    yield reported


def offsets_are_committed_with_their_transaction_or_not_at_all(side: Side) -> Seen:
    producer, reader = side.producer(), side.reader()
    stranger = reader.consumer_group_metadata()
    for offset, ends in ((5, "commit_transaction"), (9, "abort_transaction")):
        producer.begin_transaction()
        yield answer(producer.send_offsets_to_transaction, [TopicPartition(side.topic, 0, offset)], stranger, 10)
        yield side.standing()
        getattr(producer, ends)(10)
        [committed] = reader.committed([TopicPartition(side.topic, 0)], 10)
        yield committed.offset
    yield side.standing()


class Membership:
    """A member of the group that takes what it is given."""

    def __init__(self, side: Side, slot: int) -> None:
        self.consumer = side.member(slot)
        self.owned: set[int] = set()
        self.consumer.subscribe([side.topic], on_assign=self._take, on_revoke=self._give_up, on_lost=self._give_up)

    def _take(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        self.owned.update(each.partition for each in partitions)

    def _give_up(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        consumer.incremental_unassign(partitions)
        self.owned.difference_update(each.partition for each in partitions)


def only_members_of_the_present_generation_commit_offsets(side: Side) -> Seen:
    producer = side.producer()

    def commit_as(metadata: bytes) -> str:
        producer.begin_transaction()
        sent(side, producer, b"value", partition=1)
        said = answer(producer.send_offsets_to_transaction, [TopicPartition(side.topic, 0, 1)], metadata, 10)
        if said == "done":
            producer.commit_transaction(10)
        else:
            producer.abort_transaction(10)
        return said

    def wait_for_shares(*shares: int) -> None:
        def are_there() -> bool:
            for member in members:
                member.consumer.poll(0.05)
            return tuple(len(member.owned) for member in members) == shares

        side.wait_until(are_there, f"shares are {shares}: {[member.owned for member in members]}")

    members = [Membership(side, 1)]
    wait_for_shares(PARTITIONS)
    alone = members[0].consumer.consumer_group_metadata()
    yield commit_as(alone)
    members.append(Membership(side, 2))
    wait_for_shares(1, 1)
    yield sorted(members[0].owned | members[1].owned)
    second = members[1].consumer.consumer_group_metadata()
    yield commit_as(alone)
    yield commit_as(members[0].consumer.consumer_group_metadata())
    yield commit_as(second)
    members.pop().consumer.close()
    wait_for_shares(PARTITIONS)
    yield commit_as(second)
    yield commit_as(members[0].consumer.consumer_group_metadata())
    members.pop().consumer.close()
    yield commit_as(second)


SCRIPTS = (
    markers_take_offsets_and_aborted_records_are_passed_over,
    a_transaction_without_records_leaves_nothing,
    an_open_transaction_holds_back_what_others_committed,
    a_new_producer_of_the_slot_aborts_and_fences_the_old_one,
    a_transaction_that_takes_too_long_is_aborted_and_its_producer_ends,
    a_record_larger_than_its_topic_takes_fails_the_transaction,
    an_end_is_told_again_after_a_seek_and_after_new_records,
    nothing_comes_of_what_is_paused,
    each_record_is_reported_where_it_was_sent,
    offsets_are_committed_with_their_transaction_or_not_at_all,
    only_members_of_the_present_generation_commit_offsets,
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_the_model_shows_what_kafka_shows(script: Callable[[Side], Seen], kafka: str, prefix: str) -> None:
    expected = KafkaSide(kafka, prefix).play(script)
    for seed in range(SEEDS):
        assert ModelSide(prefix, seed).play(script) == expected, f"seed {seed}"
