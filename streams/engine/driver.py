"""The engine as a transport of Faust, which keeps the app's life cycle, agents, timers and web pages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import confluent_kafka
import faust
from confluent_kafka import Producer as KafkaProducer
from faust.tables import TableManager
from faust.transport.base import Transport as FaustTransport
from faust.transport.consumer import Fetcher as FaustFetcher
from faust.transport.drivers import TRANSPORTS
from faust.transport.producer import Producer as FaustProducer
from faust.types import TP
from faust.types.tuples import RecordMetadata
from mode import Service
from mode.utils.objects import cached_property
from mode.utils.queues import FlowControlEvent

from streams.engine.batch import GENERATION, Batch, BatchMessage, BatchSchema
from streams.engine.clients import Clients
from streams.engine.engine import Engine
from streams.engine.errors import NeedsPerson
from streams.engine.facade import ConsumerFacade
from streams.engine.settings import client_config
from streams.engine.status import Status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

    from streams.engine.hung import Trial
    from streams.engine.inputs import Input
    from streams.engine.settings import EngineSettings
    from streams.kafka.offsets import PartitionId

SCHEME = "touchstream"
_FLUSH_SECONDS = 10.0


class NoFlowControl(FlowControlEvent):
    """Flow control that keeps the agents' queues over a rebalance.

    Faust would empty them, and the engine would wait for ever for the batch that it had just put in. The poller's tags
    show which batches are stale.
    """

    def clear(self) -> None: ...


class Tables(TableManager):
    """No tables, because the engine keeps the state; so the start does not wait a second for them, as Faust does."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class App(faust.App):
    """A Faust app that runs on the engine."""

    engine: Engine

    @cached_property
    def flow_control(self) -> FlowControlEvent:
        return NoFlowControl()

    @property
    def status(self) -> Status:
        return self.engine.status

    async def on_first_start(self) -> None:
        self.engine.settings.state_dir.mkdir(parents=True, exist_ok=True)
        await super().on_first_start()


class Fetcher(FaustFetcher):
    """A fetcher that runs the engine for as long as Faust lets records flow."""

    @Service.task
    async def _fetcher(self) -> None:
        consumer = cast("Consumer", self.app.consumer)
        try:
            await consumer.engine.run(lambda: bool(self.should_stop or consumer.should_stop))
        except Exception as error:  # noqa: BLE001 - a bug in the engine or in a processor's bookkeeping
            await consumer.engine.on_failed(error)
        finally:
            self.set_shutdown()


class Consumer(ConsumerFacade):
    """What Faust asks of a consumer; the engine has its own ways for most of it."""

    engine: Engine

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - Faust's own
        super().__init__(*arguments, **options)
        self.engine = cast("App", self.app).engine
        self._in_flight: BatchMessage | None = None

    async def on_start(self) -> None:
        try:
            await self.engine.start(self)
        except NeedsPerson as error:
            # to Faust, what a start raises is no crash, but this says how the process has to end
            self.app.crash_reason = error
            raise

    async def on_stop(self) -> None:
        if self._in_flight is not None:
            self._in_flight.done.cancel()
        await self.engine.stop()

    async def subscribe(self, topics: Iterable[str]) -> None:
        await self.engine.subscribe(set(topics))

    def assignment(self) -> set[TP]:
        return {TP(*place) for place in self.engine.status.partitions}

    async def deliver(self, batch: Batch) -> None:
        """Send a batch through Faust to its agent and wait until the agent is done with it."""
        message = BatchMessage(batch, asyncio.get_running_loop().create_future())
        self._in_flight = message
        try:
            await self.callback(message)
            await message.done
        finally:
            self._in_flight = None

    async def on_task_error(self, exc: BaseException) -> None:
        # Faust calls this before the dying stream acknowledges its event
        message = self._in_flight
        if message is not None and not message.done.done():
            message.done.set_exception(exc)

    async def on_assigned(self, places: Collection[PartitionId]) -> None:
        self.app.on_rebalance_start()
        # its type in Faust lacks the generation
        on_assigned: Callable[[set[TP], int], Awaitable[None]] = self._on_partitions_assigned  # type: ignore[assignment]
        await on_assigned({TP(*place) for place in places}, GENERATION)

    async def position(self, tp: TP) -> int | None:
        return self.engine.status.positions.get(tp)

    def highwater(self, tp: TP) -> int:
        end = self.engine.status.ends.get(tp)
        return end.offset if end else 0

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        return {tp: self.highwater(tp) for tp in partitions}


