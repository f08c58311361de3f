"""Partitions of a worker: assigned, restored, given up."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from confluent_kafka import KafkaException

from state.cache import share
from state.overlay import Overlay
from streams.engine.errors import MustAbort
from streams.engine.lost import note_lost
from streams.engine.partition import Partition
from streams.engine.restore import Restoration, restore
from streams.engine.stable import NOT_COMMITTED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from streams.engine.clients import Clients
    from streams.engine.inputs import Input
    from streams.engine.poller import Poller
    from streams.engine.restore import Restored
    from streams.engine.settings import EngineSettings
    from streams.engine.status import Status
    from streams.engine.suspects import Suspects
    from streams.engine.topology import Topology
    from streams.kafka.offsets import PartitionId

RESTORES_AT_ONCE = 2
_PAUSE_SECONDS = 0.1

_log = structlog.get_logger(__name__)


@dataclass
class Assignment:
    """The partitions of this worker. `lock` is the cycle's: partitions change only between batches."""

    settings: EngineSettings
    clients: Clients
    inputs: Sequence[Input]
    status: Status
    poller: Poller
    lock: asyncio.Lock
    topology: Topology
    crash: Callable[[BaseException], Awaitable[None]]
    suspects: Suspects | None = None
    _restoring: dict[PartitionId, asyncio.Task[None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.partitions: dict[PartitionId, Partition] = self.status.partitions
        self._by_topic = {source.topic: source for source in self.inputs}
        self._restorers = ThreadPoolExecutor(RESTORES_AT_ONCE, "restore")

    def ready(self) -> list[Partition]:
        return [partition for partition in self.partitions.values() if partition.ready]

    def numbers(self, source: Input) -> list[int]:
        """Return the numbers of an input's ready partitions."""
        return sorted(part.number for part in self.ready() if part.input is source)

    def add(self, tags: Mapping[PartitionId, int]) -> None:
        """Begin to restore newly assigned partitions, which are paused; resume each when it is ready."""
        assigned_s = self.clients.clock_s()
        for (topic, number), tag in tags.items():
            partition = Partition(self._by_topic[topic], number, tag)
            self.partitions[partition.place] = partition
            self._restoring[partition.place] = asyncio.create_task(self._restore(partition, assigned_s))
        self.status.joined = True

    async def _restore(self, partition: Partition, assigned_s: float) -> None:
        try:
            started_s = time.monotonic()
            ids = await self._topic_ids(partition, assigned_s)
            restored = None if ids is None else await self._restore_off_loop(partition, ids)
            if restored is None:
                return
            if restored.store is not None and restored.committed == NOT_COMMITTED:
                await self._commit_beginning(partition)
            if not await self._make_ready(partition, restored):
                return
            # ready first: once it is resumed a batch may come at any moment
            await self.poller.resume(partition.place, partition.tag, restored.start)
            self.status.restore_s = time.monotonic() - started_s
            _log.info(
                "partition ready",
                topic=partition.input.topic,
                partition=partition.number,
                committed=partition.committed,
                restored_records=restored.records,
                seconds=round(self.status.restore_s, 3),
            )
        except Exception as error:  # noqa: BLE001 - a partition that cannot be restored ends the worker
            await self.crash(error)

    async def _commit_beginning(self, partition: Partition) -> None:
        """Commit offset 0: without transactions, a crash in the first cycle would leave state without an offset."""
        while self.settings.guarantee == "at_least_once" and not partition.cancelled.is_set():
            try:
                await self.poller.commit({partition.place: 0})
            except MustAbort as error:
                _log.warning("first offset not committed: trying again", error=str(error))
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return

    async def _topic_ids(self, partition: Partition, assigned_s: float) -> Mapping[str, str] | None:
        """Check the topics before any state is used; None once the partition is given up."""
        while not partition.cancelled.is_set():
            try:
                return await self.topology.check(assigned_s)
            except KafkaException as error:
                _log.warning("topics unknown: asking again", error=str(error))
                await asyncio.sleep(_PAUSE_SECONDS)
        return None

    async def _restore_off_loop(self, partition: Partition, ids: Mapping[str, str]) -> Restored | None:
        def on_progress(share: float) -> None:
            self.status.shares[partition.place] = share

        def on_lost(first: int, begin: int) -> None:
            note_lost(self.settings, self.status, partition.place, first, begin)

        source, number, cancelled = partition.input, partition.number, partition.cancelled
        wanted = Restoration(self.settings, self.clients, source, number, cancelled, on_progress, ids, on_lost)

        def restored() -> Restored | None:
            if self.suspects is not None:
                # first: the trial opens the store too, and brings it up to date
                partition.hung = self.suspects.examine(partition.place, partition.cancelled)
            return restore(wanted)

        return await asyncio.get_running_loop().run_in_executor(self._restorers, restored)

    async def _make_ready(self, partition: Partition, restored: Restored) -> bool:
        async with self.lock:
            if partition.cancelled.is_set():
                if restored.store is not None:
                    restored.store.close()
                return False
            partition.committed = restored.committed
            if restored.start > max(restored.committed, 0):
                # committed soon: what is gone is not counted at the next start too
                partition.pending = restored.start
            if self.suspects is not None:
                self.suspects.passed(partition.place, restored.committed)
            codec = partition.input.codec
            if restored.store is not None and codec is not None:
                partition.overlay = Overlay[Any](restored.store, codec)
                self._share_memory()
            partition.input.processor.assigned(partition.number, partition.overlay)
            partition.ready = True
            return True

    def end(self, places: Iterable[PartitionId]) -> list[asyncio.Task[None]]:
        """End partitions whose work is committed or dropped; return the tasks to wait for without the lock."""
        tasks = []
        for place in places:
            partition = self.partitions.pop(place, None)
            if partition is None:
                continue
            partition.cancelled.set()
            if partition.ready:
                partition.ready = False
                partition.input.processor.revoked(partition.number)
            if partition.overlay is not None:
                partition.overlay.store.close()
            task = self._restoring.pop(place, None)
            if task is not None and not task.done():
                tasks.append(task)
            self.status.shares.pop(place, None)
            self.status.ends.pop(place, None)
        self._share_memory()
        return tasks

    def _share_memory(self) -> None:
        overlays = (partition.overlay for partition in self.partitions.values())
        share([overlay.cache for overlay in overlays if overlay is not None])

    def close(self) -> None:
        self._restorers.shutdown(wait=False, cancel_futures=True)
