"""A prefix on a real broker and workers of ours on it: made, started, killed, and awaited until all is worked off."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from confluent_kafka import Consumer, Message, TopicPartition

from schemas.journal import CollectedTo, Progress
from schemas.touchpoint import Mark, Touchpoint
from schemas.wire import SINGLE_OBJECT
from streams.collect.keys import key_of
from streams.demo.servers.http_server import HttpServer
from streams.kafka.config import reader_config
from streams.kafka.reader import read_committed
from streams.operations.create import create_prefix
from streams.replay.replayer import ReplayOptions, ReplaySummary, Source, replay
from streams.replay.target import Target
from streams.settings import ENVIRONMENT_PREFIX, DomainSettings
from streams.topics import Topics
from streams.worker_settings import WorkerSettings
from tests.support.producing import a_producer
from tests.support.world import START_MS, an_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

T = TypeVar("T")

CUSTOMERS = 30
NEEDS_PERSON = 2
"""The exit code by which a worker says that no restart helps."""
WORKER = (
    "from streams.worker import run_worker; "
    "from streams.worker_settings import parse_worker; run_worker(parse_worker())"
)
_ASK_SECONDS = 10.0
_POLL_SECONDS = 0.2


class NotWorkedOff(AssertionError):
    """Inputs still hold records that no worker committed; the message names where."""


@dataclass(frozen=True, slots=True)
class Place:
    """A prefix that is made, and the settings that decide in it; workers keep state and logs in `folder`."""

    settings: WorkerSettings
    domain: DomainSettings
    folder: Path

    @property
    def topics(self) -> Topics:
        return Topics(self.settings.prefix)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a command on this prefix."""
        return {
            f"{ENVIRONMENT_PREFIX}BROKERS": self.settings.brokers,
            f"{ENVIRONMENT_PREFIX}PREFIX": self.settings.prefix,
        }

    @property
    def target(self) -> Target:
        return Target({"bootstrap.servers": self.settings.brokers}, self.settings.prefix, self.domain)

    def messages(self, topic: str, partitions: Iterable[int] | None = None) -> Iterator[Message]:
        """Committed records of a topic up to its present end; `topic` as in `streams.topics.NAMES`."""
        chosen = None if partitions is None else list(partitions)
        return read_committed(self.settings.brokers, getattr(self.topics, topic), partitions=chosen)

    def records(self, topic: str, kind: type[T]) -> list[T]:
        """Decoded records of one type, in order within each partition."""
        return [record for _, record in self.keyed(topic, kind)]

    def keyed(self, topic: str, kind: type[T]) -> list[tuple[str, T]]:
        """The same with their keys; tombstones are left out."""
        found = []
        for message in self.messages(topic):
            value = message.value()
            record = None if value is None else SINGLE_OBJECT.decode(value)
            if isinstance(record, kind):
                found.append(((message.key() or b"").decode(errors="backslashreplace"), record))
        return found

    def last(self, topic: str, kind: type[T]) -> dict[str, T]:
        """The last record of each key of a compacted topic; keys that ended with a tombstone are left out."""
        found: dict[str, T] = {}
        for message in self.messages(topic):
            key, value = (message.key() or b"").decode(), message.value()
            found.pop(key, None)
            record = None if value is None else SINGLE_OBJECT.decode(value)
            if isinstance(record, kind):
                found[key] = record
        return found


def make_place(brokers: str, prefix: str, folder: Path, **domain: Any) -> Place:
    """Creates the topics and publishes the settings; what is not given: marks, two partitions of each, consent."""
    chosen = {
        "clock": "marks",
        "touchpoint_partitions": 2,
        "journal_partitions": 2,
        "consent_default": "granted",
        **domain,
    }
    place = Place(
        WorkerSettings(brokers=brokers, prefix=prefix), DomainSettings.model_validate(chosen), folder.resolve()
    )
    create_prefix(place.settings, place.domain)
    return place


class AWorker(HttpServer):
    """A worker process in the slot `instance`: ready when started; killed or stopped it may be started again.

    `given` are further settings by the names of `WorkerSettings`. State: `<folder>/<instance>/state`; it stays.
    """

    name = "worker"
    ready_path = "/health/ready"

    def __init__(self, place: Place, instance: str = "0", **given: object) -> None:
        folder = place.folder / instance
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder)
        self._given = {
            "brokers": place.settings.brokers,
            "prefix": place.settings.prefix,
            "instance": instance,
            "state_dir": self.folder / "state",
            "web_host": "127.0.0.1",
            "web_port": self.port,
            **given,
        }

    def command(self) -> list[str]:
        variables = [f"{ENVIRONMENT_PREFIX}{name.upper()}={value}" for name, value in self._given.items()]
        return ["env", *variables, sys.executable, *self.program]

    @property
    def program(self) -> list[str]:
        """What Python runs."""
        return ["-c", WORKER]

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def exit_code(self) -> int | None:
        """None while it runs or before it was started; -9 after a kill."""
        return self._server.exit_code if self._server else None

    def kill(self) -> None:
        """As a power cut would: SIGKILL."""
        if self._server:
            self._server.kill()


