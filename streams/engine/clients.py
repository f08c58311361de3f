"""The engine's connections to the world; a simulation supplies its own."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from streams.engine.disk import Disk, LocalDisk
from streams.engine.last_resort import end_soon
from streams.engine.poller import Poller
from streams.engine.settings import client_config
from streams.engine.step_watch import StepWatch, Watch
from streams.kafka.topology import DescribedTopics

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from streams.engine.hung import Trial
    from streams.engine.listener import Listener
    from streams.engine.settings import EngineSettings
    from streams.kafka.config import ClientConfig
    from streams.kafka.topology import TopicsAsker


def _described_topics(settings: EngineSettings) -> TopicsAsker:
    return DescribedTopics(AdminClient(client_config(settings)))


def _watch(settings: EngineSettings) -> Watch:
    return StepWatch(settings.state_dir, settings.step_seconds_max)


@dataclass(frozen=True, slots=True)
class Clients:
    """Factories of Kafka's clients and of the polling thread; the disk; a clock that only rises; a process's end."""

    consumer: Callable[[ClientConfig], Consumer] = Consumer
    producer: Callable[[dict[str, Any]], Producer] = Producer
    poller: Callable[[Consumer, int, Listener], Poller] = Poller
    topics: Callable[[EngineSettings], TopicsAsker] = _described_topics
    disk: Disk = field(default_factory=LocalDisk)
    clock_s: Callable[[], float] = time.monotonic
    end_soon: Callable[[], None] = end_soon
    watch: Callable[[EngineSettings], Watch] = _watch
    trial: Trial | None = None
    """Tries records at which an earlier process may have hung; None: they are not tried."""
