"""Records that workers set aside: marks in the journal itself, and dead letters, which may be gone."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from schemas.journal import SetAside
from schemas.outputs import DeadLetter
from schemas.units import HOUR_MS
from schemas.wire import WireError
from streams.fold.timers import TIMER
from streams.kafka.journal import is_copied

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from confluent_kafka import Message

    from schemas.wire import Wire

_CLOCKS_DIFFER_MS = HOUR_MS
"""A mark is stamped by a broker, its letter by a worker, or the other way round."""


class Marked(NamedTuple):
    """A mark that a record was set aside."""

    reason: str
    time_ms: int
    """When the mark was written."""


class Letters:
    """Dead letters of the fold and of insights, as far back as the topic still has them."""

    def __init__(self, messages: Iterable[Message], wire: Wire) -> None:
        """`messages` are those of `dead-letters`; what is no letter is passed over."""
        self.offsets: defaultdict[int, set[int]] = defaultdict(set)
        """By journal partition: what the fold set aside."""
        self.of_facts: set[int] = set()
        """What insights set aside."""
        self._wire = wire
        self._since_ms: int | None = None
        """No mark written after this has a letter that is gone; None: nobody knows."""
        for message in messages:
            if self._since_ms is None:
                self._since_ms = message.timestamp()[1] + _CLOCKS_DIFFER_MS if message.offset() else 0
            try:
                letter = wire.decode_as(DeadLetter, message.value() or b"")
            except WireError:
                continue
            if is_copied(message):
                continue  # it names an offset of the prefix from which it comes
            if letter.stage == "insights":
                self.of_facts.add(letter.source_offset)
            elif letter.stage == "fold" and not letter.source_topic.startswith(TIMER):
                self.offsets[letter.source_partition].add(letter.source_offset)

    def unfounded(self, partition: int, marks: Mapping[int, Marked]) -> dict[int, Marked]:
        """Return marks whose letters should be there and are not: no worker wrote them."""
        if self._since_ms is None:
            return {}
        there, since_ms = self.offsets[partition], self._since_ms
        return {offset: mark for offset, mark in marks.items() if offset not in there and mark.time_ms >= since_ms}

    def set_aside(self, partition: int, marks: Mapping[int, Marked]) -> set[int]:
        """Return the offsets to leave out: those with a letter, and those with a mark that may have had one."""
        return self.offsets[partition] | (marks.keys() - self.unfounded(partition, marks).keys())

    def left_out(self, partition: int, messages: Iterable[Message]) -> set[int]:
        """Return the same for the marks in `messages`, which are those of one partition of the journal."""
        return self.set_aside(partition, marked(messages, self._wire))


def marked(messages: Iterable[Message], wire: Wire) -> dict[int, Marked]:
    """Return the marks in one partition of the journal by the offset that each names, which is before its own."""
    found: dict[int, Marked] = {}
    for message in messages:
        mark = read_mark(message, wire)
        if mark is not None and 0 <= mark.offset < (message.offset() or 0):
            found.setdefault(mark.offset, Marked(mark.reason, message.timestamp()[1]))
    return found


def read_mark(message: Message, wire: Wire) -> SetAside | None:
    """Return the mark in a message; None: it is another record."""
    value = message.value()
    if message.key() is not None or value is None or not wire.is_a(SetAside, value):
        return None
    try:
        return wire.decode_as(SetAside, value)
    except WireError:
        return None
