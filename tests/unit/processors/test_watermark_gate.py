"""Time is told to a journal partition only after all that was collected up to it, and what follows from that."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import NamedTuple

import pytest

from streams.kafka.offsets import GroupOffsets
from streams.processors.watermark_gate import ROUNDS, WatermarkGate

PARTITIONS = 3
CALM = GroupOffsets({0: 7, 1: 7, 2: 7}, {0: 7, 1: 7, 2: 7})


def told(gate: WatermarkGate) -> dict[int, tuple[int, ...]]:
    """What is told now; it counts as told."""
    found = dict(gate.unannounced(range(PARTITIONS)))
    for partition, times in found.items():
        gate.announce(partition, times)
    return found


def a_look(gate: WatermarkGate, standing: GroupOffsets) -> dict[int, tuple[int, ...]]:
    if gate.wants_look():
        gate.looked(standing)
    return told(gate)


def test_where_nothing_is_under_way_one_look_is_enough() -> None:
    gate = WatermarkGate()
    gate.note(0, (5, 6))
    assert a_look(gate, CALM) == {0: (5, 6)}
    assert not gate.wants_look()


def test_a_partition_that_stands_still_holds_time_back_in_all() -> None:
    gate = WatermarkGate()
    gate.note(0, (5,))
    gate.note(1, (5,))
    for end in range(8, 100):
        assert a_look(gate, GroupOffsets({0: end - 1, 1: end - 1, 2: 7}, {0: end, 1: end, 2: 8})) == {}
    assert a_look(gate, GroupOffsets({0: 99, 1: 99, 2: 8}, {0: 99, 1: 99, 2: 8})) == {0: (5,), 1: (5,)}


def test_under_a_load_that_never_ends_time_comes_after_some_rounds() -> None:
    gate = WatermarkGate()
    gate.note(0, (5,))
    looks = [a_look(gate, GroupOffsets({0: at, 1: at, 2: at}, {0: at + 1, 1: at + 1, 2: at + 1})) for at in range(9)]
    assert looks[: ROUNDS + 1] == [{}] * ROUNDS + [{0: (5,)}]


def test_what_is_collected_while_a_look_is_under_way_waits_for_the_next() -> None:
    gate = WatermarkGate()
    gate.note(0, (5,))
    assert gate.wants_look()
    gate.note(0, (6,))
    gate.looked(CALM)
    assert told(gate) == {0: (5,)}
    assert a_look(gate, CALM) == {0: (6,)}


def test_a_partition_without_a_committed_offset_has_folded_nothing() -> None:
    gate = WatermarkGate()
    gate.note(0, (5,))
    assert a_look(gate, GroupOffsets({0: 7, 1: 7}, {0: 7, 1: 7, 2: 1})) == {}
    assert a_look(gate, GroupOffsets({0: 7, 1: 7}, {0: 7, 1: 7, 2: 0})) == {0: (5,)}


def test_what_was_not_committed_is_told_again() -> None:
    gate = WatermarkGate()
    gate.note(0, (5,))
    assert a_look(gate, CALM) == {0: (5,)}
    gate.dropped()
    assert told(gate) == {0: (5,)}


def test_a_partition_that_went_to_another_worker_is_not_told() -> None:
    gate = WatermarkGate()
    gate.note(0, (5,))
    gate.note(1, (5,))
    assert gate.wants_look()
    gate.forget(1)
    gate.looked(CALM)
    assert told(gate) == {0: (5,)}


def test_nothing_is_told_before_an_input_has_spoken() -> None:
    gate = WatermarkGate()
    gate.note(0, ())
    gate.note(1, (-1, -1))
    assert not gate.wants_look()


def test_how_far_time_is_held_back_is_known() -> None:
    gate = WatermarkGate()
    gate.note(0, (5, 9))
    assert gate.held_back_ms() == {}
    assert a_look(gate, CALM) == {0: (5, 9)}
    gate.note(0, (8, 9))
    assert gate.held_back_ms() == {0: 3}


def test_the_longest_way_of_a_withdrawal_ends_before_the_progress() -> None:
    """As slowly as can be: nothing is folded but what the last look saw, and something always follows it."""
    way = ["told by a device", "by its user", "by the address", "by another device of it", "by the user of that"]
    follows = dict(pairwise(way))
    gate = WatermarkGate()
    gate.note(0, (5,))
    log, committed = way[:1], 0
    while not a_look(gate, GroupOffsets({0: committed}, {0: len(log)})):
        seen = len(log)
        log += [follows[record] for record in log[committed:seen] if record in follows]
        log.append("a view")
        committed = seen
    assert way[-1] in log


class Item(NamedTuple):
    """A record in a journal partition: of its time, still to be forwarded so often; or how far time has come."""

    time_ms: int
    hops: int
    kind: str = "touchpoint"


class Journal:
    """Partitions of a journal, worked off piece by piece by two workers; every choice is the seed's."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.logs: list[list[Item]] = [[] for _ in range(PARTITIONS)]
        self.folded = [0] * PARTITIONS
        self.committed = [0] * PARTITIONS
        self.workers = [WatermarkGate(), WatermarkGate()]
        self.owners = [self.random.randrange(2) for _ in range(PARTITIONS)]
        self.looks: list[dict[int, int] | None] = [None, None]
        self.now_ms = 0

    def collect(self) -> None:
        for _ in range(self.random.randrange(4)):
            item = Item(self.now_ms, self.random.randint(0, ROUNDS))
            self.random.choice(self.logs).append(item)
        for log in self.logs:
            log.append(Item(self.now_ms, 0, "collected"))
        self.now_ms += 1

    def fold(self) -> None:
        partition = self.random.randrange(PARTITIONS)
        owner, log = self.workers[self.owners[partition]], self.logs[partition]
        for item in log[self.folded[partition] : self.folded[partition] + self.random.randint(1, 3)]:
            self.folded[partition] += 1
            if item.hops:
                self.random.choice(self.logs).append(Item(item.time_ms, item.hops - 1))
            if item.kind == "collected":
                owner.note(partition, (item.time_ms,))
        if self.random.random() < 0.5:
            self.committed[partition] = self.folded[partition]

    def look(self) -> None:
        """Committed offsets first; anything may happen before the ends are known."""
        number = self.random.randrange(2)
        worker, begun = self.workers[number], self.looks[number]
        if begun is not None:
            worker.looked(GroupOffsets(begun, {p: len(log) for p, log in enumerate(self.logs)}))
            self.looks[number] = None
        elif worker.wants_look():
            self.looks[number] = dict(enumerate(self.committed))
        self.announce(worker)

    def announce(self, worker: WatermarkGate) -> None:
        mine = [p for p in range(PARTITIONS) if self.workers[self.owners[p]] is worker]
        for partition, (time_ms,) in list(worker.unannounced(mine)):
            worker.announce(partition, (time_ms,))
            self.logs[partition].append(Item(time_ms, 0, "progress"))

    def move(self) -> None:
        """A partition goes to the other worker, which finds in the state what was collected."""
        partition = self.random.randrange(PARTITIONS)
        self.workers[self.owners[partition]].forget(partition)
        self.owners[partition] = 1 - self.owners[partition]
        self.folded[partition] = self.committed[partition]
        told = [item.time_ms for item in self.logs[partition][: self.folded[partition]] if item.kind == "collected"]
        if told:
            self.workers[self.owners[partition]].note(partition, (told[-1],))


@pytest.mark.parametrize("seed", range(50))
def test_progress_never_overtakes_a_forwarded_record(seed: int) -> None:
    journal = Journal(seed)
    steps = [journal.collect, *[journal.fold] * 8, *[journal.look] * 3]
    for _ in range(600):
        journal.random.choice(steps)()
        if journal.random.random() < 0.01:
            journal.move()
    for _ in range(1_000):
        journal.random.choice([journal.fold, journal.look])()
    for log in journal.logs:
        reached = -1
        for item in log:
            if item.kind == "progress":
                reached = max(reached, item.time_ms)
            elif item.kind == "touchpoint":
                assert item.time_ms > reached, f"seed {seed}: {item} came after progress to {reached}"
        assert reached == journal.now_ms - 1, f"seed {seed}: time is still"
