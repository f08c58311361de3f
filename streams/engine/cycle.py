"""The commit cycle: what is committed together, and in which order it becomes durable."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from streams.engine.changelog import ChangelogWriter
from streams.engine.errors import MustAbort, MustEnd
from streams.engine.transaction import Moved

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from streams.engine.partition import Partition
    from streams.engine.settings import EngineSettings
    from streams.engine.transaction import Transactions
    from streams.kafka.offsets import PartitionId

COMMITS_SHARE_MAX = 0.25
"""Largest share of the time for commits while records wait: with slow brokers, cycles become longer."""
STRETCHED_SECONDS_MAX = 1.0
IDLE_SHARE_MAX = 0.75
"""The same while no records wait: time spent waiting for more records delays those that are there."""

_GENERATION = slice(7, 11)
"""Position of the generation in librdkafka's group metadata, `CGMDv2:`: 4 bytes, little-endian."""


class Cycle:
    """Work since the last commit, over all inputs; `commit_s`: how long that commit took, in seconds."""

    def __init__(self, settings: EngineSettings) -> None:
        self.commit_s = 0.0
        self._interval_s = settings.commit_interval_ms / 1_000
        self._early_s = settings.commit_early_ms / 1_000
        self._records_max = settings.cycle_records_max
        self._opened_s: float | None = None
        self.records = 0
        self.outputs = 0

    @property
    def is_open(self) -> bool:
        return self._opened_s is not None

    def open(self) -> None:
        if self._opened_s is None:
            self._opened_s = asyncio.get_running_loop().time()

    def add(self, records: int, outputs: int) -> None:
        self.open()
        self.records += records
        self.outputs += outputs

    def seconds_left(self, *, idle: bool) -> float:
        """Return the seconds until the commit is due; `idle` says that no other record waits."""
        if self._opened_s is None:
            return self._interval_s
        if self.records + self.outputs >= self._records_max:
            return 0.0
        if idle:
            wait_s = min(max(self._early_s, self.commit_s * (1 / IDLE_SHARE_MAX - 1)), self._interval_s)
        else:
            stretched_s = min(self.commit_s * (1 / COMMITS_SHARE_MAX - 1), STRETCHED_SECONDS_MAX)
            wait_s = max(self._interval_s, stretched_s)
        return max(0.0, self._opened_s + wait_s - asyncio.get_running_loop().time())

    def close(self) -> None:
        self._opened_s = None
        self.records = 0
        self.outputs = 0


def make_durable(
    transactions: Transactions,
    partitions: Collection[Partition],
    group_metadata: Callable[[], bytes],
    commit_plain: Callable[[Mapping[PartitionId, int]], None],
) -> None:
    """Make a cycle durable after its effects were sent; blocks. This is the one place with the order and its reasons.

    1. effects are sent into an open transaction (the caller has done so);
    2. then the changelog, in the same transaction: so state and the effects with it are one;
    3. flush: all records are at the brokers, and the changelog's end is known;
    4. the input's offsets join the transaction: so a record's effects and the mark that it is done are one;
    5. commit: from here on it has happened, for everyone who reads committed;
    6. only then the local store, with the changelog's end. A crash before 5 undoes everything, and the records come
       again. A crash between 5 and 6 leaves a store that is behind, and the changelog supplies the rest. In the other
       order, a store could hold changes that never happened, and nothing would show it.

    MustAbort before 5 leaves everything as it was. A failure in 6 is MustEnd: a restart restores the store.
    """
    _joined(group_metadata())
    changelog = ChangelogWriter(transactions)
    transactions.begin()
    for partition in partitions:
        changelog.write(partition)
    transactions.flush()
    if transactions.exactly_once:
        # asked again: others may have joined meanwhile, and brokers would refuse an earlier generation
        transactions.commit(_offsets(partitions), _joined(group_metadata()))
    else:
        commit_plain({place: moved.after for place, moved in _offsets(partitions).items()})
        transactions.close_plain()
    try:
        for partition in partitions:
            if partition.overlay is not None:
                end = changelog.position(partition)
                partition.overlay.committed(partition.overlay.store.position if end is None else end)
    except Exception as error:
        raise MustEnd(f"the cycle is committed, but the local state cannot be written: {error}") from error


def _offsets(partitions: Collection[Partition]) -> dict[PartitionId, Moved]:
    # Every partition gets an offset with its first cycle, so that there is no state without one. Effects without a
    # record need at least one offset too: with it the brokers check the group's generation, which fences a worker
    # that lost its partitions.
    moved = [part for part in partitions if part.reached != part.committed]
    return {part.place: Moved(part.committed, part.reached) for part in moved or list(partitions)[:1]}


def _joined(group_metadata: bytes) -> bytes:
    # a broker accepts offsets from a client that is not a member, and fences nobody
    if int.from_bytes(group_metadata[_GENERATION], "little", signed=True) < 0:
        raise MustAbort("this worker is not a member of its group")
    return group_metadata
