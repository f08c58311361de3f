"""The engine's status, for health, metrics and processors."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from streams.engine.broker_clock import BrokerClock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.engine.partition import Partition
    from streams.engine.poller import Poller
    from streams.engine.topology import Topology
    from streams.engine.transaction import Transactions
    from streams.kafka.offsets import End, PartitionId


class Status:
    """The status, which may be read at any time on the event loop. Times are unix seconds, 0 before the first."""

    def __init__(self, clock: BrokerClock | None = None) -> None:
        self.clock = clock or BrokerClock()
        self.joined = False
        self.commits = 0
        self.aborts = 0
        self.committed_s = 0.0
        self.commit_seconds = 0.0
        self.restore_s = 0.0
        self.failure = ""
        """Why the worker is about to end."""
        self.lost: Counter[PartitionId] = Counter()
        """Offsets of which no record was read, as they were deleted before, since the start."""
        self.ends: dict[PartitionId, End] = {}
        self.shares: dict[PartitionId, float] = {}
        self.partitions: dict[PartitionId, Partition] = {}
        self.poller: Poller | None = None
        self.transactions: Transactions | None = None
        self.topology: Topology | None = None
        self._answered_s: float | None = None

    @property
    def ready(self) -> bool:
        """Return whether the worker is in the group and every assigned partition is restored."""
        return self.joined and all(partition.ready for partition in self.partitions.values())

    @property
    def polled_s(self) -> float:
        """Return when the poller last polled, with or without records."""
        return self.poller.polled_s if self.poller else 0.0

    @property
    def unsent(self) -> int:
        """Return how many records the producer has that the brokers have not yet accepted."""
        return self.transactions.unsent if self.transactions else 0

    @property
    def silent_s(self) -> float:
        """Return for how long the brokers have not answered; 0 before the first question.

        Every broker that leads a partition of this worker has to answer. Without partitions any broker does.
        """
        answered_s = self._answered_s
        if answered_s is None:
            return 0.0
        if not self.partitions and self.topology is not None and self.topology.asked_s is not None:
            answered_s = self.topology.asked_s
        return max(0.0, time.monotonic() - answered_s)

    def note_answer(self) -> None:
        """Note that the brokers have answered, or that there was nothing to ask."""
        self._answered_s = time.monotonic()

    @property
    def clock_ahead_s(self) -> float:
        """Return how far this machine's clock is ahead of the brokers'; nan: not known."""
        return self.clock.wall_ahead_s

    @property
    def positions(self) -> dict[PartitionId, int]:
        """Return the offset of the next record to process, by ready partition; the open cycle's work counts."""
        return {place: part.position for place, part in self.partitions.items() if part.ready}

    def is_owner_of(self, topic: str, partition: int) -> bool:
        return (topic, partition) in self.partitions

    def lags(self) -> Mapping[PartitionId, int]:
        """Return by owned (topic, partition) the records not yet processed, by its end when last asked."""
        return {
            place: max(0, self.ends[place].offset - max(part.position, 0))
            for place, part in self.partitions.items()
            if place in self.ends
        }

    def restored(self) -> Mapping[PartitionId, float]:
        """Return by owned (topic, partition) with state the share restored, 0 to 1."""
        return {
            place: 1.0 if part.ready else self.shares.get(place, 0.0)
            for place, part in self.partitions.items()
            if part.input.changelog is not None
        }

    def note_commit(self, seconds: float) -> None:
        self.commits += 1
        self.commit_seconds = seconds
        self.committed_s = time.time()
