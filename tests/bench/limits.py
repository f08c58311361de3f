"""What a worker costs and bears at the edges: a million idle customers, a backlog, a million timers due at once.

`python -m tests.bench.limits [CUSTOMERS [BACKLOG]]`
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

import msgspec

from schemas.outputs import Decision
from schemas.wire import SINGLE_OBJECT
from streams.demo.broker import Broker
from streams.flows.files import library_documents
from streams.folding.partition import JournalCodec
from tests.bench.latency import read_on
from tests.bench.recovery import PARTITIONS, bare, fill, ready, wait
from tests.bench.results import Figure, keep
from tests.support.running import AWorker, Place, make_place, wait_worked_off
from tests.support.world import World, an_add

if TYPE_CHECKING:
    from collections.abc import Callable

CUSTOMERS = 1_000_000
BACKLOG = 1_000_000
IDLE_SECONDS = 20.0
SETTLING_SECONDS = 10.0
FLOWS = ({**library_documents()[0], "holdout_percent": 0},)
DAY_MS = 86_400_000


def main(customers: int = CUSTOMERS, backlog: int = BACKLOG) -> None:
    with Broker() as broker, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _keep_idle(broker.bootstrap, folder, customers, backlog)
        _keep_flood(broker.bootstrap, folder, customers)


def _keep_idle(brokers: str, folder: Path, customers: int, backlog: int) -> None:
    """CPU of a core while nobody comes, and the peak of memory with a short and a long backlog."""
    place = _place(brokers, "idle", folder)
    worker = AWorker(place)
    with worker:
        nobody = _share(worker)
    rmtree(worker.folder / "state")
    fill(place, customers, in_a_cart(time.time_ns() // 1_000_000 + DAY_MS))
    peaks = []
    with worker:
        wait(lambda: ready(worker) == PARTITIONS)
        idle = _share(worker)
    for records in (backlog // 5, backlog):
        subprocess.run(
            [sys.executable, "-m", "tests.bench.sending", brokers, place.topics.touchpoints, str(records), "1"],
            check=True,
        )
        with worker:
            wait_worked_off(place, 3_600)
            peaks.append(_peak_mb(worker))
    keep(f"{customers:,} customers with a timer in a day", [
        Figure("idle, CPU % of a core", 100 * idle, 100 * nobody, "the same without customers"),
        Figure(f"peak RSS with a backlog of {backlog:,}, MB", peaks[1], peaks[0], "a backlog of a fifth"),
    ])  # fmt: skip


def _keep_flood(brokers: str, folder: Path, customers: int) -> None:
    """Timers a second, from the first decision to the last, and that their order held."""
    place = _place(brokers, "flood", folder)
    worker = AWorker(place)
    with worker:
        wait(lambda: ready(worker) == PARTITIONS)
        wait_worked_off(place)
    rmtree(worker.folder / "state")
    began_ms = time.time_ns() // 1_000_000 - customers - DAY_MS // 24
    fill(place, customers, in_a_cart(began_ms))
    with worker:
        seconds = _seconds_of_decisions(place, customers)
    _check_order(place)
    text = worker.log.read_text()
    if "cycle aborted" in text or text.count('"partition ready"') != 2 * (2 * PARTITIONS + 1):
        raise RuntimeError(f"a cycle was aborted, or a heartbeat missed:\n{text[-4_000:]}")
    rate = customers / seconds
    keep(f"{customers:,} timers due at once, in order, no heartbeat missed", [
        Figure("timers due at once, a second", rate, customers / bare(place), "bare consume of the changelog"),
    ])  # fmt: skip


def _seconds_of_decisions(place: Place, customers: int) -> float:
    """From the first that is readable to the last."""
    follower = read_on(place, "decisions", customers)
    next(follower)
    began_s = time.monotonic()
    for _ in follower:
        pass
    return time.monotonic() - began_s


def _check_order(place: Place) -> None:
    latest = [0] * PARTITIONS
    for message in place.messages("decisions"):
        decision = SINGLE_OBJECT.decode_as(Decision, message.value() or b"")
        number = message.partition() or 0
        if decision.time_ms < latest[number]:
            raise RuntimeError(f"a timer due {decision.time_ms} fired after one due {latest[number]}")
        latest[number] = decision.time_ms


def _place(brokers: str, prefix: str, folder: Path) -> Place:
    counts = {"touchpoint_partitions": PARTITIONS, "journal_partitions": PARTITIONS}
    return make_place(brokers, prefix, folder / prefix, clock="wall", flows=FLOWS, **counts)


def in_a_cart(due_ms: int) -> Callable[[int], bytes]:
    """State bytes, by number, of customers with an article in the cart; each is due a millisecond after the last."""
    world = World(flows=FLOWS)
    world.send(an_add(due_ms))
    profile = world.profile("u:1")
    if profile is None:
        raise RuntimeError("who has filled a cart has a profile")
    encode = JournalCodec().encode

    def value(number: int) -> bytes:
        run = msgspec.structs.replace(profile.runs[0], due_ms=due_ms + number)
        return encode(b"", msgspec.structs.replace(profile, runs=(run,), wake_ms=run.due_ms))

    return value


def _share(worker: AWorker) -> float:
    """Of a core, once it has settled."""
    time.sleep(SETTLING_SECONDS)
    before, began_s = _cpu_seconds(worker), time.monotonic()
    time.sleep(IDLE_SECONDS)
    return (_cpu_seconds(worker) - before) / (time.monotonic() - began_s)


def _cpu_seconds(worker: AWorker) -> float:
    fields = Path(f"/proc/{worker.pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(worker: AWorker) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker.pid}/status").read_text("utf-8"))
    return int(found[1]) / 1_024 if found else 0.0


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
