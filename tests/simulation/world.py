"""A seed's case, and the world in which it is played until everything is worked off."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from schemas.journal import Progress
from schemas.limits import LETTERS_TOPIC_BYTES_MAX
from schemas.wire import SINGLE_OBJECT
from streams.engine.broker_clock import BrokerClock
from streams.engine.errors import MustEnd
from tests.simulation.clocks import WALL_OFFSETS_S, BrokersTime, on_the_clock
from tests.simulation.disk import DiskRefused, ModelDisk
from tests.simulation.faults import ENDS, Fault, Faults, disk_faults, some_faults
from tests.simulation.history import (
    JOURNAL_PARTITIONS,
    TOUCHPOINT_PARTITIONS,
    Clock,
    Sent,
    Shop,
    configuration,
    domain,
    last_marks,
)
from tests.simulation.model_broker import Entry, ModelBroker
from tests.simulation.scheduler import Process, Scheduler
from tests.simulation.widening import widened
from tests.simulation.worker import TOPICS, Worker, engine_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.engine.settings import EngineSettings
    from streams.kafka.offsets import PartitionId
    from tests.simulation.model_broker import Log

WORKERS_MAX = 3
TOUCHPOINTS = (6, 24)
WIDE_SHARE = 0.15
"""Of the cases; a wide one takes some times longer."""
WALL_SHARE = 0.15
"""Of the cases; the brokers' time decides, and the workers' wall clocks are wrong."""
WALL_S = 3.0
"""When the brokers' time stops: 30 hours after its begin."""
SETTLE_S = 60.0
HOLD_S_MAX = 2.0
"""Longer than a session, and than a transaction may last."""
REFUSED_S_MAX = 3.0
"""Longer than a worker's end and its next start."""
_RESTART_S = 1.2
_LOOK_S = 0.1
_GAP = "membership was interrupted"
_BY_TOPIC = {
    **dict.fromkeys(TOPICS.all(), JOURNAL_PARTITIONS),
    TOPICS.touchpoints: TOUCHPOINT_PARTITIONS,
    **dict.fromkeys((TOPICS.facts, TOPICS.kpis, TOPICS.anomalies, TOPICS.models, TOPICS.insights_changelog), 1),
    TOPICS.dead_letters: 1,
}
INPUTS: tuple[PartitionId, ...] = tuple(
    (topic, number)
    for topic in (TOPICS.touchpoints, TOPICS.journal, TOPICS.facts)
    for number in range(_BY_TOPIC[topic])
)


class Broken(AssertionError):
    """What must hold does not."""


@dataclass(frozen=True)
class Case:
    """All that a run follows from; shrinking takes away sent records, faults and workers."""

    seed: int
    sent: tuple[Sent, ...]
    faults: tuple[Fault, ...]
    workers: int
    batch_records_max: int
    commit_interval_ms: int
    cycle_records_max: int
    has_devices: bool
    has_late: bool
    is_wide: bool = False
    """Records are at the limits of what the door lets in."""
    clock: Clock = "marks"

    @staticmethod
    def of(seed: int) -> Case:
        chance = Random(f"case {seed}")
        has_devices, has_late = chance.choice(((False, False), (True, False), (True, True)))
        shop = Shop(chance, devices=has_devices, late=has_late)
        sent = shop.history(chance.randint(*TOUCHPOINTS))
        # a generator of its own: the other cases stay as they are
        width = Random(f"width {seed}")
        kind = width.random()
        is_wide = kind < WIDE_SHARE
        clock: Clock = "wall" if WIDE_SHARE <= kind < WIDE_SHARE + WALL_SHARE else "marks"
        if is_wide:
            sent = list(widened(sent, width))
        elif clock == "wall":
            sent = list(on_the_clock(sent, width))
        return Case(
            seed,
            tuple(sent),
            (*some_faults(chance), *disk_faults(seed)),
            chance.randint(1, WORKERS_MAX),
            chance.choice((1, 2, 5, 20)),
            chance.choice((20, 60, 150)),
            chance.choice((1, 5, 1_000)),
            has_devices,
            has_late,
            is_wide,
            clock,
        )


