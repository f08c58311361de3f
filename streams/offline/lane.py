"""One partition of a backtest."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from schemas.journal import Progress
from streams.fold.record import Record
from streams.kafka.journal import announced_ms
from streams.offline.branch import Branch, Tried, is_sent
from streams.offline.checkpoints import digest_of, of_another_journal
from streams.offline.sendings import Sendings

if TYPE_CHECKING:
    from confluent_kafka import Message

    from state.memory import MemoryStore
    from streams.offline.checkpoints import Position
    from streams.offline.exchange import Exchange
    from streams.offline.trial import Trial


class Start(NamedTuple):
    """Where a partition begins."""

    state: MemoryStore
    place: Position | None
    """Of the checkpoint that has the state; None: it begins at its start."""


class Sides(NamedTuple):
    """What all partitions of a backtest share."""

    trial: Trial
    tried: Sendings
    published: Sendings | None
    """None: what the published flows do is not asked."""
    exchange: Exchange


class Lane:
    """A partition: folded with the published flows, and from the trial's time on with those to try."""

    def __init__(self, start: Start, sides: Sides) -> None:
        place, trial = start.place, sides.trial
        self._place = place
        self._is_found = place is None
        self._trial = trial
        self._sendings = sides.tried
        self._exchange = sides.exchange
        self._is_compared = sides.published is not None
        self._published = Branch(start.state, sides.published or Sendings(0, 0))
        self._tried: Tried | None = None
        self._early: list[Record] = []
        """What other partitions sent before this one came to the trial."""
        self._waiting: deque[Record] = deque()
        """Records behind one that another partition has not sent yet."""
        self.begin_ms = trial.to_ms
        self.end_ms = 0
        self.is_over = False
        """Everything before the trial's end has happened."""

    def is_to_fold(self, message: Message) -> bool:
        """Return whether a record is behind the checkpoint at which the partition begins.

        Raises:
            UnfitCheckpoint: the first one is not that of the checkpoint.
        """
        place = self._place
        if place is None:
            return True
        if not self._is_found:
            if message.offset() != place.offset or digest_of(message) != place.digest:
                raise of_another_journal(place)
            self._is_found = True
        return (message.offset() or 0) >= place.end

    def check(self) -> None:
        """Check that the partition came to its checkpoint.

        Raises:
            UnfitCheckpoint: it did not.
        """
        if self._place is not None and not self._is_found:
            raise of_another_journal(self._place)

    def take(self, record: Record) -> None:
        """Fold the next record, or keep it behind one that waits."""
        self._waiting.append(record)

    def go_on(self, *, is_forced: bool) -> bool:
        """Fold the first record that waits, unless another partition is still to send it."""
        if not self._waiting or self.is_over:
            return False
        record = self._waiting[0]
        if self._tried is not None and not is_forced and is_sent(record) and not self._exchange.is_there(record):
            return False
        self._fold(self._waiting.popleft())
        return True

    def take_own(self, record: Record) -> None:
        """Fold what another partition sent with the flows to try."""
        if self._tried is None:
            self._early.append(record)
        else:
            self._tried.take_own(record)

    def has_passed(self, time_ms: int) -> bool:
        """Return whether the partition has come to a time with the flows to try."""
        watermark_ms = None if self._tried is None else self._tried.watermark_ms
        return self.is_over or (watermark_ms is not None and watermark_ms >= time_ms)

    def _fold(self, record: Record) -> None:
        time_ms = record.received_ms or announced_ms(record)
        if time_ms >= self._trial.from_ms:
            if self._tried is None:
                self._tried = self._begin()
                self.begin_ms = time_ms
            self.end_ms = max(self.end_ms, time_ms)
        if self._tried is None or self._is_compared:
            self._published.fold(record)
        if self._tried is None:
            return
        self._tried.fold(record)
        if type(record.value) is Progress and self.end_ms >= self._trial.to_ms:
            self.is_over = self._tried.has_come_to(self._trial.to_ms)

    def _begin(self) -> Tried:
        """Publish the flows to try: they decide whatever was due and is not decided yet."""
        state = self._published.state(is_copied=self._is_compared)
        tried = Tried(state, self._sendings, self._trial, self._exchange)
        if self._published.configured.settings:
            tried.fold(Record("", self._published.configured, b"", 0, 0))
        for record in self._early:
            tried.take_own(record)
        return tried

    def commit(self) -> None:
        """Encode what has changed."""
        for branch in (self._published, self._tried):
            if branch is not None:
                branch.commit()
