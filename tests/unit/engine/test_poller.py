"""What the poller makes of a membership, against a consumer that says what a test wants."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streams.engine.errors import MustAbort
from streams.engine.poller import Poller

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streams.engine.listener import Tagged
    from streams.kafka.offsets import PartitionId


class AConsumer:
    """Is assigned a partition when it is first polled, as the member `member`."""

    def __init__(self) -> None:
        self.member = b"first"
        self._on_assign: Callable[[Any, list[TopicPartition]], None] | None = None

    def subscribe(self, names: list[str], *, on_assign: Any, **_: Any) -> None:  # noqa: ARG002 - confluent's own
        self._on_assign = on_assign

    def poll(self, _: float) -> None:
        time.sleep(0.001)
        told, self._on_assign = self._on_assign, None
        if told is not None:
            told(self, [TopicPartition("journal", 0)])

    def consumer_group_metadata(self) -> bytes:
        return b"CGMDv2:\x01\0\0\0group\0%b\0\x01" % self.member

    def incremental_assign(self, _: object) -> None: ...

    def pause(self, _: object) -> None: ...

    def commit(self, **_: object) -> None:
        raise KafkaException(KafkaError(KafkaError.ILLEGAL_GENERATION))

    def close(self) -> None: ...


class Noting:
    def __init__(self) -> None:
        self.assigned = asyncio.Event()

    async def on_assigned(self, tags: Mapping[PartitionId, int]) -> None:  # noqa: ARG002 - of the protocol
        self.assigned.set()

    async def on_revoked(self, places: Sequence[PartitionId], *, lost: bool) -> None: ...

    def on_chunk(self, chunk: Sequence[Tagged]) -> None: ...

    def on_lost(self, place: PartitionId, first: int, begin: int) -> None: ...

    async def on_failed(self, error: BaseException) -> None:
        raise error


def test_nothing_is_committed_with_partitions_of_an_earlier_membership() -> None:
    async def scenario() -> None:
        consumer, noting = AConsumer(), Noting()
        poller = Poller(cast("Consumer", consumer), 1_000, noting)
        poller.start()
        await poller.subscribe(["journal"])
        await asyncio.wait_for(noting.assigned.wait(), 10)
        assert poller.group_metadata() == consumer.consumer_group_metadata()
        consumer.member = b"second"
        with pytest.raises(MustAbort, match="membership was interrupted"):
            poller.group_metadata()
        await poller.stop()

    asyncio.run(scenario())


def test_a_plain_commit_that_the_group_refuses_is_one_to_be_aborted() -> None:
    async def scenario() -> None:
        poller = Poller(cast("Consumer", AConsumer()), 1_000, Noting())
        poller.start()
        with pytest.raises(MustAbort, match="ILLEGAL_GENERATION"):
            await poller.commit({("journal", 0): 1})
        await poller.stop()

    asyncio.run(scenario())