class Started(AWorker):
    """A worker as an operator starts it."""

    @property
    def program(self) -> list[str]:
        return ["-m", "streams", "worker"]


@contextmanager
def a_worker(place: Place, instance: str = "0", **given: object) -> Iterator[AWorker]:
    """A ready worker; at the end it is stopped, and has to exit with 0 if the test did not end it."""
    worker = AWorker(place, instance, **given)
    with worker:
        yield worker
        was_running = worker.exit_code is None
    if was_running:
        assert worker.exit_code == 0, worker.log.read_text()[-4000:]


def play(place: Place, *sources: Source, **options: Any) -> ReplaySummary:
    """The product's replay at full speed, barriers and the drain of 8 days included, until all is worked off."""
    summary = replay(sources, place.target, ReplayOptions(**options))
    wait_worked_off(place)
    return summary


def buy(place: Place, at_ms: int = START_MS, count: int = CUSTOMERS) -> None:
    """So many customers order, one each."""
    send(place, [an_order(at_ms + number, user=f"c{number}") for number in range(count)])


def send(place: Place, records: Iterable[Touchpoint | Mark], partition: int = -1) -> None:
    """Writes touchpoints under their own keys, and marks, which need a partition where there are several."""
    with a_producer(place.settings.brokers, queue_buffering_max_messages=1_000_000) as producer:
        for record in records:
            key = b"" if isinstance(record, Mark) else key_of(record)
            producer.produce(place.topics.touchpoints, SINGLE_OBJECT.encode(record), key, partition)


def wait_worked_off(place: Place, seconds: float = 60.0) -> None:
    """Returns once the group has committed the end of every input, and time has come as far as was collected.

    Raises:
        NotWorkedOff: that did not happen.
    """
    topics, domain = place.topics, place.domain
    inputs = [
        *(TopicPartition(topics.touchpoints, number) for number in range(domain.touchpoint_partitions)),
        *(TopicPartition(topics.journal, number) for number in range(domain.journal_partitions)),
        TopicPartition(topics.facts, 0),
    ]
    consumer = Consumer(reader_config(place.settings.brokers, {}, group=place.settings.prefix))
    give_up_at = time.monotonic() + seconds
    try:
        brokers = place.settings.brokers
        # time may be told after the first look, and what follows from it is work, too
        while behind := _behind(consumer, inputs, brokers) or _untold(place) or _behind(consumer, inputs, brokers):
            if time.monotonic() > give_up_at:
                raise NotWorkedOff(f"after {seconds:.0f} s these still have records: {behind}")
            time.sleep(_POLL_SECONDS)
    finally:
        consumer.close()


def _behind(consumer: Consumer, inputs: list[TopicPartition], brokers: str) -> dict[str, int]:
    """Offset by input partition, of those with a record behind it that is not committed.

    Ends are asked after commits, so that none means that nothing was under way. Behind the last record there may be
    a transaction's marker, which no worker commits by itself.
    """
    asked = [TopicPartition(each.topic, each.partition) for each in inputs]
    behind = {}
    for each in consumer.committed(asked, _ASK_SECONDS):
        low, end = consumer.get_watermark_offsets(TopicPartition(each.topic, each.partition), _ASK_SECONDS)
        # what was deleted before it was read is gone; a worker says so by itself
        done = max(each.offset, low)
        rest = read_committed(brokers, each.topic, partitions=[each.partition], start={each.partition: done})
        if end > done and next(rest, None) is not None:
            behind[f"{each.topic}/{each.partition}"] = done
    return behind


def _untold(place: Place) -> dict[str, int]:
    """Collected time by journal partition, of those in which it is not yet progress."""
    reached: dict[type, dict[tuple[int, int], int]] = {CollectedTo: {}, Progress: {}}
    headers = tuple(SINGLE_OBJECT.header(kind) for kind in reached)
    for message in place.messages("journal"):
        value = message.value() or b""
        if value.startswith(headers):
            record = SINGLE_OBJECT.decode(value)
            for told in record.partitions:
                reached[type(record)][message.partition() or 0, told.partition] = told.time_ms
    return {
        f"{place.topics.journal}/{journal}": time_ms
        for (journal, number), time_ms in reached[CollectedTo].items()
        if reached[Progress].get((journal, number), -1) < time_ms
    }
