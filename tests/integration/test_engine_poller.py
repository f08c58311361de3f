"""The thread that owns the consumer, alone with a real Kafka."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, Producer

from streams.engine.poller import Poller
from streams.engine.settings import EngineSettings, consumer_config
from streams.kafka.topics import create_topics
from streams.topics import TopicSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from streams.engine.listener import Tagged
    from streams.kafka.offsets import PartitionId

PARTITIONS = 8
WAIT_SECONDS = 60.0


class Listening:
    """Notes what comes; while `holds` it makes no room, so that more piles up behind."""

    def __init__(self) -> None:
        self.poller: Poller
        self.values: list[bytes] = []
        self.reached: dict[PartitionId, int] = {}
        self.owned: set[PartitionId] = set()
        self.committed: dict[PartitionId, int] = {}
        self.revoked = 0
        self.holds = False
        self._held = 0

    async def on_assigned(self, tags: Mapping[PartitionId, int]) -> None:
        self.owned.update(tags)
        for place, tag in tags.items():
            await self.poller.resume(place, tag, self.committed.get(place, -1))

    async def on_revoked(self, places: Sequence[PartitionId], *, lost: bool) -> None:  # noqa: ARG002 - of the protocol
        self.owned.difference_update(places)
        self.revoked += len(places)

    def on_chunk(self, chunk: Sequence[Tagged]) -> None:
        for _, batch in chunk:
            self.values += [message.value() for message in batch.messages]
            self.reached[batch.topic, batch.partition] = batch.next_offset
        self._held += 1
        if not self.holds:
            self.go_on()

    def go_on(self) -> None:
        self.holds = False
        while self._held:
            self._held -= 1
            self.poller.release()

    def on_lost(self, place: PartitionId, first: int, begin: int) -> None:
        raise AssertionError(f"{place}: {first} to {begin} are gone")

    async def on_failed(self, error: BaseException) -> None:
        raise error


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not holds():  # noqa: ASYNC110 - records and rebalances tell no event
            await asyncio.sleep(0.01)


def test_ends_of_partitions_fetched_together_do_not_make_a_rebalance_skip_records(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    create_topics(kafka, [TopicSpec(prefix, PARTITIONS)])
    producer = Producer({"bootstrap.servers": kafka})

    def send(text: str) -> set[bytes]:
        values = {f"{text}-{partition}".encode() for partition in range(PARTITIONS)}
        for partition in range(PARTITIONS):
            producer.produce(prefix, f"{text}-{partition}".encode(), None, partition)
        producer.flush()
        return values

    async def scenario() -> None:
        config = consumer_config(EngineSettings(kafka, prefix, prefix, tmp_path))
        listening = Listening()
        poller = listening.poller = Poller(Consumer(config), 1_000, listening)
        poller.start()
        await poller.subscribe([prefix])
        await until(lambda: len(listening.owned) == PARTITIONS)
        listening.holds = True
        sent = send("first")
        await asyncio.sleep(1)  # the ends of all partitions wait in one queue now
        listening.go_on()
        await until(lambda: set(listening.values) == sent and len(listening.reached) == PARTITIONS)
        other = Consumer({**config, "client.id": "other", "auto.offset.reset": "earliest"})
        other.subscribe([prefix])
        taken: list[bytes] = []
        await until(lambda: bool(take(other, taken)) or len(listening.owned) < PARTITIONS)
        more = send("second")
        await until(lambda: more <= set(listening.values) | set(take(other, taken)))
        assert len(listening.values) == len(set(listening.values))
        other.close()
        await poller.stop()

    asyncio.run(scenario())


def test_a_member_that_joins_again_gives_up_what_it_has_and_goes_on_where_the_group_is(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    create_topics(kafka, [TopicSpec(prefix, 1)])
    producer = Producer({"bootstrap.servers": kafka})

    async def scenario() -> None:
        settings = EngineSettings(kafka, prefix, prefix, tmp_path, instance_id="0")
        listening = Listening()
        poller = listening.poller = Poller(Consumer(consumer_config(settings)), 1_000, listening)
        poller.start()
        await poller.subscribe([prefix])
        for value in (b"first", b"second"):
            producer.produce(prefix, value)
            producer.flush()
            await until(lambda: value in listening.values)  # noqa: B023 - called at once
            listening.committed = {(prefix, 0): len(listening.values)}
            await poller.commit(listening.committed)
            await poller.rejoin()
        await until(lambda: listening.revoked == 2 and listening.owned == {(prefix, 0)})
        assert listening.values == [b"first", b"second"]
        await poller.stop()

    asyncio.run(scenario())


def test_a_command_that_comes_too_late_is_refused(kafka: str, prefix: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        listening = Listening()
        consumer = Consumer(consumer_config(EngineSettings(kafka, prefix, prefix, tmp_path)))
        poller = listening.poller = Poller(consumer, 1_000, listening)
        poller._tags[prefix, 0] = 1  # noqa: SLF001 - as after an assignment
        poller.start()
        await poller.stop()
        with pytest.raises(RuntimeError, match="closed"):
            await poller.resume((prefix, 0), 1, 0)

    asyncio.run(scenario())


def take(consumer: Consumer, taken: list[bytes]) -> list[bytes]:
    taken += [message.value() for message in consumer.consume(100, 0.01) if message.error() is None]
    return taken
