"""What a worker costs and bears at the edges: a million idle customers or timers due, a backlog, a hot key.

`python -m tests.bench.limits [CUSTOMERS [BACKLOG]]`
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

import msgspec
from confluent_kafka import Producer

from schemas.outputs import Decision
from schemas.wire import SINGLE_OBJECT
from streams.collect.keys import key_of
from streams.demo.servers.broker import Broker
from streams.fold.partition_state import JournalCodec
from tests.bench.mix import touchpoints
from tests.bench.product import stage
from tests.bench.recovery import PARTITIONS, bare, counted, fill, peak_mb, ready, wait
from tests.bench.results import Figure, keep
from tests.bench.sending import BURST, touchpoint
from tests.support.flows import a_flow
from tests.support.running import AWorker, Place, make_place, wait_worked_off
from tests.support.world import World, an_add

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from schemas.touchpoint import Touchpoint

CUSTOMERS = 1_000_000
BACKLOG = 5_000_000
"""Of all customers in turn, whom no cache holds: half of it has filled every cache, and memory must not grow then."""
HOT_EVERY = 10
HOT_RECORDS = 150_000
PATIENCE_SECONDS = 1_800.0
IDLE_SECONDS = 20.0
SETTLING_SECONDS = 10.0
FLOWS = (a_flow(),)
DAY_MS = 86_400_000


def main(customers: int = CUSTOMERS, backlog: int = BACKLOG) -> None:
    with Broker() as broker, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _keep_flood(broker.bootstrap, folder, customers)
        _keep_idle(broker.bootstrap, folder, customers, backlog)
        keep_hot_key(broker.bootstrap, folder)


def _keep_idle(brokers: str, folder: Path, customers: int, backlog: int) -> None:
    """CPU of a core while nobody comes, and the peak of memory half through a backlog and at its end."""
    place = _place(brokers, "idle", folder)
    worker = AWorker(place)
    with worker:
        nobody = _share(worker)
    _forget(worker)
    fill(place, customers, in_a_cart(time.time_ns() // 1_000_000 + DAY_MS))
    with worker:
        wait(lambda: ready(worker) == PARTITIONS)
        idle = _share(worker)
    _send(place, customers, backlog)
    half_mb, whole_mb = _peaks_of_backlog(worker, backlog)
    cost = max(0.0, idle - nobody)
    keep(
        f"{customers:,} customers with a timer in a day",
        [
            Figure("an idle worker, CPU % of a core", 100 * idle, 100 * nobody, "the same without customers"),
            Figure("idle customers, CPU % of a core", 100 * cost, 1.0, "what they may cost"),
            Figure(f"peak RSS with a backlog of {backlog:,}, MB", whole_mb, half_mb, "when half was worked off"),
        ],
    )


def _send(place: Place, customers: int, records: int) -> None:
    """Views and adds of customers who are known."""
    producer = Producer(
        {
            "bootstrap.servers": place.settings.brokers,
            "partitioner": "murmur2_random",
            "linger.ms": 50,
            "compression.type": "lz4",
        }
    )
    for number in range(records):
        who = f"customer-{number % customers}"
        event = msgspec.structs.replace(touchpoint(number, time.time_ns() // 1_000_000), user_id=who, session_id=who)
        producer.produce(place.topics.touchpoints, SINGLE_OBJECT.encode(event), key_of(event))
        if number % BURST == 0:
            producer.flush()
    producer.flush()


def _peaks_of_backlog(worker: AWorker, records: int) -> tuple[float, float]:
    """MB, of a worker that finds so many touchpoints: when it has folded half of them, and all."""
    with worker:
        wait(lambda: counted(worker, "touchstream_folded_total") >= records // 2, PATIENCE_SECONDS)
        half_mb = peak_mb(worker)
        wait(lambda: counted(worker, "touchstream_folded_total") >= records, PATIENCE_SECONDS)
        return half_mb, peak_mb(worker)


def _keep_flood(brokers: str, folder: Path, customers: int) -> None:
    """Timers a second, from the first decision to the last, and that their order held."""
    place = _place(brokers, "flood", folder)
    worker = AWorker(place)
    with worker:
        wait(lambda: ready(worker) == PARTITIONS)
        wait_worked_off(place)
    _forget(worker)
    began_ms = time.time_ns() // 1_000_000 - customers - DAY_MS // 24
    fill(place, customers, in_a_cart(began_ms))
    with worker:
        wait(lambda: ready(worker) == PARTITIONS)
        begun_cpu_s = _cpu_seconds(worker)
        wait(lambda: counted(worker, "touchstream_decisions_total") >= customers, PATIENCE_SECONDS)
        cpu_s = _cpu_seconds(worker) - begun_cpu_s
    rate = customers / _seconds_in_order(place)
    text = worker.log.read_text()
    if "cycle aborted" in text or text.count('"partition ready"') != 2 * (2 * PARTITIONS + 1):
        raise RuntimeError(f"a cycle was aborted, or a heartbeat missed:\n{text[-4_000:]}")
    keep(
        f"{customers:,} timers due at once, in order, no heartbeat missed",
        [
            Figure("timers due at once, a second", rate, customers / bare(place), "bare consume of the changelog"),
            Figure("CPU us a timer", cpu_s / customers * 1e6, 100.0, "10,000 a second on one core"),
        ],
    )


def keep_hot_key(brokers: str, folder: Path, records: int = HOT_RECORDS) -> None:
    """Rate, CPU and memory of the pipeline where each tenth touchpoint is one customer's, beside the even shop."""
    even, hot, again = (
        stage(brokers, name, folder, events, is_whole=True)
        for name, events in (
            ("even", touchpoints(records)),
            ("hot", with_a_hot_key(records)),
            ("again", touchpoints(records)),
        )
    )
    floor_is = "the same shop without, before and after"
    keep(
        f"{records:,} touchpoints, each {HOT_EVERY}th of one customer",
        [
            Figure(f"with a hot key, {what}", getattr(hot, of), (getattr(even, of) + getattr(again, of)) / 2, floor_is)
            for what, of in (
                ("touchpoints a second", "events_per_second"),
                ("CPU us a touchpoint", "cpu_us_per_event"),
                ("RSS, MB", "rss_mb"),
            )
        ],
    )