class World:
    """Brokers, workers and their disks."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.is_wall = case.clock == "wall"
        self.scheduler = Scheduler(Random(f"steps {case.seed}"))
        self.time = BrokersTime(self.scheduler, WALL_S)
        self.broker = ModelBroker(
            self.scheduler,
            _BY_TOPIC,
            {TOPICS.dead_letters: LETTERS_TOPIC_BYTES_MAX},
            self.time.now_ms if self.is_wall else None,
        )
        self.faults = Faults(case.faults, self._play)
        self.disks = [ModelDisk(self.faults) for _ in range(case.workers)]
        self.workers: dict[int, Worker] = {}
        """By slot: its newest worker."""
        self._all: list[Worker] = []
        self.sent: list[Sent] = []
        self.ended: list[str] = []
        self._is_over = False
        self._configure()
        for each in case.sent:
            self.send(each)
        for slot in range(case.workers):
            self.scheduler.after(self.scheduler.chance.random() if slot else 0, partial(self._start, slot))

    def run(self) -> None:
        """Play the case until all is worked off and the workers have been stopped."""
        last_s = WALL_S if self.is_wall else max((sent.at_s for sent in self.sent), default=0.0)
        until_s = last_s + SETTLE_S
        while self.scheduler.now_s < last_s or not self._is_settled():
            self.scheduler.pass_time(_LOOK_S)
            if self.scheduler.now_s > until_s:
                raise Broken(f"not worked off after {SETTLE_S:.0f} s: {self._left()}")
        self.stop()

    def send(self, sent: Sent) -> None:
        """Have a record sent when its time comes."""
        self.sent.append(sent)
        log = self.broker.log((TOPICS.touchpoints, sent.partition))
        self.scheduler.at(sent.at_s, partial(log.take, Entry(sent.key, sent.value)))

    def stop(self) -> None:
        self._is_over = True
        until_s = self.scheduler.now_s + SETTLE_S
        self.faults.stop()
        for worker in self._all:
            worker.is_stopping = True
        while any(worker.process.is_alive for worker in self._all) or not self.broker.is_idle():
            self.scheduler.pass_time(_LOOK_S)
            if self.scheduler.now_s > until_s:
                raise Broken("a worker does not stop")

    def _configure(self) -> None:
        for place in [(TOPICS.facts, 0), *((TOPICS.journal, number) for number in range(JOURNAL_PARTITIONS))]:
            self.broker.log(place).append(Entry(None, configuration(self.case.clock)))

    def _start(self, slot: int) -> None:
        if self._is_over:
            return
        process = Process(self.scheduler)
        offset_s = self.scheduler.chance.choice(WALL_OFFSETS_S) if self.is_wall else 0.0
        clock = BrokerClock(self.time.rising_s, partial(self.time.wall_s, offset_s))
        settings, disk = self.settings(slot), self.disks[slot]
        worker = Worker(slot, settings, process, disk, self.broker, self.faults, domain(self.case.clock), clock)
        self.workers[slot] = worker
        self._all.append(worker)
        process.on_silent.append(lambda: self._ended(worker))

    def settings(self, slot: int) -> EngineSettings:
        case = self.case
        return engine_settings(
            slot,
            batch_records_max=case.batch_records_max,
            commit_interval_ms=case.commit_interval_ms,
            cycle_records_max=case.cycle_records_max,
            topics=_BY_TOPIC,
        )

    def _ended(self, worker: Worker) -> None:
        if worker.process.is_alive:
            return
        if worker.process.loop.unheard:
            self.ended.append(f"unheard: {worker.process.loop.unheard}")
        expected = isinstance(worker.error, MustEnd | DiskRefused) or _GAP in str(worker.error)
        if worker.error is not None and not expected:
            self.ended.append(repr(worker.error))
        if self.workers[worker.slot] is worker:
            self.scheduler.after(_RESTART_S * self.scheduler.chance.random(), partial(self._start, worker.slot))

    def _play(self, fault: Fault, process: Process) -> None:
        worker = next(worker for worker in self._all if worker.process is process)
        if fault.kind in ENDS:
            self._crash(fault.kind, worker)
        else:
            _HAPPENINGS[fault.kind](self, worker)

    def hold(self, worker: Worker, longest_s: float) -> None:
        worker.process.hold(longest_s * self.scheduler.chance.random())

    def stop_worker(self, worker: Worker) -> None:
        worker.is_stopping = True

    def rebalance(self, _: Worker) -> None:
        for group in self.broker.groups.values():
            group.rebalance(moves=True)

    def slow_down_a_marker(self, _: Worker) -> None:
        self.broker.marker_delay_s = self.scheduler.chance.random()

    def stall(self, _: Worker) -> None:
        place = INPUTS[self.scheduler.chance.randrange(len(INPUTS))]
        self.broker.stalled.add(place)
        self.scheduler.after(self.scheduler.chance.random(), lambda: self.broker.stalled.discard(place))

    def compact(self, _: Worker) -> None:
        for topic in (TOPICS.profiles_changelog, TOPICS.insights_changelog):
            for log in self.broker.topics[topic]:
                log.compact()

    def make_raise(self, worker: Worker) -> None:
        worker.raises = 1

    def replace(self, worker: Worker) -> None:
        """Its machine hangs, and another takes the slot; when it goes on there are two."""
        self.disks[worker.slot] = ModelDisk(self.faults)
        self._start(worker.slot)
        self.hold(worker, HOLD_S_MAX)

    def refuse_all(self, worker: Worker) -> None:
        """Its file system is read-only for a while."""
        self._refuse(worker, {"open": errno.EROFS, "write": errno.EROFS})

    def refuse_opening(self, worker: Worker) -> None:
        """It gets no more descriptors for a while."""
        self._refuse(worker, {"open": errno.EMFILE})

    def _refuse(self, worker: Worker, refused: Mapping[str, int]) -> None:
        disk = self.disks[worker.slot]
        disk.refused = refused
        self.scheduler.after(REFUSED_S_MAX * self.scheduler.chance.random(), lambda: setattr(disk, "refused", {}))

    def _crash(self, kind: str, worker: Worker) -> None:
        worker.process.kill()
        if "wipe" in kind:
            self.disks[worker.slot].wipe()
        elif "forget" in kind:
            self.disks[worker.slot].forget(self.scheduler.chance.randint(1, 5))

    def _left(self) -> dict[PartitionId, tuple[int, int]]:
        """By input: the committed offset and the first record that is not behind it."""
        left = {}
        for place in INPUTS:
            log, committed = self.broker.log(place), self.broker.offsets.get(place, 0)
            offset, entry = log.next_visible(committed, committed=True)
            if entry is not None or log.open:
                left[place] = committed, offset
        return left

    def _is_settled(self) -> bool:
        return not self._left() and self.broker.is_idle() and self._has_time_come()

    def _has_time_come(self) -> bool:
        if self.is_wall:
            told = [_told(log) for log in self.broker.topics[TOPICS.journal]]
            least_ms = self.time.told_to_ms
            return all(len(each) == TOUCHPOINT_PARTITIONS and min(each.values()) >= least_ms for each in told)
        ends = last_marks(self.sent)
        return all(_told(log) == ends for log in self.broker.topics[TOPICS.journal])


_HAPPENINGS: dict[str, Callable[[World, Worker], None]] = {
    "hold": lambda world, worker: world.hold(worker, HOLD_S_MAX),
    "hold briefly": lambda world, worker: world.hold(worker, HOLD_S_MAX / 20),
    "replace": World.replace,
    "stop": World.stop_worker,
    "rebalance": World.rebalance,
    "slow marker": World.slow_down_a_marker,
    "stall": World.stall,
    "compact": World.compact,
    "raise": World.make_raise,
    "read-only disk": World.refuse_all,
    "no descriptors": World.refuse_opening,
}


def _told(log: Log) -> dict[int, int]:
    """Give the times that a journal partition was told last, by partition of touchpoints."""
    head, told = SINGLE_OBJECT.header(Progress), dict[int, int]()
    for entry in reversed(log.entries):
        if entry is not None and entry.transaction not in log.aborted and (entry.value or b"").startswith(head):
            for each in SINGLE_OBJECT.decode_as(Progress, entry.value or b"").partitions:
                told.setdefault(each.partition, each.time_ms)
            if len(told) == TOUCHPOINT_PARTITIONS:
                break
    return told
