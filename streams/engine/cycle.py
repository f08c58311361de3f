"""The commit cycle: what belongs together, and the order in which it becomes durable."""

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
"""Of the time while records wait, what commits may take: where brokers are slow, cycles become longer."""
STRETCHED_SECONDS_MAX = 1.0
IDLE_SHARE_MAX = 0.75
"""Of the time while none wait: what is waited for more records delays those that are there."""

_GENERATION = slice(7, 11)
"""Where librdkafka's written group metadata, `CGMDv2:`, has the generation: 4 bytes, little-endian."""


class Cycle:
    """What has been processed since the last commit, over all inputs; `commit_s`: how long that took, in seconds."""

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
        """Until the commit is due: `idle` says that nothing else waits to be processed."""
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
    """Make a cycle durable whose effects were all sent; blocks. The one place with the order, and its reason.

    1. effects are sent, into an open transaction (the caller has done so);
    2. then the changelog: the same transaction, so a state and the effects that led to it are one;
    3. flush: all are at the brokers, and the changelog's end is known;
    4. the offsets of the input join the transaction: a record's effects and its being done are one;
    5. commit: from here on it has happened, for everyone who reads committed;
    6. only then the local store, with the changelog's end. A crash before 5 undoes all of it and the records
       come again; one between 5 and 6 leaves a store that is behind, and the changelog brings the rest. The
       other way round a store would hold what never happened, and nothing could tell.

    MustAbort before 5 leaves everything as it was. What fails in 6 is MustEnd: a restart restores.
    """
    _joined(group_metadata())
    changelog = ChangelogWriter(transactions)
    transactions.begin()
    for partition in partitions:
        changelog.write(partition)
    transactions.flush()
    if transactions.exactly_once:
        # asked again: others may have joined meanwhile, and an earlier generation would be refused
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
        raise MustEnd(f"committed, but the local state cannot be written: {error}") from error


def _offsets(partitions: Collection[Partition]) -> dict[PartitionId, Moved]:
    # Every partition gets an offset with its first cycle, so that state never stands without one. And effects
    # of no record need at least one: with it the group's generation is checked, which fences a worker that
    # lost its partitions.
    moved = [part for part in partitions if part.reached != part.committed]
    return {part.place: Moved(part.committed, part.reached) for part in moved or list(partitions)[:1]}


def _joined(group_metadata: bytes) -> bytes:
    # a broker takes the offsets of one who is no member and fences nobody
    if int.from_bytes(group_metadata[_GENERATION], "little", signed=True) < 0:
        raise MustAbort("this worker is not a member of its group")
    return group_metadata
