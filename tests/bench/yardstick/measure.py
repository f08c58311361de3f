"""One run of the yardstick job: workers on one core over the prefilled topic, timed by their stamps, output checked."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, NamedTuple

import msgspec

from streams.demo.servers.places import PROJECT
from streams.kafka.topics import create_topics
from streams.topics import TopicSpec
from tests.bench.floor import MESSAGES, PARTITIONS, TOPIC
from tests.bench.yardstick.checking import check_outputs, output_topics
from tests.bench.yardstick.worker import Stamp

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_SECONDS = 120.0


class Run(NamedTuple):
    """Of one run. Rate and cost count from the first touch to the commit of the last; RSS is all workers' peak."""

    events_per_second: float
    cpu_us_per_event: float
    rss_mb: float
    settled_cpu_us_per_event: float
    """From when every worker had its share of the partitions."""


def run(brokers: str, name: str, folder: Path, workers: int = 1) -> Run:
    """Works off the whole topic by `workers` processes that share core 0; raises WrongOutput."""
    make_topics(brokers, name)
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("wb"))
        running = []
        for slot in range(workers):
            worker = start(brokers, TOPIC, name, folder, slot=slot, log=log)
            stack.callback(worker.wait, 20)
            stack.callback(worker.terminate)
            running.append(worker)
        stamps = _watch(running, folder)
        rss_mb = sum(_peak_rss_mb(worker.pid) for worker in running)
    check_outputs(brokers, name)
    began = min(of_worker[0].time_s for of_worker in stamps)
    ended = max(of_worker[-1].time_s for of_worker in stamps)
    share = PARTITIONS // workers
    settled = [[stamp for stamp in of_worker if stamp.partitions == share] for of_worker in stamps]
    return Run(MESSAGES / (ended - began), _cpu_us(stamps), rss_mb, _cpu_us(settled))


def make_topics(brokers: str, name: str) -> None:
    """The outputs and the changelog of a run."""
    compacted = TopicSpec(f"changelog-{name}", PARTITIONS, config={"cleanup.policy": "compact"})
    create_topics(brokers, [*(TopicSpec(topic, PARTITIONS) for topic in output_topics(name)), compacted])


def start(brokers: str, topic: str, name: str, folder: Path, *, slot: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
    command = ["taskset", "-c", "0", sys.executable, "-m", "tests.bench.yardstick.worker"]
    command += [brokers, topic, name, str(folder), str(slot)]
    return subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log)


def _watch(running: list[subprocess.Popen[bytes]], folder: Path) -> list[list[Stamp]]:
    """Waits until all is committed; the stamps by worker."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        time.sleep(0.2)
        if any(worker.poll() is not None for worker in running):
            raise RuntimeError(f"a worker ended: see {folder / 'log'}")
        stamps = [stamps_of(folder, slot) for slot in range(len(running))]
        if sum(of_worker[-1].records for of_worker in stamps if of_worker) >= MESSAGES:
            return stamps
    raise RuntimeError(f"not worked off within {PATIENCE_SECONDS:.0f} s: see {folder / 'log'}")


def stamps_of(folder: Path, slot: int) -> list[Stamp]:
    """A worker's notes so far."""
    path = folder / f"{slot}.stamps"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [msgspec.json.decode(line, type=Stamp) for line in lines]


def _cpu_us(stamps: list[list[Stamp]]) -> float:
    cpu_s = sum(of_worker[-1].cpu_s - of_worker[0].cpu_s for of_worker in stamps)
    return cpu_s / sum(of_worker[-1].records - of_worker[0].records for of_worker in stamps) * 1e6


def _peak_rss_mb(pid: int) -> float:
    with open(f"/proc/{pid}/status", encoding="ascii") as file:  # noqa: PTH123 - not a file of ours
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
