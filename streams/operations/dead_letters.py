"""Dead letters of a prefix: which there are, and which have been retried."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from schemas.outputs import DeadLetter, Retried
from streams.kafka.topics import partition_counts
from streams.operations.create import NotCreated
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.operations.prefix import Prefix


class Letter(NamedTuple):
    """A dead letter and its place in the topic."""

    position: int
    """Offset in dead-letters."""
    time_ms: int
    """When it was written, by the brokers."""
    retried_ms: int | None
    """When it was retried; None: not yet."""
    held: DeadLetter

    @property
    def source(self) -> str:
        """Return where the record came from, for people."""
        held = self.held
        if held.source_partition < 0:
            return f"{held.source_topic}@{held.source_offset}"
        return f"{held.source_topic}-{held.source_partition}@{held.source_offset}"


class Wanted(NamedTuple):
    """Which letters are wanted; a field that is not given restricts nothing."""

    positions: frozenset[int] = frozenset()
    reason: str | None = None
    stage: str | None = None
    since_ms: int = 0

    def takes(self, letter: Letter) -> bool:
        return (
            (not self.positions or letter.position in self.positions)
            and self.reason in {None, letter.held.reason}
            and self.stage in {None, letter.held.stage}
            and letter.time_ms >= self.since_ms
        )


def read_letters(prefix: Prefix, wanted: Wanted) -> Iterator[Letter]:
    """Yield the letters that exist at the call, oldest first.

    Raises:
        NotCreated: an earlier release created the prefix, without a topic for retries.
    """
    settings = prefix.settings
    retries = Topics(settings.prefix).retries
    if retries not in partition_counts(settings.brokers, settings.kafka):
        raise NotCreated(
            f"topic {retries} is missing: create it with `touchstream topics create`, with the same settings as before"
        )
    retried = read_marks(prefix)
    for message in prefix.read("dead_letters", 0, min(wanted.positions, default=0)):
        position = message.offset() or 0
        held = prefix.wire.decode_as(DeadLetter, message.value() or b"")
        letter = Letter(position, message.timestamp()[1], retried.get(position), held)
        if wanted.takes(letter):
            yield letter


def read_marks(prefix: Prefix) -> dict[int, int]:
    """Return, by position of the letters that were retried, when that was."""
    retried: dict[int, int] = {}
    for message in prefix.read("retries", 0):
        mark = prefix.wire.decode_as(Retried, message.value() or b"")
        retried[mark.position] = message.timestamp()[1]
    return retried
