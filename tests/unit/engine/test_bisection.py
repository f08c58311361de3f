"""A record with which nothing can be committed is found among the others, and they go through, each once."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from streams.engine.batch import Batch, Condemned
from streams.engine.bisection import FAILURES_MAX, NOT_COMMITTED, Bisection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.kafka.offsets import PartitionId

PLACE = ("in", 0)


class Message:
    def __init__(self, offset: int) -> None:
        self._offset = offset

    def offset(self) -> int:
        return self._offset


class Refused(Exception):
    """What a cycle with a bad record ends with."""


class Ended(Exception):
    """The worker had to end."""


class Engine:
    """Takes batches, commits cycles, and reads again what was aborted, as the real one does."""

    def __init__(
        self, records: dict[PartitionId, int], bad: set[tuple[PartitionId, int]], batch_max: int, chance: random.Random
    ) -> None:
        self.bisection = Bisection()
        self._chance = chance
        self._records, self._bad, self._batch_max = records, bad, batch_max
        self.committed: dict[PartitionId, list[int]] = {place: [] for place in records}
        self.set_aside: dict[PartitionId, list[int]] = {place: [] for place in records}
        self.cycles = 0

    def run(self) -> None:
        while any(self._position(place) < end for place, end in self._records.items()):
            assert self.cycles < 20_000
            self._cycle()

    def _position(self, place: PartitionId) -> int:
        return len(self.committed[place]) + len(self.set_aside[place])

    def _cycle(self) -> None:
        """One round over all partitions, until something fails or all is committed."""
        taken: list[Batch] = []
        # after an abort the client begins with any of them
        for place in self._chance.sample(list(self._records), len(self._records)):
            start = self._position(place)
            end = min(start + self._batch_max, self._records[place])
            if start == end:
                continue
            messages: list[Any] = [Message(offset) for offset in range(start, end)]
            for part in self.bisection.parts(Batch(*place, messages, end)):
                self.bisection.took(part)
                taken.append(part)
                if self.bisection.is_searching:
                    if not self._close(taken):
                        return
                    taken = []
        self._close(taken)

    def _close(self, taken: list[Batch]) -> bool:
        self.cycles += 1
        if any(self._is_bad(part) for part in taken):
            if not self.bisection.failed(Refused()):
                raise Ended
            return False
        for part in taken:
            place = part.topic, part.partition
            for offset in _offsets(part):
                (self.set_aside if offset in part.condemned else self.committed)[place].append(offset)
        self.bisection.committed()
        return True

    def _is_bad(self, part: Batch) -> bool:
        place = part.topic, part.partition
        return any((place, offset) in self._bad and offset not in part.condemned for offset in _offsets(part))


def _offsets(batch: Batch) -> Iterable[int]:
    return [message.offset() for message in batch.messages]


@pytest.mark.parametrize("batch_max", [1, 7, 1_000])
def test_each_bad_record_is_set_aside_and_every_other_goes_through_once(batch_max: int, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(20):
        records = {("in", number): chance.randrange(1, 120) for number in range(chance.randint(1, 4))}
        bad = {(place, chance.randrange(end)) for place, end in records.items() for _ in range(chance.randrange(3))}
        engine = Engine(records, bad, batch_max, chance)
        engine.run()
        for place, end in records.items():
            assert engine.set_aside[place] == sorted(offset for at, offset in bad if at == place)
            assert engine.committed[place] == [offset for offset in range(end) if (place, offset) not in bad]
        assert not engine.bisection.is_searching


def test_one_bad_record_of_a_thousand_is_found_in_few_cycles() -> None:
    engine = Engine({PLACE: 1_000}, {(PLACE, 617)}, 1_000, random.Random(0))
    engine.run()
    assert engine.set_aside[PLACE] == [617]
    assert engine.cycles < 30


def test_two_bad_records_that_fail_by_turns_are_both_set_aside() -> None:
    bisection, other = Bisection(), ("in", 1)
    for _ in range(FAILURES_MAX):
        for place in (PLACE, other):
            one: list[Any] = [Message(4)]
            bisection.took(Batch(*place, one, 5))
            assert bisection.failed(Refused())
    for place in (PLACE, other):
        both: list[Any] = [Message(4), Message(5)]
        (batch,) = bisection.parts(Batch(*place, both, 6))
        assert list(batch.condemned) == [4]


def test_a_bad_record_is_set_aside_although_another_partition_commits_in_between() -> None:
    bisection, other = Bisection(), ("in", 1)
    for number in range(FAILURES_MAX):
        one: list[Any] = [Message(4)]
        bisection.took(Batch(*PLACE, one, 5))
        assert bisection.failed(Refused())
        good: list[Any] = [Message(number)]
        bisection.took(Batch(*other, good, number + 1))
        bisection.committed()
    again: list[Any] = [Message(4)]
    (batch,) = bisection.parts(Batch(*PLACE, again, 5))
    assert list(batch.condemned) == [4]


def test_a_fault_that_goes_away_condemns_nothing() -> None:
    bisection = Bisection()
    messages: list[Any] = [Message(offset) for offset in range(8)]
    for _ in range(FAILURES_MAX - 1):
        bisection.took(Batch(*PLACE, messages, 8))
        assert bisection.failed(Refused())
    (batch,) = bisection.parts(Batch(*PLACE, messages, 8))
    bisection.took(batch)
    bisection.committed()
    assert not bisection.is_searching
    assert not batch.condemned


def test_a_cycle_without_records_that_fails_again_and_again_ends_the_worker() -> None:
    bisection = Bisection()
    assert [bisection.failed(Refused()) for _ in range(FAILURES_MAX)] == [True] * (FAILURES_MAX - 1) + [False]


def test_a_condemned_record_that_fails_all_the_same_ends_the_worker() -> None:
    bisection = Bisection()
    messages: list[Any] = [Message(3)]
    answers = []
    for _ in range(2 * FAILURES_MAX):
        (batch,) = bisection.parts(Batch(*PLACE, list(messages), 4))
        bisection.took(batch)
        answers.append(bisection.failed(Refused("too large")))
    assert answers == [True] * (2 * FAILURES_MAX - 1) + [False]
    assert batch.condemned[3] == Condemned(NOT_COMMITTED, "Refused: too large")


def test_an_abort_without_a_suspect_leaves_no_suspicion() -> None:
    bisection = Bisection()
    messages: list[Any] = [Message(offset) for offset in range(4)]
    bisection.took(Batch(*PLACE, messages, 4))
    bisection.dropped()
    assert [bisection.failed(Refused()) for _ in range(FAILURES_MAX)][-1] is False


def test_what_another_worker_takes_over_is_forgotten() -> None:
    bisection = Bisection()
    messages: list[Any] = [Message(offset) for offset in range(4)]
    one: list[Any] = [Message(2)]
    for _ in range(FAILURES_MAX):
        bisection.took(Batch(*PLACE, one, 3))
        bisection.failed(Refused())
    (batch,) = bisection.parts(Batch(*PLACE, messages, 4))
    assert list(batch.condemned) == [2]
    for _ in range(FAILURES_MAX):
        bisection.took(Batch(*PLACE, messages, 4))
        bisection.failed(Refused())
    bisection.forget([PLACE])
    assert not bisection.is_searching
    (batch,) = bisection.parts(Batch(*PLACE, messages, 4))
    assert not batch.condemned
