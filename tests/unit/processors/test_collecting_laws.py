"""Workers whose clocks do what they like, and brokers whose clocks nearly agree: time overtakes no touchpoint."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, cast

import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME

from schemas.journal import CollectedTo
from schemas.limits import TIME_AHEAD_MS_MAX
from schemas.wire import SINGLE_OBJECT
from streams.engine.batch import Batch
from streams.engine.broker_clock import BrokerClock
from streams.processors.collecting import Collecting, ReadPosition, Source
from streams.settings import DomainSettings
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import Known, Observer
from streams.topics import Topics
from tests.support.kept import Kept
from tests.support.world import DAY_MS, START_MS, a_touchpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPICS, PARTITIONS, STEPS = Topics("shop"), 2, 200
DOMAIN = DomainSettings(clock="wall", touchpoint_partitions=PARTITIONS, journal_partitions=PARTITIONS)
OBSERVER = Observer(Metrics(), Known())
VALUE = SINGLE_OBJECT.encode(a_touchpoint("page_viewed", START_MS))
WALLS_S = (0.0, 7_200.0, -86_400.0, 400 * 86_400.0)


class Cluster:
    """True time, and two brokers: each leads one partition of either topic, by a clock of its own."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.true_ms = float(START_MS)
        self.apart_ms = [chance.uniform(-400, 400) for _ in range(PARTITIONS)]
        self.touchpoints: list[list[int]] = [[] for _ in range(PARTITIONS)]
        """Stamps, by partition."""

    def stamp_ms(self, partition: int) -> int:
        return int(self.true_ms + self.apart_ms[partition])

    def pass_time(self, most_ms: float) -> None:
        self.true_ms += self.chance.uniform(0, most_ms)


class Machine:
    """A worker, its rising clock, which drifts and stops while it is suspended, and its wall clock, which jumps."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.rate = 1 + cluster.chance.uniform(-5e-5, 5e-5)
        self.lost_ms = 0.0
        self.wall_s = 0.0
        self.ends: dict[int, tuple[int, int | None]] = {}
        self.read: dict[int, int] = {}
        self.begin()

    def begin(self) -> None:
        self.clock = BrokerClock(self.rising_s, lambda: self.cluster.true_ms / 1_000 + self.wall_s)
        self.collecting = Collecting(TOPICS, DOMAIN, SINGLE_OBJECT, Source(self.position, self.clock), OBSERVER)

    def rising_s(self) -> float:
        return (self.cluster.true_ms - START_MS - self.lost_ms) * self.rate / 1_000

    def position(self, partition: int) -> ReadPosition | None:
        end = self.ends.get(partition)
        return None if end is None else ReadPosition(self.read[partition], *end)

    def take(self, partition: int) -> None:
        """Own a partition from where the owner before has come."""
        self.read[partition] = 0
        self.collecting.assigned(partition, None)

    def give_up(self, partition: int) -> int:
        self.ends.pop(partition, None)
        self.collecting.revoked(partition)
        return self.read.pop(partition)

    def ask(self, partition: int) -> None:
        """Ask for the end, of which the answer takes a while."""
        asked_ms = self.clock.now_ms()
        end = len(self.cluster.touchpoints[partition])
        self.cluster.pass_time(200)
        self.ends[partition] = end, asked_ms

    def fetch(self, partition: int) -> None:
        stamps = self.cluster.touchpoints[partition][self.read[partition] :][: self.cluster.chance.randint(0, 3)]
        messages = [Kept(b"1", VALUE, kept_timestamp=(TIMESTAMP_LOG_APPEND_TIME, stamp)) for stamp in stamps]
        self.read[partition] += len(messages)
        list(self.collecting.process(Batch(TOPICS.touchpoints, partition, cast("Any", messages), 0)))

    def write(self) -> list[tuple[CollectedTo, int]]:
        """A cycle's announcement by journal partition, with its append; it may wait long, and so may its report."""
        outputs, heard = list(self.collecting.conclude(set(self.read))), self.clock.listener()
        written = []
        for output in outputs:
            self.cluster.pass_time(self.cluster.chance.choice((5, 5, 20_000)))
            stamp = (TIMESTAMP_LOG_APPEND_TIME, self.cluster.stamp_ms(output.partition))
            report = Kept(None, None, (), 0, output.partition, stamp, output.topic)
            self.cluster.pass_time(self.cluster.chance.choice((5, 5, 5_000)))
            heard(cast("Any", report))
            written.append((SINGLE_OBJECT.decode_as(CollectedTo, output.value or b""), stamp[1]))
        self.collecting.committed()
        return written


def announced(cluster: Cluster, machine: Machine, seed: int) -> Iterator[tuple[int, int]]:
    """What a cycle says of time, which no touchpoint to come may be from before."""
    unread = {p: cluster.touchpoints[p][machine.read[p] :] for p in machine.read}
    known = {p: len(cluster.touchpoints[p]) for p in machine.read}
    for said, stamped_ms in machine.write():
        for partition, said_ms in [(each.partition, each.time_ms) for each in said.partitions]:
            to_come = [*unread[partition], *cluster.touchpoints[partition][known[partition] :]]
            assert said_ms <= min(to_come, default=said_ms), f"seed {seed}: overtaken"
            assert said_ms <= stamped_ms + TIME_AHEAD_MS_MAX, f"seed {seed}: ahead"
            yield partition, said_ms


def settle(cluster: Cluster, machines: list[Machine], latest_ms: list[int]) -> None:
    """All is read, and asked and said now and then."""
    for machine in [each for each in machines * 3 for _ in range(30)]:
        for partition in machine.read:
            machine.fetch(partition)
            machine.ask(partition)
        for partition, said_ms in announced(cluster, machine, 0):
            latest_ms[partition] = max(latest_ms[partition], said_ms)


@pytest.mark.parametrize("seed", range(12))
def test_time_overtakes_no_touchpoint_and_is_never_ahead_of_the_brokers(seed: int) -> None:
    chance = Random(seed)
    cluster = Cluster(chance)
    machines = [Machine(cluster) for _ in range(2)]
    owners = [chance.choice(machines) for _ in range(PARTITIONS)]
    for partition, owner in enumerate(owners):
        owner.take(partition)
    latest_ms = [0] * PARTITIONS
    for _ in range(STEPS):
        machine, partition = chance.choice(machines), chance.randrange(PARTITIONS)
        kind = chance.random()
        if kind < 0.2:
            cluster.touchpoints[partition].append(cluster.stamp_ms(partition))
        elif kind < 0.25:
            machine.wall_s = chance.choice(WALLS_S)
        elif kind < 0.27:
            before_ms = cluster.true_ms
            cluster.pass_time(DAY_MS / 100)
            machine.lost_ms += cluster.true_ms - before_ms  # suspended
        elif kind < 0.29:
            read = owners[partition].give_up(partition)
            owners[partition] = chance.choice(machines)
            owners[partition].take(partition)
            owners[partition].read[partition] = read
        elif kind < 0.6 and partition in machine.read:
            machine.ask(partition)
        elif kind < 0.8 and partition in machine.read:
            machine.fetch(partition)
        else:
            for partition, said_ms in announced(cluster, machine, seed):
                latest_ms[partition] = max(latest_ms[partition], said_ms)
        cluster.pass_time(chance.choice((1, 300, 2_000)))
    settle(cluster, machines, latest_ms)
    assert min(latest_ms) > cluster.true_ms - 3_600_000, f"seed {seed}: time is still"
