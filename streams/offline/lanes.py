"""All partitions of a backtest, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.journal import Progress, SlotsDue
from schemas.wire import WireError
from state.memory import MemoryStore
from streams.fold.granting import TURNS
from streams.fold.record import Record
from streams.kafka.journal import read_record
from streams.kafka.partitioner import partition_of
from streams.offline.exchange import Exchange
from streams.offline.lane import Lane, Sides, Start

if TYPE_CHECKING:
    from confluent_kafka import Message

    from streams.offline.sendings import Sendings
    from streams.offline.trial import Past, Trial

_COMMIT_EVERY = 50_000
"""Records; at most as many changed profiles are kept decoded beside the cache."""


class Lanes:
    """All partitions, and what those that fold the flows to try send each other."""

    def __init__(self, past: Past, trial: Trial, tried: Sendings, published: Sendings | None) -> None:
        self.starts = {} if past.checkpoints is None else past.checkpoints.starts(trial.from_ms)
        self.records = 0
        self.exchange = Exchange()
        self._sides = Sides(trial, tried, published, self.exchange)
        self._past, self._trial = past, trial
        self._lanes: dict[int, Lane] = {}
        for partition in self.starts:
            self._begin(partition)

    @property
    def are_over(self) -> bool:
        """Return whether everything before the trial's end has happened in all partitions."""
        return bool(self._lanes) and all(lane.is_over for lane in self._lanes.values())

    @property
    def period(self) -> tuple[int, int]:
        """Return the first and the last time of a record in the trial; last 0: there was none."""
        lanes = self._lanes.values()
        return min([lane.begin_ms for lane in lanes], default=0), max([lane.end_ms for lane in lanes], default=0)

    def take(self, message: Message) -> None:
        """Fold a record, and what follows from it in any partition."""
        partition = message.partition() or 0
        lane = self._lanes.get(partition) or self._begin(partition)
        if lane.is_over or not lane.is_to_fold(message):
            return
        self.records += 1
        try:
            record = read_record(message, self._past.wire)
        except WireError:
            return  # it was a dead letter, and is one again
        if type(record.value) is Progress:
            self._settle()
        lane.take(record)
        self._follow()
        if self.records % _COMMIT_EVERY == 0:
            for each in self._lanes.values():
                each.commit()

    def end(self) -> None:
        """Fold what waits for something that never came.

        Raises:
            UnfitCheckpoint: a partition never came to its checkpoint.
        """
        self._settle()
        for lane in self._lanes.values():
            lane.check()

    def _begin(self, partition: int) -> Lane:
        begin = Start(MemoryStore(), None)
        if self._past.checkpoints is not None:
            start = self._past.checkpoints.last(partition, self._trial.from_ms)
            if start is not None:
                begin = Start(start.state, start.place)
        lane = self._lanes[partition] = Lane(begin, self._sides)
        return lane

    def _settle(self) -> None:
        """Fold what waits for something that was never sent here.

        All partitions have been read up to where time moves on. So what waits was sent before the trial began, or by
        a foreign hand.
        """
        while any(lane.go_on(is_forced=True) for lane in self._lanes.values()):
            self._follow()

    def _follow(self) -> None:
        """Fold what partitions sent each other, and what waited for it, until nothing is left to do."""
        exchange, lanes = self.exchange, self._lanes
        while True:
            if exchange.sent:
                key, value = exchange.sent.popleft()
                number = partition_of(key, len(lanes))
                lanes[number if number in lanes else min(lanes)].take_own(Record(key, value, b"", 0, 0))
            elif exchange.due and all(lane.has_passed(exchange.due[0][1].time_ms) for lane in lanes.values()):
                key, due = exchange.due.popleft()
                exchange.sent.append((key, SlotsDue(due.time_ms, TURNS)))
            elif not any(lane.go_on(is_forced=False) for lane in lanes.values()):
                return
