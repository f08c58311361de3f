"""From a touchpoint written to its trigger readable by one who reads committed: p50 and p99 in ms.

At half of the rate at which a backlog is worked off in the same run; sender and reader share the cores with worker
and broker. The floor is the way of the same records through the broker alone, at the same rate.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from confluent_kafka import Consumer, TopicPartition

from schemas.outputs import Trigger
from schemas.wire import SINGLE_OBJECT
from streams.demo.servers.broker import Broker
from streams.kafka.config import reader_config
from tests.bench.results import Figure, keep
from tests.bench.sending import ADD_EVERY
from tests.support.flows import a_reminder
from tests.support.running import Place, a_worker, make_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from confluent_kafka import Message

BACKLOG = 60_000
PARTITIONS = 4
SECONDS = 30.0
SILENT_SECONDS_MAX = 15.0
SETTLED_SECONDS = 5.0


def main() -> None:
    """Prints and keeps p50 and p99; the first seconds, of a cold broker, do not count."""
    with Broker() as broker, tempfile.TemporaryDirectory() as folder:
        greatest = _greatest_rate(_place(broker.bootstrap, Path(folder)))
        rate = round(greatest / 2)
        place = _place(broker.bootstrap, Path(folder))
        with a_worker(place):
            found = _percentiles(_follow(place, "triggers", rate, _decided_ms))
        bare = _place(broker.bootstrap, Path(folder))
        floor = _percentiles(_follow(bare, "touchpoints", rate, lambda message: message.timestamp()[1]))
    keep(
        f"touchpoint written to trigger readable at {rate:,}/s, half of the greatest rate, for {SECONDS:.0f} s",
        [
            Figure(f"latency p{share}, ms", value, max(least, 1), "the broker alone")
            for share, value, least in zip((50, 99), found, floor, strict=True)
        ],
    )


def _greatest_rate(place: Place) -> float:
    """Touchpoints a second of a backlog that was there before the worker, from its start to the last trigger."""
    subprocess.run([*_sending(place), str(BACKLOG), "1"], check=True)
    with a_worker(place):
        ready_s = time.monotonic()
        for _ in read_on(place, "triggers", BACKLOG // ADD_EVERY):
            pass
        return BACKLOG / (time.monotonic() - ready_s)


def _place(brokers: str, folder: Path) -> Place:
    at_once = {
        **a_reminder(),
        "wait": {"for": "0s"},
        "class": "transactional",
        "holdout_percent": 0,
    }
    at_once.pop("caps")
    prefix = f"latency-{uuid4().hex[:8]}"
    counts = {"touchpoint_partitions": PARTITIONS, "journal_partitions": PARTITIONS}
    return make_place(brokers, prefix, folder / prefix, clock="wall", flows=[at_once], **counts)


def _decided_ms(message: Message) -> int:
    # of a flow without a wait: when the broker wrote the touchpoint
    return SINGLE_OBJECT.decode_as(Trigger, message.value() or b"").decided_ms


def _sending(place: Place) -> list[str]:
    return [sys.executable, "-m", "tests.bench.sending", place.settings.brokers, place.topics.touchpoints]


def _follow(place: Place, topic: str, rate: int, written_ms: Callable[[Message], int]) -> list[float]:
    """Age in ms of each record of the topic when it is read, while touchpoints are sent."""
    wanted = int(rate * SECONDS) // (ADD_EVERY if topic == "triggers" else 1)
    began_s = time.time()
    with subprocess.Popen([*_sending(place), str(rate), str(SECONDS)]):
        ages = [(time.time(), time.time() * 1_000 - written_ms(message)) for message in read_on(place, topic, wanted)]
    return [age for read_s, age in ages if read_s - began_s > SETTLED_SECONDS]


def read_on(place: Place, topic: str, wanted: int) -> Iterator[Message]:
    """Committed records as they become readable, until there are as many as wanted."""
    consumer = Consumer(reader_config(place.settings.brokers, {}))
    consumer.assign([TopicPartition(getattr(place.topics, topic), number, 0) for number in range(PARTITIONS)])
    heard_s = time.monotonic()
    while wanted:
        first = consumer.poll(0.1)
        for message in [] if first is None else [first, *consumer.consume(1_000, 0)]:
            if message.error() is None:
                wanted -= 1
                heard_s = time.monotonic()
                yield message
        if time.monotonic() - heard_s > SILENT_SECONDS_MAX:
            raise RuntimeError(f"{wanted} more records were to come through {topic}")
    consumer.close()


def _percentiles(ages: list[float]) -> tuple[float, float]:
    hundredths = statistics.quantiles(ages, n=100)
    return hundredths[49], hundredths[98]


if __name__ == "__main__":
    main()
