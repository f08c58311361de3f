"""A worker as a child process, and how far it has come."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from streams.demo.servers.http_server import HttpServer
from streams.kafka.config import reader_config
from streams.kafka.reader import read_committed
from streams.settings import ENVIRONMENT_PREFIX
from streams.topics import Topics

if TYPE_CHECKING:
    from pathlib import Path

    from streams.settings import DomainSettings
    from streams.worker_settings import WorkerSettings

STAGES = {"touchpoints": "collect", "journal": "profiles", "facts": "insights"}
_IDLE_SECONDS = 60.0
_ASK_SECONDS = 10.0
_POLL_SECONDS = 0.2


class StillBusy(RuntimeError):
    """The worker has not finished its inputs; the message names the stage."""


class Worker(HttpServer):
    """A `touchstream worker` on a free port, with its state and its log in `folder`."""

    name = "worker"
    ready_path = "/health/ready"

    def __init__(self, settings: WorkerSettings, folder: Path, *, outlives_us: bool = False) -> None:
        super().__init__(folder, outlives_us=outlives_us)
        self._settings = settings

    def command(self) -> list[str]:
        given = {
            "brokers": self._settings.brokers,
            "prefix": self._settings.prefix,
            "state_dir": str(self.folder / "state"),
            "web_host": "127.0.0.1",
            "web_port": str(self.port),
            "web_token": "",
            "registry_url": "",
        }
        variables = [f"{ENVIRONMENT_PREFIX}{name.upper()}={value}" for name, value in given.items()]
        return ["env", *variables, sys.executable, "-m", "streams", "worker"]

    def lags(self) -> dict[str, int]:
        """Return the records not yet processed, by stage; empty if the worker does not answer."""
        found: dict[str, int] = {}
        for family in text_string_to_metric_families(self.page("/metrics", 5.0) or ""):
            if family.name != "touchstream_lag_records":
                continue
            for sample in family.samples:
                stage = STAGES.get(sample.labels["topic"].removeprefix(f"{self._settings.prefix}."), "")
                found[stage] = found.get(stage, 0) + int(sample.value)
        return found


def wait_until_idle(settings: WorkerSettings, domain: DomainSettings) -> None:
    """Return when the group has committed every record of every input; raises StillBusy after a minute."""
    topics = Topics(settings.prefix)
    inputs = {
        topics.touchpoints: domain.touchpoint_partitions,
        topics.journal: domain.journal_partitions,
        topics.facts: 1,
    }
    consumer = Consumer(reader_config(settings.brokers, settings.kafka, group=settings.prefix))
    give_up_at = time.monotonic() + _IDLE_SECONDS
    try:
        while busy := [topic for topic, count in inputs.items() if _has_records_left(settings, consumer, topic, count)]:
            if time.monotonic() > give_up_at:
                stage = STAGES[busy[0].removeprefix(f"{settings.prefix}.")]
                raise StillBusy(f"{stage} still has records of {busy[0]} after {_IDLE_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)
    finally:
        consumer.close()


def _has_records_left(settings: WorkerSettings, consumer: Consumer, topic: str, partitions: int) -> bool:
    asked = [TopicPartition(topic, number) for number in range(partitions)]
    committed = {place.partition: max(place.offset, 0) for place in consumer.committed(asked, _ASK_SECONDS)}
    # after the last record there is a commit's marker, which nobody has to process
    left = read_committed(settings.brokers, topic, settings.kafka, start=committed)
    return next(left, None) is not None
