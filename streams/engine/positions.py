"""Where the fetching of each partition continues, by our own count, and records that are gone before they were read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams.engine.errors import RecordsLost
from streams.kafka.config import ANSWER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from confluent_kafka import Consumer

    from streams.kafka.offsets import PartitionId

_SHRUNK = "the topic was deleted and made again, or its last records are lost; see deploy/guide/runbook.md#recordslost"


def check_reached(place: PartitionId, reached: int, end: int) -> None:
    """Refuse an input that ends before the group's offset.

    Raises:
        RecordsLost: it does.
    """
    if reached > end:
        raise RecordsLost(f"{place[0]}-{place[1]} ends at offset {end}, but the group has come to {reached}: {_SHRUNK}")


class Positions:
    """The offsets at which fetching has to continue; all methods are called on the polling thread.

    During a rebalance librdkafka pauses the partitions that we keep, and resumes by its own count. Before 2.13.2 that
    count is one too high when consume() has returned an end of partition: a record would be skipped. It may be too low
    when the pause met a fetch under way. So each rebalance ends with a seek to our count.

    librdkafka itself never chooses an offset. It would begin with the first record that is left, and skip in silence
    those that a retention has deleted. Nor is it given a name such as `beginning`. It asks a broker for such an offset,
    asks again half a second later if a pause or a seek came in between, and goes there, whatever was sought meanwhile.
    """

    def __init__(self, consumer: Consumer, on_lost: Callable[[PartitionId, int, int], None]) -> None:
        """`on_lost` learns the place, the offset of the first record that is gone, and that of the first one left."""
        self._consumer = consumer
        self._on_lost = on_lost
        self._next: dict[PartitionId, int] = {}
        self._lost_to: dict[PartitionId, int] = {}

    def note(self, place: PartitionId, offset: int) -> None:
        """Note that records before `offset` were handed over."""
        self._next[place] = offset

    def forget(self, place: PartitionId) -> None:
        """Forget a partition that is given up."""
        self._next.pop(place, None)
        self._lost_to.pop(place, None)

    def begin(self, place: PartitionId, offset: int) -> None:
        """Fetch from `offset` on, as `go_to`; what is gone before it does not count."""
        self._lost_to[place] = offset
        self.go_to(place, offset)

    def go_to(self, place: PartitionId, offset: int) -> None:
        """Fetch from `offset` on; below 0: from the first one that there was, 0."""
        self._next[place] = max(offset, 0)
        to = TopicPartition(*place, self._next[place])
        try:
            self._consumer.seek(to)
        except KafkaException as error:
            if error.args[0].code() != KafkaError._STATE:  # noqa: SLF001 - its name
                raise
            # after an offset that does not exist librdkafka stops to fetch the partition, and refuses to seek
            self._consumer.incremental_unassign([to])
            self._consumer.incremental_assign([to])

    def continue_all(self, places: Iterable[PartitionId]) -> None:
        """Fetch from where those of the places continue that are fetched."""
        for place in places:
            if place in self._next:
                self.go_to(place, self._next[place])

    def refused(self, place: PartitionId) -> int | None:
        """Go on after the broker has refused an offset, and return where; None: it is not fetched yet.

        The record is no longer there, or not yet.

        Raises:
            RecordsLost: the topic ends before it.
            Exception: whatever `on_lost` raises.
        """
        offset = self._next.get(place)
        if offset is None:
            return None
        low, high = self._consumer.get_watermark_offsets(TopicPartition(*place), ANSWER_SECONDS)
        check_reached(place, offset, high)
        first = max(offset, self._lost_to.get(place, 0))
        if low > first:
            self._lost_to[place] = low
            self._on_lost(place, first, low)
        self.go_to(place, max(offset, low))
        return self._next[place]
