"""Records on their way to Kafka: one idempotent producer, and who waits for the acknowledgement of what.

All of it runs on the event loop, where the client's callbacks come out of `poll`: no thread has to be woken for a call.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import structlog
from confluent_kafka import KafkaException, Producer

from schemas.limits import TOPIC_BYTES_MAX
from streams.kafka.config import RECONNECT
from streams.kafka.partitioner import partition_of_key
from streams.serve.limits import RECORDS_MAX
from streams.serve.refusals import later

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka import KafkaError, Message

    from streams.serve.calls import Record
    from streams.serve.settings import ServeSettings
    from streams.worker_settings import WorkerSettings

POLL_SECONDS: Final = 0.001
"""How often acknowledgements are looked for while there is something to wait for."""
IDLE_SECONDS: Final = 0.25
"""How often the client may say that brokers are away while there is not."""
RETRY_SECONDS: Final = 5.0
"""After how long a client is asked to try again."""
SILENT_SECONDS: Final = 5.0
"""If the oldest record has waited for so long, no more are taken until one is acknowledged."""
LINGER_MS: Final = 1
PROBE_SECONDS: Final = 5.0
SAID_EVERY_SECONDS: Final = 60.0
FULL: Final = "too much waits for Kafka's acknowledgement: send the same again later"
_ASK_SECONDS: Final = 3.0

_log = structlog.get_logger(__name__)
Headers = list[tuple[str, bytes]]


class _Waiting:
    """The records of one request."""

    __slots__ = ("_outlet", "count", "done", "is_lost", "left", "since_s")

    def __init__(self, outlet: Outlet, count: int, since_s: float, done: asyncio.Future[bool]) -> None:
        self._outlet = outlet
        self.count = self.left = count
        self.since_s = since_s
        self.is_lost = False
        self.done = done

    def delivered(self, error: KafkaError | None, _: Message | None) -> None:
        if error is None:
            self.settle(1)
        else:
            self.lost(1, error)

    def lost(self, count: int, error: KafkaError | None) -> None:
        self.is_lost = True
        self._outlet.note_failure(error)
        self.settle(count)

    def settle(self, count: int) -> None:
        self.left -= count
        if not self.left:
            self._outlet.note_settled(self)


class Outlet:
    """Where records go. `start` and `stop` belong to the event loop; one loop has one outlet."""

    def __init__(
        self,
        worker: WorkerSettings,
        settings: ServeSettings,
        place: tuple[str, int],
        observe: Callable[[float], None],
        make: Callable[[dict[str, Any]], Producer] = Producer,
    ) -> None:
        """Open a producer for `place`: the topic's name, and how many partitions the settings give it.

        `observe` hears after how many seconds Kafka has answered for a request.
        """
        self._observe = observe
        self._topic, self._partitions = place
        self._bytes_max = settings.unacknowledged_bytes_max
        self._make = make
        self._config = producer_config(worker, settings)
        self._producer = make(self._config)
        self._ended: list[Producer] = []
        self._waiting: dict[_Waiting, None] = {}
        self._held_bytes = self._records = 0
        self._acknowledged_s = float("-inf")
        self._said_s = float("-inf")
        self._is_away = False
        self._tasks: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()

    @property
    def held_bytes(self) -> int:
        """Return the bytes of bodies that are being read or not yet acknowledged."""
        return self._held_bytes

    @property
    def records(self) -> int:
        """Return how many records are not yet acknowledged."""
        return self._records

    def is_away(self) -> bool:
        """Return whether Kafka does not answer, as far as is known."""
        if self._is_away:
            return True
        oldest = next(iter(self._waiting), None)
        return oldest is not None and time.monotonic() - oldest.since_s > SILENT_SECONDS

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._poll()), asyncio.create_task(self._probe())]

    async def stop(self, seconds: float) -> int:
        """End; return how many records were not acknowledged."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # the callbacks come out of it on another thread, when nobody waits for them any more
        return await asyncio.to_thread(self._producer.flush, seconds)

    def hold(self, size: int) -> None:
        """Set room aside for a body that is about to be read; `free` gives it back. Rejected (503) if there is none."""
        if self.is_away():
            raise later("Kafka does not answer: send the same again later", RETRY_SECONDS)
        if self._held_bytes + size > self._bytes_max:
            raise later(FULL, 1)
        self._held_bytes += size

    def free(self, size: int) -> None:
        self._held_bytes -= size

    async def send(self, records: Sequence[Record], headers: Headers) -> None:
        """Return when Kafka has acknowledged every record; Rejected (503) if it has not."""
        count = len(records)
        if self._records + count > RECORDS_MAX:
            raise later(FULL, 1)
        waiting = _Waiting(self, count, time.monotonic(), asyncio.get_running_loop().create_future())
        self._waiting[waiting] = None
        self._records += count
        produce, topic, partitions, delivered = self._producer.produce, self._topic, self._partitions, waiting.delivered
        for number, (key, place, value) in enumerate(records):
            try:
                produce(topic, value, key, partition_of_key(place, partitions), delivered, headers=headers)
            except (BufferError, KafkaException) as error:
                # what was handed over before may be written: the client sends all of it again, and it counts once
                waiting.lost(count - number, error.args[0] if isinstance(error, KafkaException) else None)
                break
        self._wake.set()
        is_written = await waiting.done
        self._observe(time.monotonic() - waiting.since_s)
        if not is_written:
            raise later("Kafka has not acknowledged everything: send the same again later", RETRY_SECONDS)

    def note_settled(self, waiting: _Waiting) -> None:
        self._waiting.pop(waiting, None)
        self._records -= waiting.count
        if not waiting.is_lost:
            self._acknowledged_s = time.monotonic()
            self._is_away = False
        if not waiting.done.done():
            waiting.done.set_result(not waiting.is_lost)

    def note_failure(self, error: KafkaError | None) -> None:
        """Say what went wrong, once a while, and go on with a new producer where this one cannot."""
        now_s = time.monotonic()
        if now_s - self._said_s > SAID_EVERY_SECONDS:
            self._said_s = now_s
            _log.warning("records were not acknowledged", reason="queue full" if error is None else error.name())
        if error is not None and error.fatal() and not self._ended:
            self._ended.append(self._producer)
            self._producer = self._make(self._config)

    async def _poll(self) -> None:
        while True:
            if self._waiting:
                self._producer.poll(0)
                for each in self._ended:
                    each.poll(0)
                await asyncio.sleep(POLL_SECONDS)
                continue
            self._ended.clear()
            self._wake.clear()
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                self._producer.poll(0)

    async def _probe(self) -> None:
        """Ask now and then whether Kafka is there, while no acknowledgement says so."""
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            if time.monotonic() - self._acknowledged_s > PROBE_SECONDS:
                self._is_away = not await asyncio.to_thread(self._answers)

    def _answers(self) -> bool:
        try:
            self._producer.list_topics(self._topic, _ASK_SECONDS)
        except KafkaException:
            return False
        return True


def kafka_headers(source: str, door: str, received_ms: int) -> Headers:
    """Return the headers of a record: its source, the door that reads it, and when it came in by this clock."""
    return [("source", source.encode()), ("door", door.encode()), ("received_at_ms", received_ms.to_bytes(8, "big"))]


def producer_config(worker: WorkerSettings, settings: ServeSettings) -> dict[str, Any]:
    """Return the settings of the client: idempotent, all replicas, small batches that go out soon."""
    return {
        "compression.type": "lz4",
        "linger.ms": LINGER_MS,
        "log_level": 3,
        **RECONNECT,
        **worker.kafka,
        "bootstrap.servers": worker.brokers,
        "enable.idempotence": True,
        "acks": "all",
        "message.max.bytes": TOPIC_BYTES_MAX,
        "message.timeout.ms": round(settings.acknowledge_seconds_max * 1000),
        "queue.buffering.max.messages": RECORDS_MAX + 1,
        "queue.buffering.max.kbytes": max(settings.unacknowledged_bytes_max // 1024 * 2, 1_048_576),
    }