class Producer(FaustProducer):
    """A producer for what Faust itself may send; effects of records go through the engine's transactions."""

    _kafka: KafkaProducer | None = None

    async def on_start(self) -> None:
        self._kafka = KafkaProducer(client_config(cast("App", self.app).engine.settings))
        await super().on_start()

    async def send(  # noqa: PLR0913, PLR0917 - Faust's own
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        timestamp: float | None,  # noqa: ARG002 - Faust's own
        headers: Any,  # noqa: ANN401 - Faust's own
        **_: Any,  # noqa: ANN401 - Faust's own
    ) -> Awaitable[RecordMetadata]:
        loop = asyncio.get_running_loop()
        sent: asyncio.Future[RecordMetadata] = loop.create_future()

        def delivered(error: Any, message: Any) -> None:  # noqa: ANN401 - confluent's own
            if error is not None:
                loop.call_soon_threadsafe(sent.set_exception, confluent_kafka.KafkaException(error))
                return
            at = TP(topic, message.partition())
            record = RecordMetadata(topic, message.partition(), at, message.offset())
            loop.call_soon_threadsafe(sent.set_result, record)

        if self._kafka is None:
            raise RuntimeError("the producer is not started")
        where = -1 if partition is None else partition
        self._kafka.produce(topic, value, key, where, headers=headers, on_delivery=delivered)
        await self.flush()
        return sent

    async def send_and_wait(self, *arguments: Any, **options: Any) -> RecordMetadata:  # noqa: ANN401
        return await (await self.send(*arguments, **options))

    async def flush(self) -> None:
        if self._kafka is not None:
            await asyncio.to_thread(self._kafka.flush, _FLUSH_SECONDS)

    async def create_topic(self, topic: str, *_: Any, **__: Any) -> None:  # noqa: ANN401 - Faust's own
        raise NotImplementedError(f"topics are created by a command, not by Faust: {topic}")

    def key_partition(self, topic: str, key: bytes) -> TP:  # noqa: ARG002 - Faust's own
        return TP(topic, 0)

    def supports_headers(self) -> bool:
        return True


class Transport(FaustTransport):
    Consumer = Consumer
    Producer = Producer
    Fetcher = Fetcher
    driver_version = f"confluent-kafka={confluent_kafka.__version__}"


TRANSPORTS.aliases[SCHEME] = f"{__name__}:{Transport.__name__}"


def create_app(  # noqa: PLR0913 - each a choice of the caller
    name: str,
    settings: EngineSettings,
    inputs: Sequence[Input],
    *,
    web_port: int,
    web_host: str = "0.0.0.0",  # noqa: S104
    on_committed: Callable[[], None] = lambda: None,
    status: Status | None = None,
    trial: Trial | None = None,
) -> App:
    """Make an app that reads `inputs`, without agents: attach one to `batches(app, input)` for each.

    `on_committed` is called after the commit of each cycle that sent something. The topics must exist when it starts
    (`streams.kafka.topics`). A processor that needs the `status` gets it beforehand.
    """
    app = App(
        name,
        broker=f"{SCHEME}://engine",
        store="memory://",
        datadir=settings.state_dir / "faust",
        web_port=web_port,
        web_host=web_host,
        web_bind=web_host,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        worker_redirect_stdouts=False,
        autodiscover=False,
        TableManager=Tables,
    )
    app.engine = Engine(settings, inputs, status or Status(), on_committed, Clients(trial=trial))
    return app


def batches(app: faust.App, source: Input) -> Any:  # noqa: ANN401 - Faust's TopicT takes part in its decorators
    """Return the channel for an agent of `source`."""
    return app.topic(source.topic, schema=BatchSchema(), acks=False, maxsize=1)
