"""How fast a worker comes back: a restore from the changelog, a restart on the same disk, and a failover.

One profile's bytes under varied keys make the changelog. The floor is a bare consumer of the same topic.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

import httpx
from confluent_kafka import Producer

from state.codec import frame, open_frame
from streams.demo.servers.broker import Broker
from streams.fold.partition_state import JournalCodec
from streams.kafka.reader import read_committed
from tests.bench.results import Figure, keep
from tests.support.running import AWorker, Place, make_place, wait_worked_off
from tests.support.world import START_MS, World, an_add, an_order

if TYPE_CHECKING:
    from collections.abc import Callable

PROFILES = 1_000_000
PARTITIONS = 4
SESSION_SECONDS = 10.0
SECONDS_MAX = 180.0
FLOOR_IS = "bare consume of the changelog"


def main(profiles: int = PROFILES) -> None:
    with Broker() as broker, tempfile.TemporaryDirectory() as folder:
        place = make_place(
            broker.bootstrap,
            "recovery",
            Path(folder),
            clock="wall",
            touchpoint_partitions=PARTITIONS,
            journal_partitions=PARTITIONS,
        )
        worker, other = _a_worker(place, "0"), _a_worker(place, "1")
        with worker:
            wait_worked_off(place)  # the group has offsets from here on
        rmtree(worker.folder / "state")
        value = a_profile()
        fill(place, profiles, lambda _: value)
        floor_s = bare(place)
        began_s = time.monotonic()
        with worker:
            wait(lambda: ready(worker) == PARTITIONS)
            restored_s, restored_mb = time.monotonic() - began_s, peak_mb(worker)
            worker.kill()
        began_s = time.monotonic()
        with worker:
            wait(lambda: ready(worker) == PARTITIONS)
            restarted_s = time.monotonic() - began_s
            with other:
                wait(lambda: _owned(other) > 0 and ready(worker) + ready(other) == PARTITIONS)
                moved = ready(worker)
                worker.kill()
                began_s = time.monotonic()
                wait(lambda: ready(other) == PARTITIONS)
                taken_s = time.monotonic() - began_s - SESSION_SECONDS
    title = f"{profiles:,} profiles, {PARTITIONS} partitions; seconds from the process's start, or end, to ready"
    keep(
        title,
        [
            Figure("restore, s", restored_s, floor_s, FLOOR_IS),
            Figure("peak RSS of the restore, MB", restored_mb, 250.0, "what a worker may take"),
            Figure("restart on the same disk after kill -9, s", restarted_s, floor_s, FLOOR_IS),
            Figure(f"failover of {moved} partitions beyond the session timeout, s", taken_s, floor_s, FLOOR_IS),
        ],
    )


def fill(place: Place, profiles: int, value: Callable[[int], bytes]) -> None:
    """Writes so many customers' state to the changelog; `value` gives the bytes of each by its number."""
    producer = Producer(
        {
            "bootstrap.servers": place.settings.brokers,
            "partitioner": "murmur2_random",
            "linger.ms": 50,
            "queue.buffering.max.messages": 1_000_000,
            "compression.type": "lz4",
        }
    )
    for number in range(profiles):
        producer.produce(place.topics.profiles_changelog, value(number), b"u:customer-%d" % number)
        if number % 1_000 == 0:
            producer.poll(0)
    producer.flush()


def a_profile() -> bytes:
    """State bytes of a customer with three orders, and a timer in a year."""
    world = World()
    for day in range(3):
        world.send(an_add(START_MS + day, sku="mug"), an_order(START_MS + day * 86_400_000))
    profile = world.profile("u:1")
    if profile is None:
        raise RuntimeError("the customer of three orders has no profile")
    version, _, payload = open_frame(JournalCodec().encode(b"u:1", profile))
    return frame(version, START_MS + 365 * 86_400_000, payload)


def bare(place: Place) -> float:
    began_s = time.monotonic()
    for _ in read_committed(place.settings.brokers, place.topics.profiles_changelog):
        pass
    return time.monotonic() - began_s


def _a_worker(place: Place, instance: str) -> AWorker:
    worker = AWorker(place, instance, membership="static", session_timeout_ms=int(SESSION_SECONDS * 1_000))
    worker.ready_path = "/health/live"
    return worker


def ready(worker: AWorker) -> int:
    """Journal partitions that it has restored."""
    return sum('.journal"' in line and line.endswith(" 1.0") for line in _shown(worker, "touchstream_restored_ratio{"))


def _owned(worker: AWorker) -> float:
    return sum(float(line.split()[1]) for line in _shown(worker, "touchstream_partitions_owned "))


def counted(worker: AWorker, metric: str) -> float:
    """The sum of a metric over its labels; 0 while the worker does not answer."""
    return sum(float(line.split()[-1]) for line in _shown(worker, metric))


def _shown(worker: AWorker, metric: str) -> list[str]:
    with suppress(httpx.HTTPError):
        lines = httpx.get(f"{worker.address}/metrics", timeout=2.0, trust_env=False).text.splitlines()
        return [line for line in lines if line.startswith(metric)]
    return []


def peak_mb(worker: AWorker) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker.pid}/status").read_text("utf-8"))
    return int(found[1]) / 1_024 if found else 0.0


def wait(holds: Callable[[], bool], seconds_max: float = SECONDS_MAX) -> None:
    give_up_s = time.monotonic() + seconds_max
    while not holds():
        if time.monotonic() > give_up_s:
            raise RuntimeError(f"not so within {seconds_max:.0f} s")
        time.sleep(0.1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PROFILES)
