"""The search for the one record with which no cycle can be committed.

What follows from a record within its own step, the processors deal with. What fails later has no record to its name: a
broker refuses an output, or facts, progress or state cannot be written. After FAILURES_MAX such failures in a row, each
cycle takes one batch alone, and batches become smaller with each failure, down to one record. If that fails as often,
it is condemned: its processor gets it as a record to set aside.

Only faults that may follow a record are counted. A condemned record that fails all the same ends the worker, for then
the record was not at fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog

from streams.engine.batch import Batch, Condemned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from streams.kafka.offsets import PartitionId

FAILURES_MAX = 3
NOT_COMMITTED = "not_committed"
"""Reason of a record with which no cycle could be committed."""

_log = structlog.get_logger(__name__)


class _Search(NamedTuple):
    """What is suspected in a partition."""

    size: int
    """How many records go into one cycle."""
    end: int
    """Offset after the suspected records."""


class Bisection:
    """Which records may be in a cycle together, and which are condemned; called with the cycle's lock held."""

    def __init__(self) -> None:
        self._cycle: list[Batch] = []
        """What the open cycle has taken."""
        self._failures = 0
        """Of cycles in a row, but for those of one record."""
        self._alone: dict[PartitionId, tuple[int, int]] = {}
        """The record that failed alone, and how often since its partition was committed; others may be in between."""
        self._searches: dict[PartitionId, _Search] = {}
        self._condemned: dict[PartitionId, dict[int, Condemned]] = {}

    @property
    def is_searching(self) -> bool:
        """Return whether each cycle is to take one batch alone."""
        return bool(self._searches)

    def parts_of(self, chunk: Iterable[tuple[int, Batch]]) -> Iterator[tuple[int, Batch]]:
        """Divide the batches of a chunk, each with its tag."""
        return ((tag, part) for tag, batch in chunk for part in self.parts(batch))

    def parts(self, batch: Batch) -> Iterator[Batch]:
        """Divide a batch for cycles of their own, and hand it what is condemned."""
        place = batch.topic, batch.partition
        condemned, search = self._condemned.get(place), self._searches.get(place)
        if condemned is not None:
            batch.condemned = condemned
        start, last = 0, len(batch.messages)
        # the size may change from one part to the next
        while search is not None and start + search.size < last:
            messages = batch.messages[start : start + search.size]
            part = Batch(batch.topic, batch.partition, messages, messages[-1].offset() + 1)
            part.condemned = batch.condemned
            yield part
            start, search = start + search.size, self._searches.get(place)
        if start:
            batch.messages = batch.messages[start:]
        yield batch

    def took(self, batch: Batch) -> None:
        """Note that the open cycle has this batch."""
        self._cycle.append(batch)

    def failed(self, error: Exception, batch: Batch | None = None) -> bool:
        """Note that a cycle failed, by `batch` if it is known; return False if the worker must end."""
        suspects = [each for each in (self._cycle if batch is None else [batch]) if each.messages]
        self._cycle = []
        alone = _alone(suspects)
        if alone is not None:
            return self._failed_alone(*alone, error)
        self._failures += 1
        if self._failures < FAILURES_MAX and not (self.is_searching and suspects):
            return True
        for each in suspects:
            place = each.topic, each.partition
            size, before = (len(each.messages) + 1) // 2, self._searches.get(place)
            least = size if before is None else min(size, before.size)
            self._searches[place] = _Search(least, each.messages[-1].offset() + 1)
            _log.warning("searching for the record at fault", topic=each.topic, partition=each.partition, records=size)
        self._failures = 0
        return bool(suspects)

    def _failed_alone(self, place: PartitionId, offset: int, error: Exception) -> bool:
        before, failures = self._alone.get(place, (offset, 0))
        failures = failures + 1 if before == offset else 1
        self._alone[place] = offset, failures
        return failures < FAILURES_MAX or self._condemn(place, offset, error)

    def _condemn(self, place: PartitionId, offset: int, error: Exception) -> bool:
        if offset in self._condemned.get(place, {}):
            return False
        _log.error("record set aside", topic=place[0], partition=place[1], offset=offset, exc_info=error)
        why = Condemned(NOT_COMMITTED, f"{type(error).__name__}: {error}")
        self._condemned.setdefault(place, {})[offset] = why
        self._failures = 0
        del self._alone[place]
        return True

    def committed(self) -> None:
        """Note that the open cycle is durable."""
        for batch in self._cycle:
            place = batch.topic, batch.partition
            condemned, search = self._condemned.get(place), self._searches.get(place)
            is_found = condemned is not None and any(each.offset() in condemned for each in batch.messages)
            if search is not None and (is_found or batch.next_offset >= search.end):
                del self._searches[place]
            self._alone.pop(place, None)
            if condemned is not None:
                left = {offset: why for offset, why in condemned.items() if offset >= batch.next_offset}
                if left:
                    self._condemned[place] = left
                else:
                    del self._condemned[place]
        self._cycle = []
        self._failures = 0

    def dropped(self) -> None:
        """Note that the open cycle is gone, and no record is suspected for it."""
        self._cycle = []

    def forget(self, places: Iterable[PartitionId]) -> None:
        """Forget what is known of partitions that are given up; the next owner finds out for itself."""
        for place in places:
            self._searches.pop(place, None)
            self._alone.pop(place, None)
            self._condemned.pop(place, None)


def _alone(batches: Sequence[Batch]) -> tuple[PartitionId, int] | None:
    """Return the only record of a cycle; None: there were several, or none."""
    if len(batches) != 1 or len(batches[0].messages) != 1:
        return None
    batch = batches[0]
    return (batch.topic, batch.partition), batch.messages[0].offset()
