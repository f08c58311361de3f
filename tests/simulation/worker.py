"""A simulated worker: the real engine and processors in a process that can be killed or stopped at any step."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.wire import SINGLE_OBJECT
from streams.app import reach
from streams.engine.clients import Clients
from streams.engine.engine import Engine
from streams.engine.errors import NeedsPerson
from streams.engine.inputs import Input
from streams.engine.poller import Poller
from streams.engine.settings import EngineSettings
from streams.engine.status import Status
from streams.engine.step_watch import UNWATCHED
from streams.fold.partition_state import JournalCodec
from streams.insights.state import InsightCodec
from streams.processors.collecting import Collecting, Source
from streams.processors.insighting import Insighting
from streams.processors.profiling import Profiling
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import InsightSnapshot, Known, Observer
from streams.topics import Topics
from tests.simulation.model_broker import ModelTopics
from tests.simulation.model_consumer import ModelConsumer
from tests.simulation.model_producer import ModelProducer
from tests.simulation.scheduler import Process, nap

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from streams.engine.batch import Batch
    from streams.engine.broker_clock import BrokerClock
    from streams.engine.listener import Listener
    from streams.kafka.offsets import PartitionId
    from streams.settings import DomainSettings
    from tests.simulation.disk import ModelDisk
    from tests.simulation.faults import Faults
    from tests.simulation.model_broker import ModelBroker

TOPICS = Topics("shop")
SESSION_MS, TRANSACTION_MS, TOPICS_CHECK_MS = 600, 400, 1_000
LINGER_S = 0.2
_IDLE_S = 0.08
_SHUTDOWN_S = 0.05


@cache
def observer() -> Observer:
    """One for all workers: what the metrics show is not what is looked at here."""
    return Observer(Metrics(), Known())


def inputs(domain: DomainSettings, status: Status | None = None) -> list[Input]:
    """The three agents' inputs, as streams.app has them."""
    wire = SINGLE_OBJECT
    status = Status() if status is None else status
    collecting = Collecting(TOPICS, domain, wire, Source(reach(status, TOPICS.touchpoints), status.clock), observer())
    profiling = Profiling(TOPICS, wire, observer(), domain.journal_partitions)
    insighting = Insighting(TOPICS, wire, observer(), domain.journal_partitions, lambda _: InsightSnapshot())
    return [
        Input(TOPICS.touchpoints, collecting, wants_stamps=domain.clock == "wall"),
        Input(TOPICS.journal, profiling, TOPICS.profiles_changelog, JournalCodec(), profiling),
        Input(TOPICS.facts, insighting, TOPICS.insights_changelog, InsightCodec()),
    ]


class SteppedPoller(Poller):
    """The real poller on a fiber instead of a thread."""

    def __init__(self, process: Process, consumer: ModelConsumer, records_max: int, listener: Listener) -> None:
        super().__init__(consumer, records_max, listener)
        self._process = process
        self._consumer = consumer
        self._thread = _Thread(process, self._run)  # type: ignore[assignment] # as far as the poller uses one

    def step(self, wait_s: float) -> None:  # noqa: ARG002 - it must not wait but give way
        self._consumer.returned = 0
        super().step(0)
        nap(self._process, 0 if self._consumer.returned else _IDLE_S * self._process.scheduler.chance.random())

    def _nap(self) -> None:
        nap(self._process, 0)


@dataclass
class _Thread:
    process: Process
    run: Callable[[], None]

    def start(self) -> None:
        self._fiber = self.process.spawn(self.run)

    def is_alive(self) -> bool:
        return not self._fiber.is_done

    def join(self) -> None:
        while self.is_alive():
            nap(self.process, 0)


class Worker:
    """One life of a worker; the engine's host."""

    def __init__(  # noqa: PLR0917 - what a worker needs
        self,
        slot: int,
        settings: EngineSettings,
        process: Process,
        disk: ModelDisk,
        broker: ModelBroker,
        faults: Faults,
        domain: DomainSettings,
        clock: BrokerClock,
    ) -> None:
        self.slot = slot
        self.process = process
        self.is_stopping = False
        self.raises = 0
        """How many of the next batches fail in the agent."""
        self.error: BaseException | None = None
        disk.process = process
        clients = Clients(
            consumer=lambda config: ModelConsumer(config, process, broker, faults),
            producer=lambda config: ModelProducer(config, process, broker, faults),
            poller=lambda consumer, records_max, listener: SteppedPoller(process, consumer, records_max, listener),
            topics=lambda _: ModelTopics(broker),
            disk=disk,
            clock_s=lambda: process.scheduler.now_s,
            end_soon=lambda: None,
            watch=lambda _: UNWATCHED,
        )
        status = Status(clock)
        self._inputs = inputs(domain, status)
        self._engine = Engine(settings, self._inputs, status, lambda: None, clients)
        process.after(0, self._begin)

    def _begin(self) -> None:
        self.process.loop.create_task(self._live())

    async def _live(self) -> None:
        engine = self._engine
        try:
            await engine.start(self)
        except NeedsPerson as error:
            # to the driver it is no crash: nothing runs yet
            self.error = error
            self.process.kill()
            return
        try:
            await engine.subscribe([source.topic for source in self._inputs])
            await engine.run(lambda: self.is_stopping)
        except Exception as error:  # noqa: BLE001 - as the driver's fetcher does
            await engine.on_failed(error)
        await engine.stop()
        self.process.kill()

    async def deliver(self, batch: Batch) -> None:
        await asyncio.sleep(0)
        if self.raises:
            self.raises -= 1
            raise RuntimeError("the agent raised")
        batch.run()

    async def on_assigned(self, places: Collection[PartitionId]) -> None: ...

    async def crash(self, error: BaseException) -> None:
        self.error = self.error or error
        self.is_stopping = True
        # the process ends at any moment of its shutting down
        self.process.after(_SHUTDOWN_S * self.process.scheduler.chance.random(), self.process.kill)


def engine_settings(slot: int, **limits: Any) -> EngineSettings:
    return EngineSettings(
        brokers="model",
        group=TOPICS.prefix,
        transactional_id=f"{TOPICS.prefix}-{slot}",
        state_dir=Path(f"/slot-{slot}"),
        session_timeout_ms=SESSION_MS,
        transaction_timeout_ms=TRANSACTION_MS,
        topics_check_ms=TOPICS_CHECK_MS,
        linger_seconds=LINGER_S,
        **limits,
    )
