"""The thread that owns the consumer: it polls, serves commands and answers rebalances."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams.engine.batch import Batch
from streams.engine.errors import MustAbort
from streams.engine.positions import Positions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from confluent_kafka import Consumer, Message

    from streams.engine.listener import Listener, Tagged
    from streams.kafka.offsets import PartitionId

T = TypeVar("T")
CHUNKS_HELD_MAX = 2
_GROUP_START = 11
_POLL_SECONDS = 0.05
_NAP_SECONDS = 0.001
_COMMAND_SECONDS_MAX = 60.0
# librdkafka would ask again for ever, and nobody would read its warnings
_REFUSALS = {KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED}

_log = structlog.get_logger(__name__)


class Poller:
    """One consumer of a group on a thread of its own.

    A partition's tag changes at an assignment and at a rewind: then records fetched earlier are not the next ones.
    Both happen on the thread, between two fetches. So a batch with the present tag continues where the last one ended.

    `_members` is the id under which we got each partition. A coordinator that has forgotten us may admit a static
    member again under a new id. librdkafka then keeps its partitions, though others owned them meanwhile, and would
    let us commit over their offsets. So nothing is committed across such a gap.
    """

    def __init__(self, consumer: Consumer, records_max: int, listener: Listener) -> None:
        self.polled_s = 0.0
        self._consumer = consumer
        self._records_max = records_max
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._refused: list[PartitionId] = []
        self._tags: dict[PartitionId, int] = {}
        self._topics: list[str] = []
        self._owned: set[PartitionId] = set()
        self._positions = Positions(consumer, listener.on_lost)
        self._members: dict[PartitionId, bytes] = {}
        self._commands: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._room = threading.Semaphore(CHUNKS_HELD_MAX)
        self._quit = threading.Event()
        self._ended = threading.Event()
        self._error: BaseException | None = None
        """What ended the thread, if nobody asked it to end."""
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        """Leave the group, after the listener has dealt with the revocation."""
        self._quit.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    def release(self) -> None:
        self._room.release()

    def is_current(self, tag: int, batch: Batch) -> bool:
        return self._tags.get((batch.topic, batch.partition)) == tag

    def group_metadata(self) -> bytes:
        """Return the membership as librdkafka writes it; may be called on any thread.

        Raises MustAbort if any partition was assigned under another membership.
        """
        metadata: bytes = self._consumer.consumer_group_metadata()
        if set(self._members.values()) - {_member(metadata)}:
            raise MustAbort("this worker's membership was interrupted: others may have owned its partitions")
        return metadata

    async def subscribe(self, topics: Iterable[str]) -> None:
        self._topics = sorted(topics)
        await self._call(self._subscribe)

    async def rejoin(self) -> None:
        """Leave the group, as a static member too, and join it again, so that all partitions are assigned again."""

        def rejoin() -> None:
            self._consumer.unsubscribe()
            self._subscribe()

        await self._call(rejoin)

    def _subscribe(self) -> None:
        self._consumer.subscribe(
            self._topics,
            on_assign=self._on_assign,
            on_revoke=lambda _, partitions: self._give_up(partitions, lost=False),
            on_lost=lambda _, partitions: self._give_up(partitions, lost=True),
        )

    async def resume(self, place: PartitionId, tag: int, offset: int) -> None:
        """Let a partition's records come from `offset` on, unless it was assigned again since it had this tag."""

        def resume() -> None:
            if self._tags[place] == tag:
                # records that come between the two are of before the seek, and librdkafka drops them
                self._consumer.resume([TopicPartition(*place)])
                self._positions.begin(place, offset)

        await self._call(resume)

    async def rewind(self, offsets: Mapping[PartitionId, int]) -> None:
        """Fetch again from these offsets; an offset below 0 is the beginning."""
        await self._call(lambda: self._rewind(offsets))

    async def commit(self, offsets: Mapping[PartitionId, int]) -> None:
        """Commit outside of a transaction, for `at_least_once`; MustAbort where the group refuses it."""
        ends = [TopicPartition(*place, offset) for place, offset in offsets.items()]

        def commit() -> None:
            try:
                self._consumer.commit(offsets=ends, asynchronous=False)
            except KafkaException as error:
                if error.args[0].fatal():
                    raise
                raise MustAbort(str(error)) from error

        await self._call(commit)

    def _rewind(self, offsets: Mapping[PartitionId, int]) -> None:
        # one step for the fetches of this thread: records after the seek have the new tag
        for place, offset in offsets.items():
            self._positions.go_to(place, offset)
            self._tags[place] += 1

    async def _call(self, command: Callable[[], T]) -> T:
        done: Future[T] = Future()
        self._commands.append((done, command))
        if self._ended.is_set():
            self._serve_commands()  # to refuse it
        return await asyncio.wait_for(asyncio.wrap_future(done), _COMMAND_SECONDS_MAX)

    def _run(self) -> None:
        try:
            while not self._quit.is_set():
                self.step(_POLL_SECONDS)
            self._consumer.close()
        except BaseException as error:  # noqa: BLE001 - the app must learn of whatever ends this thread
            self._error = error
            asyncio.run_coroutine_threadsafe(self._listener.on_failed(error), self._loop)
        finally:
            self._ended.set()
            self._serve_commands()

    def step(self, wait_s: float) -> None:
        """Serve commands, then fetch if there is room; wait up to `wait_s` for room and as long for records."""
        self._serve_commands()
        self._poll(wait_s)

    def _serve_commands(self) -> None:
        while self._commands:
            done, command = self._commands.popleft()
            if not done.set_running_or_notify_cancel():
                continue
            try:
                if self._ended.is_set():
                    # pause() and resume() of a closed consumer end the process with a segmentation fault
                    raise self._error or RuntimeError("the consumer is closed")  # noqa: TRY301 - one way
                done.set_result(command())
            except BaseException as error:  # noqa: BLE001 - it belongs to the caller
                done.set_exception(error)

    def _poll(self, wait_s: float) -> None:
        self.polled_s = time.time()
        if not self._room.acquire(timeout=wait_s):
            return
        # consume(n, t) alone would wait the whole t for n messages
        first = self._consumer.poll(wait_s)
        chunk = [] if first is None else self._chunk(self._consume_after(first))
        if chunk:
            self._loop.call_soon_threadsafe(self._listener.on_chunk, chunk)
        else:
            self._room.release()

    def _consume_after(self, first: Message) -> list[Message]:
        place = first.topic(), first.partition()
        tag = self._tags.get(place)
        if place in self._owned and first.error() is None:
            self._positions.note(place, first.offset() + 1)
        rest: list[Message] = self._consumer.consume(self._records_max - 1, 0)
        # consume() may have served a rebalance with a rewind: then the first message will come again
        return [first, *rest] if self._tags.get(place) == tag else rest

    def _chunk(self, messages: Iterable[Message]) -> list[Tagged]:
        batches: dict[PartitionId, Batch] = {}
        batch: Batch | None = None
        for message in messages:
            error = message.error()
            if error is not None and not self._is_end(message, error):
                continue
            topic, partition = message.topic(), message.partition()
            # they come in runs of one partition
            if batch is None or batch.partition != partition or batch.topic != topic:
                batch = batches.get((topic, partition))
                if batch is None:
                    batch = batches[topic, partition] = Batch(topic, partition, [], 0)
            if error is None:
                batch.messages.append(message)
            else:
                batch.next_offset = message.offset()
        for place, batch in batches.items():
            if batch.messages:
                batch.next_offset = max(batch.next_offset, batch.messages[-1].offset() + 1)
            if place in self._owned:
                self._positions.note(place, batch.next_offset)
        self._pass_refused(batches)
        return [(self._tags[place], batch) for place, batch in batches.items()]

    def _is_end(self, message: Message, error: KafkaError) -> bool:
        """Deal with what comes instead of a record; return whether it is the end of a partition."""
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - its name
            self._refused.append((message.topic(), message.partition()))
        elif error.fatal() or error.code() in _REFUSALS:
            raise KafkaException(error)
        elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
            _log.warning("consumer", error=str(error))
        return bool(error.code() == KafkaError._PARTITION_EOF)  # noqa: SLF001 - its name

    def _pass_refused(self, batches: dict[PartitionId, Batch]) -> None:
        """Go on where a broker refused an offset; the batch says how far the partition is read without it."""
        while self._refused:
            place = self._refused.pop()
            offset = self._positions.refused(place) if place in self._owned else None
            if offset is not None:
                batch = batches.setdefault(place, Batch(*place, [], 0))
                batch.next_offset = max(batch.next_offset, offset)

    def _continue(self, owned: Iterable[PartitionId]) -> None:
        if self._quit.is_set():
            return  # close() gives up one after another, and a seek is refused then
        self._positions.continue_all(owned)

    def _nap(self) -> None:
        time.sleep(_NAP_SECONDS)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # where each continues is known only when it is restored
        consumer.incremental_assign([TopicPartition(each.topic, each.partition, 0) for each in partitions])
        if partitions:
            consumer.pause(partitions)
        self._continue(self._owned)
        places = [(partition.topic, partition.partition) for partition in partitions]
        for place in places:
            self._tags[place] = self._tags.get(place, 0) + 1
        self._owned.update(places)
        member = _member(consumer.consumer_group_metadata())
        self._members.update(dict.fromkeys(places, member))
        tags = {place: self._tags[place] for place in places}
        # not awaited: restoring takes long, and polling must go on
        asyncio.run_coroutine_threadsafe(self._listener.on_assigned(tags), self._loop)

    def _give_up(self, partitions: list[TopicPartition], *, lost: bool) -> None:
        places = [(partition.topic, partition.partition) for partition in partitions]
        done = asyncio.run_coroutine_threadsafe(self._listener.on_revoked(places, lost=lost), self._loop)
        while not done.done():
            self._serve_commands()  # finishing may take a rewind
            self._nap()
        error = done.exception()
        if error is not None:
            asyncio.run_coroutine_threadsafe(self._listener.on_failed(error), self._loop)
        for place in places:
            self._owned.discard(place)
            self._positions.forget(place)
            self._members.pop(place, None)
        self._consumer.incremental_unassign(partitions)
        self._continue(self._owned)


def _member(group_metadata: bytes) -> bytes:
    # `CGMDv2:`, 4 bytes of generation, group, member, ...: texts end with a zero byte
    return group_metadata[_GROUP_START:].split(b"\0", 2)[1]
