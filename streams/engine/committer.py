"""Commits and aborts: the end of the open cycle, also when something fails."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog
from confluent_kafka import KafkaException

from streams.engine.bisection import FAILURES_MAX, Bisection
from streams.engine.cycle import Cycle, make_durable
from streams.engine.errors import MustAbort, MustEnd, RecordRefused
from streams.engine.transaction import Transactions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Mapping

    from streams.engine.assignment import Assignment
    from streams.engine.batch import Batch, Output
    from streams.engine.partition import Partition
    from streams.engine.step_watch import Watch
    from streams.kafka.offsets import PartitionId

ABORTS_MAX = 10
BLAMELESS = (MemoryError, OSError, KafkaException)
"""What the machine, the disk or the brokers are at fault for, never a record."""
_BACKOFF_SECONDS = 0.1

_log = structlog.get_logger(__name__)


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Await work that a cancellation must not leave half done; raise the cancellation after it."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
    await task


class Committer:
    """The owner of the open cycle and its transaction; every method is called with the cycle's lock held.

    `is_broken`: a batch may be half processed, so the cycle must not be committed. `is_dead`: the worker is ending,
    and nothing is committed any more.
    """

    def __init__(self, assignment: Assignment, on_committed: Callable[[], None], watch: Watch) -> None:
        self.cycle = Cycle(assignment.settings)
        self.is_broken = False
        self.is_dead = False
        self._assignment = assignment
        self._on_committed = on_committed
        self._watch = watch
        self._blocking = ThreadPoolExecutor(1, "transaction")
        self._aborts_in_a_row = 0
        self.bisection = Bisection()

    async def start(self) -> None:
        """Fence an earlier worker of the same slot."""
        self._loop = asyncio.get_running_loop()
        self._transactions = Transactions(self._assignment.settings, self._assignment.clients, self._watch)
        self._assignment.status.transactions = self._transactions
        await self._off_loop(self._transactions.start)

    def close(self) -> None:
        self._blocking.shutdown(wait=True)

    def adopt(self, partition: Partition, batch: Batch, outputs: list[Output]) -> None:
        """Make a processed batch part of the cycle; raises MustAbort or MustEnd."""
        partition.pending = batch.next_offset
        self.bisection.took(batch)
        if batch.messages or outputs:
            # set before sending: half of the outputs must not be committed
            self.is_broken = True
            self.cycle.add(len(batch.messages), len(outputs))
            self._transactions.send(outputs)
            self.is_broken = False

    async def on_failure(self, batch: Batch, error: Exception) -> None:
        """Abort the batch's cycle and read it again; end the worker if that does not help."""
        _log.error(
            "batch failed: cycle aborted and read again",
            topic=batch.topic,
            partition=batch.partition,
            first_offset=batch.messages[0].offset() if batch.messages else None,
            next_offset=batch.next_offset,
            exc_info=error,
        )
        await self._on_failure(error, batch)

    async def finish(self) -> None:
        """Close the open cycle before partitions are given up or the worker ends."""
        if self.is_dead:
            with suppress(MustAbort, MustEnd):
                await self._off_loop(self._transactions.leave)
        elif self.is_broken:
            await self._abort()
        elif self.cycle.is_open or any(part.pending is not None for part in self._assignment.ready()):
            await self.close_cycle()

    async def drop(self, lost: Collection[PartitionId]) -> None:
        """Abort; do not rewind partitions that may already belong to another worker."""
        if self.is_dead:
            await self.finish()
        else:
            await self._abort(without=lost)

    async def close_cycle(self) -> None:
        """Commit the open cycle, or abort it."""
        if self.is_dead:
            return
        if self.is_broken:
            await self._abort()
            return
        started_s = self._loop.time()
        try:
            self._conclude()
            partitions = self._assignment.ready()
            if self._has_work(partitions):
                metadata = self._assignment.poller.group_metadata
                await self._off_loop(make_durable, self._transactions, partitions, metadata, self._commit_plain)
                self.cycle.commit_s = self._loop.time() - started_s
                self._assignment.status.note_commit(self.cycle.commit_s)
                for partition in partitions:
                    partition.advance()
        except MustEnd as error:
            await self._assignment.crash(error)
        except Exception as error:  # noqa: BLE001 - any exception before its commit aborts a cycle
            _log.error("cycle aborted", exc_info=error)
            await self._on_failure(error)
        else:
            self._adopt_commit()

    def _conclude(self) -> None:
        for source in self._assignment.inputs:
            # the step before may have taken most of its time
            self._watch.renew()
            numbers = self._assignment.numbers(source)
            outputs = list(source.processor.conclude(numbers)) if numbers else []
            if outputs:
                self.cycle.outputs += len(outputs)
                if source.wants_stamps:
                    self._transactions.send_reported(outputs, self._assignment.status.clock.listener())
                else:
                    self._transactions.send(outputs)

    def _has_work(self, partitions: Collection[Partition]) -> bool:
        return self.cycle.outputs > 0 or any(
            part.pending is not None or (part.overlay is not None and part.overlay.is_changed) for part in partitions
        )

    def _commit_plain(self, offsets: Mapping[PartitionId, int]) -> None:
        asyncio.run_coroutine_threadsafe(self._assignment.poller.commit(offsets), self._loop).result()

    def _adopt_commit(self) -> None:
        outputs = self.cycle.outputs
        self.cycle.close()
        self._aborts_in_a_row = 0
        self.bisection.committed()
        for source in self._assignment.inputs:
            source.processor.committed()
        if outputs:
            self._on_committed()

    async def _on_failure(self, error: Exception, batch: Batch | None = None) -> None:
        if isinstance(error, MustEnd) or not self._may_go_on(error, batch):
            await self._assignment.crash(error)
            return
        await self._abort()
        await asyncio.sleep(_BACKOFF_SECONDS)

    def _may_go_on(self, error: Exception, batch: Batch | None) -> bool:
        """Count a failure, against records if they may be at fault."""
        is_refused = isinstance(error, RecordRefused)
        blameless = [kind for source in self._assignment.inputs for kind in source.blameless]
        if is_refused or not isinstance(error, (MustAbort, *BLAMELESS, *blameless)):
            return self.bisection.failed(error, batch)
        self._aborts_in_a_row += 1
        return self._aborts_in_a_row < (ABORTS_MAX if isinstance(error, MustAbort) else FAILURES_MAX)

    async def _abort(self, without: Collection[PartitionId] = ()) -> None:
        """Undo the open cycle and read its records again, except those of the partitions `without`."""
        try:
            await self._off_loop(self._transactions.abort)
        except (MustAbort, MustEnd) as error:
            await self._assignment.crash(error)
            return
        ready = self._assignment.ready()
        for partition in ready:
            partition.pending = None
            if partition.overlay is not None:
                partition.overlay.drop()
        self.cycle.close()
        self.bisection.dropped()
        self.is_broken = False
        self._assignment.status.aborts += 1
        for source in self._assignment.inputs:
            source.processor.dropped()
        back = {part.place: part.committed for part in ready if part.place not in without}
        await self._assignment.poller.rewind(back)

    async def _off_loop(self, function: Callable[..., None], *arguments: object) -> None:
        await self._loop.run_in_executor(self._blocking, function, *arguments)
