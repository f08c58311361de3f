"""The profiles stage and the whole pipeline: a real worker on one core, exactly once, over topics filled before."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from schemas.insights import Facts
from schemas.touchpoint import Mark
from schemas.units import HOUR_MS
from schemas.wire import SINGLE_OBJECT
from streams.collect.keys import key_of
from streams.demo.servers.server import free_port
from streams.fold.record import journal_headers
from streams.kafka.reader import read_committed
from streams.operations.create import create_prefix
from streams.settings import DomainSettings
from streams.topics import Topics
from streams.worker_settings import WorkerSettings
from tests.bench.flow_sets import ONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pydantic import JsonValue

    from schemas.touchpoint import Touchpoint

PARTITIONS = 4
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
WORKER = (
    "from streams.worker import run_worker; "
    "from streams.worker_settings import parse_worker; run_worker(parse_worker())"
)
PATIENCE_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one stage."""

    events: int
    events_per_second: float
    cpu_us_per_event: float
    rss_mb: float


def stage(
    brokers: str,
    prefix: str,
    folder: Path,
    events: Iterable[Touchpoint],
    *,
    is_whole: bool,
    flows: tuple[dict[str, JsonValue], ...] = ONE,
    compiled: Path | None = None,
) -> Measured:
    """Fills touchpoints (is_whole) or the journal, runs a worker on core 0 until all is folded and committed.

    compiled: the folder of the compiled product; None: the sources are interpreted.
    """
    domain = DomainSettings(clock="marks", consent_default="granted", flows=flows)
    settings = WorkerSettings(
        brokers=brokers, prefix=prefix, state_dir=folder / prefix, web_port=free_port(), commit_interval_ms=500
    )
    create_prefix(settings, domain)
    count = _fill(brokers, Topics(prefix), events, is_whole=is_whole)
    environment = {
        **os.environ,
        **{f"TOUCHSTREAM_{name.upper()}": str(value) for name, value in settings if name not in {"kafka", "web_token"}},
    }
    if compiled is not None:
        environment |= {"PYTHONPATH": str(compiled.resolve()), "PYTHONSAFEPATH": "1"}
    with (folder / f"{prefix}.log").open("w") as log:
        worker = subprocess.Popen(
            ["taskset", "-c", "0", sys.executable, "-c", WORKER], env=environment, stdout=log, stderr=log
        )
        try:
            return _watch(brokers, Topics(prefix), worker, count)
        finally:
            worker.terminate()
            worker.wait(20)
            # so that the broker has nothing to tidy up, on the worker's core, while the next one runs
            admin = AdminClient({"bootstrap.servers": brokers})
            for gone in admin.delete_topics(Topics(prefix).all()).values():
                gone.result(PATIENCE_SECONDS)


def _fill(brokers: str, topics: Topics, events: Iterable[Touchpoint], *, is_whole: bool) -> int:
    """Writes the touchpoints, and after the last one a mark to every input partition; how many there were."""
    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "partitioner": "murmur2_random",
            "linger.ms": 50,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    topic = topics.touchpoints if is_whole else topics.journal
    count = last_ms = 0
    for count, event in enumerate(events, 1):
        headers = None if is_whole else list(journal_headers(event.time_ms))
        producer.produce(topic, SINGLE_OBJECT.encode(event), key=key_of(event), headers=headers)
        last_ms = max(last_ms, event.time_ms)
        if count % 1_000 == 0:
            producer.poll(0)
    for partition in range(PARTITIONS if is_whole else 0):
        producer.produce(topic, SINGLE_OBJECT.encode(Mark(last_ms + HOUR_MS)), key=b"", partition=partition)
    producer.flush()
    return count


def _watch(brokers: str, topics: Topics, worker: subprocess.Popen[bytes], count: int) -> Measured:
    started: float | None = None
    begun_cpu = 0.0
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        time.sleep(0.2)
        if worker.poll() is not None:
            raise RuntimeError(f"the worker ended with {worker.returncode}")
        folded = list(_folded(brokers, topics))
        cpu, rss = _usage(worker.pid)
        if started is None and folded:
            started, begun_cpu, begun = folded[0][0], cpu, folded[0][1]
        total = sum(number for _, number in folded)
        if started is not None and total >= count:
            last = max(at for at, _ in folded)
            rate = (count - begun) / (last - started)
            return Measured(count, rate, (cpu - begun_cpu) / (count - begun) * 1e6, rss)
    raise RuntimeError(f"not worked off within {PATIENCE_SECONDS} s")


def _folded(brokers: str, topics: Topics) -> Iterator[tuple[float, int]]:
    """(time of writing in s, touchpoints folded or known as repeats) of each record of facts."""
    for message in read_committed(brokers, topics.facts):
        facts = SINGLE_OBJECT.decode(message.value() or b"")
        if isinstance(facts, Facts):
            number = sum(count.value for count in facts.counts if count.name in {"folded", "duplicates"})
            if number:
                yield message.timestamp()[1] / 1000, number


def _usage(pid: int) -> tuple[float, float]:
    """(CPU seconds, resident MB) of a process."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123 - not a file of ours
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND, int(fields[21]) * 4096 / 2**20
