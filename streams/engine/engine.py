"""The engine on the event loop: it hands out batches, closes cycles, and takes partitions and gives them up."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import structlog
from confluent_kafka.admin import AdminClient

from streams.engine.assignment import Assignment
from streams.engine.clients import Clients
from streams.engine.committer import Committer, to_the_end
from streams.engine.errors import MustAbort, MustEnd, RecordsLost
from streams.engine.hung import note_hung
from streams.engine.lost import note_lost
from streams.engine.settings import asker_config, client_config, consumer_config
from streams.engine.suspects import suspects_of
from streams.engine.topology import Topology
from streams.kafka.ends import ASK_SECONDS, EndOffsets
from streams.kafka.group import LOOK_SECONDS, GroupOffsetsReader
from streams.kafka.unowned import Unowned

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from streams.engine.batch import Batch
    from streams.engine.inputs import Input, Watcher
    from streams.engine.listener import Tagged
    from streams.engine.partition import Partition
    from streams.engine.settings import EngineSettings
    from streams.engine.status import Status
    from streams.kafka.offsets import PartitionId

_IDLE_SECONDS = 0.5
"""Time from one check to the next if nothing wakes us; urgent work does."""

_log = structlog.get_logger(__name__)


class Host(Protocol):
    """The program that runs the agents."""

    async def deliver(self, batch: Batch) -> None:
        """Give a batch to its agent; return when the agent has finished it, or raise what it raised."""
        ...

    async def on_assigned(self, places: Collection[PartitionId]) -> None:
        """Learn all partitions that this worker owns now."""
        ...

    async def crash(self, error: BaseException) -> None: ...


class OutOfOrder(Exception):
    """A batch does not continue where the last one ended: going on would lose or repeat records."""


class Engine:
    """One consumer, one transactional producer, one cycle over all inputs; the poller's listener.

    `_lock` is held while a batch is processed, a cycle is closed, or partitions come and go.
    """

    def __init__(
        self,
        settings: EngineSettings,
        inputs: Sequence[Input],
        status: Status,
        on_committed: Callable[[], None],
        clients: Clients | None = None,
    ) -> None:
        self.settings = settings
        self.inputs = inputs
        self.status = status
        self._on_committed = on_committed
        self._clients = clients or Clients()
        self._chunks: deque[Sequence[Tagged]] = deque()
        self._started = False

    async def start(self, host: Host) -> None:
        """Fence the slot's earlier worker and start to poll; call `subscribe` after it."""
        self._host = host
        self._lock, self._wake, self._moved = asyncio.Lock(), asyncio.Event(), asyncio.Event()
        clients, settings = self._clients, self.settings
        topology = Topology(self.inputs, settings.topics, clients.topics(settings), clients.clock_s)
        await asyncio.to_thread(topology.begin)
        # read before the watch begins to note its own
        suspects = suspects_of(settings, clients.trial)
        self._watch = self._clients.watch(self.settings)
        consumer = self._clients.consumer(consumer_config(self.settings))
        self._poller = self._clients.poller(consumer, self.settings.batch_records_max, self)
        self._assignment = Assignment(
            settings, clients, self.inputs, self.status, self._poller, self._lock, topology, self.on_failed, suspects
        )
        self._committer = Committer(self._assignment, self._on_committed, self._watch)
        await self._committer.start()
        self.status.poller, self.status.topology = self._poller, topology
        self.status.note_answer()
        asker = self._clients.consumer(asker_config(self.settings))
        self._asking = [asyncio.create_task(self._ask_ends(EndOffsets(asker, self.status.clock.now_ms)))]
        self._asking.append(asyncio.create_task(topology.watch(settings.topics_check_ms, self.on_failed)))
        self._asking += [
            asyncio.create_task(self._look(GroupOffsetsReader(asker), source.topic, source.watcher))
            for source in self.inputs
            if source.watcher is not None
        ]
        if self.settings.instance_id is not None:
            admin, topics = AdminClient(client_config(self.settings)), [source.topic for source in self.inputs]
            self._asking.append(asyncio.create_task(self._claim(Unowned(admin, self.settings.group, topics))))
        self._poller.start()
        self._watch.start()
        self._started = True

    async def subscribe(self, topics: Collection[str]) -> None:
        """Join the group; every topic must be that of an input."""
        await self._poller.subscribe(topics)

    async def run(self, is_stopping: Callable[[], bool]) -> None:
        """Work until `is_stopping`; a cancellation leaves the open cycle to `stop`."""
        cycle, bisection = self._committer.cycle, self._committer.bisection
        while not is_stopping():
            await self._wait()
            # cleared first: news that arrives while a cycle is closed causes another check
            self._wake.clear()
            while self._chunks and not is_stopping():
                chunk = self._chunks.popleft()
                self._poller.release()
                for tag, part in bisection.parts_of(chunk):
                    async with self._lock:
                        await self._take(tag, part)
                        if cycle.is_open and (bisection.is_searching or not cycle.seconds_left(idle=False)):
                            await self._close_cycle()
            async with self._lock:
                if not cycle.is_open and self._is_wanted():
                    cycle.open()
                if cycle.is_open and not cycle.seconds_left(idle=True):
                    await self._close_cycle()

    async def _close_cycle(self) -> None:
        await to_the_end(self._committer.close_cycle())
        self._moved.set()

    async def stop(self) -> None:
        """Finish the open cycle and leave the group."""
        if not self._started:
            return
        self._started = self.status.joined = False
        async with self._lock:
            await to_the_end(self._committer.finish())
        self._watch.close()
        for task in self._asking:
            task.cancel()
        await self._poller.stop()
        self._assignment.close()
        self._committer.close()

    async def _wait(self) -> None:
        if self._chunks:
            return
        cycle = self._committer.cycle
        wait_s = cycle.seconds_left(idle=True) if cycle.is_open else _IDLE_SECONDS
        if wait_s:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), wait_s)

    def _is_wanted(self) -> bool:
        ready = self._assignment.ready()
        # a position that only passed a transaction's marker is committed too: others wait for it
        return any(part.pending not in {None, part.committed} for part in ready) or (
            bool(ready) and any(source.processor.wants_cycle() for source in self.inputs)
        )

    async def _take(self, tag: int, batch: Batch) -> None:
        partition = self._assignment.partitions.get((batch.topic, batch.partition))
        if self._committer.is_dead or partition is None or not self._poller.is_current(tag, batch):
            return  # revoked or rewound since it was fetched
        if not batch.messages and batch.next_offset <= partition.position:
            return
        _check_order(partition, batch)
        if partition.hung:
            note_hung(batch, partition.hung)
        batch.bind(partition.input.processor.process, partition.overlay, self._watch)
        try:
            await self._host.deliver(batch)
            if batch.outputs is None:
                raise batch.error or RuntimeError("the agent did not run the batch")  # noqa: TRY301 - one way
            self._committer.adopt(partition, batch, batch.outputs)
        except asyncio.CancelledError:
            if batch.outputs is None:
                self._committer.is_broken = True
            else:
                with suppress(MustAbort, MustEnd):
                    self._committer.adopt(partition, batch, batch.outputs)
            raise
        except Exception as error:  # noqa: BLE001 - any exception of an agent rewinds
            await to_the_end(self._committer.on_failure(batch, error))

    async def on_assigned(self, tags: Mapping[PartitionId, int]) -> None:
        _log.info("partitions assigned", places=_named(tags))
        try:
            self._assignment.add(tags)
            await self._host.on_assigned(list(self._assignment.partitions))
        except Exception as error:  # noqa: BLE001 - nobody awaits this but the app's end
            await self.on_failed(error)

    async def on_revoked(self, places: Sequence[PartitionId], *, lost: bool) -> None:
        """Finish the cycle, or drop it if the partitions may already belong to another worker."""
        _log.info("partitions revoked", places=_named(places), lost=lost)
        async with self._lock:
            await (self._committer.drop(places) if lost else self._committer.finish())
            self._committer.bisection.forget(places)
            tasks = self._assignment.end(places)
        if tasks:
            await asyncio.wait(tasks)

    def on_chunk(self, chunk: Sequence[Tagged]) -> None:
        self._chunks.append(chunk)
        self._wake.set()

    def on_lost(self, place: PartitionId, first: int, begin: int) -> None:
        note_lost(self.settings, self.status, place, first, begin)

    async def on_failed(self, error: BaseException) -> None:
        """End the worker: it cannot continue safely."""
        self._committer.is_dead = True
        # it gives its partitions up while it ends, and is not ready for that
        self.status.joined = False
        self.status.failure = str(error)
        _log.critical("worker ends", exc_info=error)
        if isinstance(error, RecordsLost):
            # an alert needs the metric, which has to be fetched first
            await asyncio.sleep(self.settings.linger_seconds)
        self._clients.end_soon()
        await self._host.crash(error)

    async def _ask_ends(self, ends: EndOffsets) -> None:
        while True:
            await asyncio.sleep(ASK_SECONDS)
            places = list(self._assignment.partitions)
            if places:
                try:
                    answers = await asyncio.to_thread(ends.ask, places)
                except Exception as error:  # noqa: BLE001 - asked again soon; a broker may be away
                    _log.warning("end offsets unknown", error=str(error))
                    continue
                self.status.ends.update((at, end) for at, end in answers.items() if self.status.is_owner_of(*at))
                self._wake.set()
            self.status.note_answer()

    async def _look(self, offsets: GroupOffsetsReader, topic: str, watcher: Watcher) -> None:
        is_wanted = False
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), LOOK_SECONDS if is_wanted else _IDLE_SECONDS)
            self._moved.clear()
            is_wanted = watcher.wants_look()
            if not is_wanted:
                continue
            try:
                answer = await asyncio.to_thread(offsets.ask, topic)
            except Exception as error:  # noqa: BLE001 - asked again soon; a broker may be away
                _log.warning("committed offsets of the group are unknown", topic=topic, error=str(error))
                await asyncio.sleep(ASK_SECONDS)
            else:
                watcher.looked(answer)
                self._wake.set()

    async def _claim(self, unowned: Unowned) -> None:
        """Have partitions without an owner assigned again."""
        before: set[PartitionId] = set()
        while True:
            await asyncio.sleep(self.settings.session_timeout_ms / 1_000)
            try:
                found = await asyncio.to_thread(unowned.ask)
            except Exception as error:  # noqa: BLE001 - asked again soon; a broker may be away
                _log.warning("owners of the group's partitions are unknown", error=str(error))
                continue
            if found & before:
                _log.warning("partitions without an owner: joining the group again", places=_named(found))
                await self._poller.rejoin()
                found = set()
            before = found


def _named(places: Iterable[PartitionId]) -> list[str]:
    return sorted(f"{topic}-{number}" for topic, number in places)


def _check_order(partition: Partition, batch: Batch) -> None:
    name = f"{batch.topic}-{batch.partition}"
    if not partition.ready:
        raise OutOfOrder(f"{name}: records arrived before it was restored")
    if batch.messages and batch.messages[0].offset() < partition.position:
        raise OutOfOrder(
            f"{name}: record {batch.messages[0].offset()} came after {partition.position} was reached:"
            " either the topic was deleted and created again, or the group's offset is beyond the topic's end"
        )
