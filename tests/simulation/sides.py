"""The same script of client calls on a real Kafka and on the model of it."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from streams.engine.settings import EngineSettings, asker_config, consumer_config, producer_config
from streams.kafka.config import reader_config
from streams.kafka.group import GroupOffsetsReader
from streams.kafka.topics import create_topics
from streams.topics import TopicSpec
from tests.simulation.faults import Faults
from tests.simulation.model_broker import ModelBroker
from tests.simulation.model_consumer import ModelConsumer
from tests.simulation.model_producer import ModelProducer
from tests.simulation.scheduler import Process, Scheduler, nap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Script = Callable[["Side"], Iterator[object]]

PARTITIONS = 2
SESSION_MS, TRANSACTION_MS = 6_000, 2_000
_WAIT_S = 10.0
_TRIES = 300


class Side:
    """Where a script is played; what it yields has been seen there."""

    def __init__(self, brokers: str, topic: str) -> None:
        self.topic = topic
        self._brokers = brokers

    def play(self, script: Script) -> list[object]:
        return list(script(self))

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def _producer(self, config: dict[str, Any]) -> Any:
        return Producer(config)

    def _consumer(self, config: dict[str, Any]) -> Any:
        return Consumer(config)

    def _settings(self, slot: int) -> EngineSettings:
        return EngineSettings(
            self._brokers,
            self.topic,
            f"{self.topic}-{slot}",
            Path(),
            session_timeout_ms=SESSION_MS,
            transaction_timeout_ms=TRANSACTION_MS,
            client={"log_level": "0"},
        )

    def producer(self, slot: int = 0) -> Any:
        """The engine's producer; it has fenced earlier ones of the slot."""
        producer = self._producer({**producer_config(self._settings(slot))})
        while True:
            try:
                producer.init_transactions(_WAIT_S)
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise
            else:
                return producer

    def reader(self, partition: int = 0, isolation: str = "read_committed") -> Any:
        """A consumer at the first record of a partition."""
        consumer = self._consumer({**reader_config(self._brokers, {}, self.topic), "isolation.level": isolation})
        consumer.assign([TopicPartition(self.topic, partition, 0)])
        return consumer

    def member(self, slot: int) -> Any:
        """The engine's consumer, before it subscribes."""
        # where librdkafka begins by itself is not what is compared
        return self._consumer({**consumer_config(self._settings(slot)), "auto.offset.reset": "earliest"})

    def standing(self) -> list[Mapping[int, int]]:
        """Committed offsets of the group, and ends of open transactions too."""
        group = GroupOffsetsReader(self._consumer({**asker_config(self._settings(0))}))
        while True:
            try:
                return list(group.ask(self.topic))
            except KafkaException:
                self.sleep(_WAIT_S / _TRIES)  # a broker just started has no coordinator yet

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        for _ in range(_TRIES):
            if holds():
                return
            self.sleep(_WAIT_S / _TRIES)
        raise AssertionError(f"waited in vain until {what}")


class KafkaSide(Side):
    """A real broker; the topic is made."""

    def __init__(self, brokers: str, topic: str) -> None:
        super().__init__(brokers, topic)
        create_topics(brokers, [TopicSpec(topic, PARTITIONS)])


class ModelSide(Side):
    """The model; what it does by chance follows from the seed."""

    def __init__(self, topic: str, seed: int) -> None:
        super().__init__("model", topic)
        self._scheduler = Scheduler(Random(seed))
        self._broker = ModelBroker(self._scheduler, {topic: PARTITIONS})
        self._process = Process(self._scheduler)
        self._faults = Faults((), lambda *_: None)

    def play(self, script: Script) -> list[object]:
        seen: list[object] = []
        raised: list[Exception] = []

        def run() -> None:
            try:
                seen.extend(script(self))
            except Exception as error:  # noqa: BLE001 - raised again outside of the fiber
                raised.append(error)

        fiber = self._process.spawn(run)
        while not fiber.is_done:
            self._scheduler.pass_time(_WAIT_S / _TRIES)
        for error in raised:
            raise error
        return seen

    def sleep(self, seconds: float) -> None:
        nap(self._process, seconds)

    def _producer(self, config: dict[str, Any]) -> Any:
        return ModelProducer(config, self._process, self._broker, self._faults)

    def _consumer(self, config: dict[str, Any]) -> Any:
        return ModelConsumer(config, self._process, self._broker, self._faults)
