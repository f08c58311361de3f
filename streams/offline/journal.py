"""A journal as a backtest reads it: all partitions side by side, by the time that they show to have come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from confluent_kafka import Message

from schemas.journal import Progress
from schemas.wire import WireError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from schemas.wire import Wire


class Journal(Protocol):
    """A journal, in Kafka or in a file."""

    def records(self, starts: Mapping[int, int]) -> Iterator[Message]:
        """Yield the records of all partitions, each of them in order, as `side_by_side` does.

        A partition begins at the offset in `starts`, if there is one.
        """
        ...


def side_by_side(partitions: Mapping[int, Iterator[Message]], wire: Wire) -> Iterator[Message]:
    """Yield the records of partitions in an order in which they may have been folded.

    Time moves on in one of them only when each has been read up to where it moves on.
    """
    rest, moving = dict(partitions), dict[int, tuple[int, Message]]()
    while rest:
        for number in sorted(rest.keys() - moving.keys()):
            for message in rest[number]:
                time_ms = _watermark_ms(message, wire)
                if time_ms is not None:
                    moving[number] = time_ms, message
                    break
                yield message
            else:
                del rest[number]
        first_ms = min([time_ms for time_ms, _ in moving.values()], default=0)
        for number in sorted(moving):
            if moving[number][0] == first_ms:
                yield moving.pop(number)[1]


def _watermark_ms(message: Message, wire: Wire) -> int | None:
    """Return to where a record moves time; None: it does not."""
    if message.key() is not None:
        return None
    try:
        value = wire.decode(message.value() or b"")
    except WireError:
        return None
    if not isinstance(value, Progress):
        return None
    return min([each.time_ms for each in value.partitions], default=0)
