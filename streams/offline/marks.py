"""Records that workers set aside: marks in the journal itself, and dead letters, which may be gone."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from schemas.journal import SetAside
from schemas.outputs import DeadLetter
from schemas.units import HOUR_MS
from schemas.wire import WireError
from streams.fold.record import Failing
from streams.fold.timers import TIMER
from streams.kafka.headers import headers_of
from streams.kafka.journal import failed_header, is_copied

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from confluent_kafka import Message

    from schemas.wire import Wire

_CLOCKS_DIFFER_MS = HOUR_MS
"""A mark is stamped by a broker, its letter by a worker, or the other way round."""


class Failed(NamedTuple):
    """A timer that failed as a record fired it: it is parked from there on."""

    customer: str
    timer: str
    firing: int
    """Which of the customer's in that record."""


class Marked(NamedTuple):
    """A mark that a record was set aside, or a timer that it fired."""

    offset: int
    """Of the record."""
    reason: str
    time_ms: int
    """When the mark was written."""
    timer: Failed | None = None
    """None: the record itself."""


Timers = tuple[Failed, ...]


class Aside(dict[int, Timers]):
    """What was set aside, by offset: timers that the record fired, or the record itself, for which there are none."""

    def guards(self) -> dict[int, Failing]:
        """Return guards that let those timers fail again, by offset."""
        return {
            offset: Failing({(each.customer, each.timer): (each.firing, "set aside") for each in timers})
            for offset, timers in self.items()
            if timers
        }

    def leaves_out(self, offset: int) -> bool:
        """Return whether a record is not folded."""
        return self.get(offset) == ()


class WithTimers:
    """A record of a journal, with a header that names the timers that were set aside as it fired them."""

    def __init__(self, message: Message, timers: Timers) -> None:
        self._message = message
        self._header = failed_header(timers)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a message's own
        return getattr(self._message, name)

    def headers(self) -> list[tuple[str, bytes | None]]:
        """Return the record's own headers and this one."""
        return [*headers_of(self._message), self._header]


def folded(messages: Iterable[Message], aside: Aside) -> Iterator[Message]:
    """Yield the records that are folded, with the timers that were set aside."""
    for message in messages:
        timers = aside.get(message.offset() or 0)
        if timers is None:
            yield message
        elif timers:
            yield cast("Message", WithTimers(message, timers))


class Letters:
    """Dead letters of the fold and of insights, as far back as the topic still has them."""

    def __init__(self, messages: Iterable[Message], wire: Wire) -> None:
        """`messages` are those of `dead-letters`; what is no letter is passed over."""
        self.offsets: defaultdict[int, set[int]] = defaultdict(set)
        """By journal partition: what the fold set aside."""
        self.timers: set[tuple[str, str]] = set()
        """(customer, timer) of those that were set aside."""
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
            elif letter.source_topic.startswith(TIMER):
                customer = (letter.key or b"").decode(errors="replace")
                self.timers.add((customer, letter.source_topic.removeprefix(TIMER)))
            elif letter.stage == "fold":
                self.offsets[letter.source_partition].add(letter.source_offset)

    def unfounded(self, partition: int, marks: Iterable[Marked]) -> list[Marked]:
        """Return marks whose letters should be there and are not: no worker wrote them."""
        return [mark for mark in marks if not self._is_believed(partition, mark)]

    def set_aside(self, partition: int, marks: Iterable[Marked]) -> Aside:
        """Return what was set aside: what has a letter, and what has a mark that may have had one."""
        aside, whole = Aside(), set(self.offsets[partition])
        for mark in marks:
            if not self._is_believed(partition, mark):
                continue
            if mark.timer is None:
                whole.add(mark.offset)
            else:
                aside[mark.offset] = (*aside.get(mark.offset, ()), mark.timer)
        aside.update(dict.fromkeys(whole, ()))
        return aside

    def _is_believed(self, partition: int, mark: Marked) -> bool:
        if self._since_ms is None or mark.time_ms < self._since_ms:
            return True
        if mark.timer is None:
            return mark.offset in self.offsets[partition]
        return (mark.timer.customer, mark.timer.timer) in self.timers

    def left_out(self, partition: int, messages: Iterable[Message]) -> Aside:
        """Return the same for the marks in `messages`, which are those of one partition of the journal."""
        return self.set_aside(partition, marked(messages, self._wire))


def marked(messages: Iterable[Message], wire: Wire) -> list[Marked]:
    """Return the marks in one partition of the journal, each of which names an offset before its own."""
    found = []
    for message in messages:
        mark = read_mark(message, wire)
        if mark is not None and 0 <= mark.offset < (message.offset() or 0):
            timer = Failed(mark.customer, mark.timer, mark.firing) if mark.timer else None
            found.append(Marked(mark.offset, mark.reason, message.timestamp()[1], timer))
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
