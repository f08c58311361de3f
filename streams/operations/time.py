"""How far time has come in a prefix, and the way back for a person after a wrong clock pushed it ahead."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from schemas.insights import Facts
from schemas.journal import TimeReset
from schemas.wire import WireError
from streams.kafka.publisher import Publisher
from streams.kafka.reader import last_committed, read_tail
from streams.operations.prefix import earlier_rules
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.operations.prefix import Prefix

RULES_MIN = 2
REASON_MAX = 200


class CannotReset(Exception):
    """Time cannot be taken back here; the message says why and what to do."""


class PartitionTime(msgspec.Struct, frozen=True):
    """How far time has come in a journal partition; None: not known."""

    partition: int
    complete_to_ms: int | None
    """By the last facts."""
    appended_ms: int | None
    """Timestamp of its last record."""
    ahead_ms: int | None
    """Of this machine's clock; negative: behind."""


def times_of(prefix: Prefix, now_ms: Callable[[], float] = lambda: time.time() * 1_000) -> list[PartitionTime]:
    """Return the times of all journal partitions, by the ends of facts and journal."""
    complete = _complete(prefix)
    return [
        _time_of(prefix, number, complete.get(number), now_ms()) for number in range(prefix.domain.journal_partitions)
    ]


def _time_of(prefix: Prefix, number: int, complete_ms: int | None, now_ms: float) -> PartitionTime:
    settings, topics = prefix.settings, Topics(prefix.settings.prefix)
    last = last_committed(settings.brokers, topics.journal, number, settings.kafka)
    ahead_ms = None if complete_ms is None else int(complete_ms - now_ms)
    return PartitionTime(number, complete_ms, None if last is None else last.timestamp()[1], ahead_ms)


def _complete(prefix: Prefix) -> dict[int, int]:
    """Return by journal partition the time to which its last facts are complete, from the end of facts backwards."""
    settings, partitions = prefix.settings, prefix.domain.journal_partitions
    found: dict[int, int] = {}
    for messages in read_tail(settings.brokers, Topics(settings.prefix).facts, 0, settings.kafka):
        for message in messages:
            try:
                facts = prefix.wire.decode(message.value() or b"")
            except WireError:
                continue
            if isinstance(facts, Facts) and facts.complete_to_ms is not None:
                found[facts.partition] = facts.complete_to_ms
        if len(found) == partitions:
            break
    return found


def check_resettable(prefix: Prefix) -> None:
    """Check that a reset would be obeyed.

    Raises:
        CannotReset: the time of this prefix is not the brokers', or its rules are of an earlier release.
    """
    name = prefix.settings.prefix
    if prefix.domain.clock != "wall":
        raise CannotReset(f"prefix {name}: time comes from its records (clock marks), so no clock has pushed it ahead")
    if prefix.rules < RULES_MIN:
        raise CannotReset(earlier_rules(prefix))


def reset_time(prefix: Prefix, reason: str) -> None:
    """Take time back to the brokers' in every journal partition that is ahead; others stay as they are.

    Each partition goes back to the time at which the broker appends the record, so nobody can set a time. It is all
    or nothing, and may be repeated.

    Raises:
        CannotReset: as `check_resettable`.
    """
    check_resettable(prefix)
    settings, topics = prefix.settings, Topics(prefix.settings.prefix)
    value = prefix.wire.encode(TimeReset(reason[:REASON_MAX]))
    publisher = Publisher(settings, "time-reset")
    with publisher.transaction():
        for number in range(prefix.domain.journal_partitions):
            publisher.send(topics.journal, number, None, value)