def with_a_hot_key(records: int) -> Iterator[Touchpoint]:
    """The made shop, where one customer steps in for the one of each tenth touchpoint."""
    for number, event in enumerate(touchpoints(records)):
        if number % HOT_EVERY:
            yield event
        else:
            yield msgspec.structs.replace(event, user_id="customer-hot", session_id=f"visit-hot-{number // 100}")


def _seconds_in_order(place: Place) -> float:
    """From the first decision's writing to the last one's; every partition has them in the order of their due times."""
    latest, written = [0] * PARTITIONS, list[int]()
    for message in place.messages("decisions"):
        decision = SINGLE_OBJECT.decode_as(Decision, message.value() or b"")
        number = message.partition() or 0
        if decision.time_ms < latest[number]:
            raise RuntimeError(f"a timer due {decision.time_ms} fired after one due {latest[number]}")
        latest[number] = decision.time_ms
        written.append(message.timestamp()[1])
    return (max(written) - min(written)) / 1_000


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


def _forget(worker: AWorker) -> None:
    """Its state; to restore that takes longer than a start may."""
    rmtree(worker.folder / "state")
    worker.ready_path = "/health/live"


def _share(worker: AWorker) -> float:
    """Of a core, once it has settled."""
    time.sleep(SETTLING_SECONDS)
    before, began_s = _cpu_seconds(worker), time.monotonic()
    time.sleep(IDLE_SECONDS)
    return (_cpu_seconds(worker) - before) / (time.monotonic() - began_s)


def _cpu_seconds(worker: AWorker) -> float:
    fields = Path(f"/proc/{worker.pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
