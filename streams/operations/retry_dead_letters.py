"""Retry of dead letters, each once: the record goes back to its topic, together with a mark that it was retried."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from schemas.journal import Unparked
from schemas.limits import OUTPUT_BYTES_MAX
from schemas.outputs import NOT_WHOLE, Retried
from schemas.touchpoint import Touchpoint
from schemas.wire import WireError
from streams.collect.addresses import without_addresses
from streams.collect.doors import RECEIVED
from streams.collect.hiding import hidden
from streams.fold.timers import TIMER
from streams.kafka.journal import COPIED
from streams.kafka.partitioner import partition_of
from streams.kafka.publisher import Publisher, in_chunks
from streams.operations.dead_letters import read_letters, read_marks
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.operations.dead_letters import Letter, Wanted
    from streams.operations.prefix import Prefix

_RECORDS_MAX = 500
"""Records in one transaction, which blocks readers of the journal while it is open."""


class CannotRetry(Exception):
    """The record cannot be retried; the message says what to do instead."""


class Outgoing(NamedTuple):
    """A record to write."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Refusal(msgspec.Struct, frozen=True):
    """A letter that cannot be retried, and why."""

    position: int
    reason: str


class Retries(msgspec.Struct, frozen=True):
    """What happened to the letters that were wanted."""

    brought_back: dict[str, int]
    """By topic: records written."""
    before: int
    """Letters that an earlier call retried."""
    refused: tuple[Refusal, ...]

    @property
    def found(self) -> int:
        return sum(self.brought_back.values()) + self.before + len(self.refused)


def retry(prefix: Prefix, wanted: Wanted) -> Retries:
    """Retry the wanted letters that were not retried before; may be repeated, and killed at any time.

    Raises:
        NotCreated: as `read_letters`.
        KafkaException: the brokers refuse it, or another retry runs; what is not committed is not done.
    """
    # made before marks are read: it ends an earlier retry, so that all marks it committed are there to read
    publisher = Publisher(prefix.settings, "dead-letters-retry")
    brought: Counter[str] = Counter()
    refused: list[Refusal] = []
    before = 0

    def pending() -> Iterator[tuple[int, Outgoing]]:
        nonlocal before
        for letter in read_letters(prefix, wanted):
            if letter.retried_ms is not None:
                before += 1
                continue
            try:
                yield letter.position, record_of(letter, prefix)
            except CannotRetry as why:
                refused.append(Refusal(letter.position, str(why)))

    for found in in_chunks(pending(), lambda each: len(each[1].value or b""), _RECORDS_MAX):
        # another retry may have come in between
        done = read_marks(prefix) if publisher.renew() else {}
        chunk = [each for each in found if each[0] not in done]
        before += len(found) - len(chunk)
        _bring_back(publisher, prefix, chunk)
        brought.update(outgoing.topic for _, outgoing in chunk)
    return Retries(dict(brought), before, tuple(refused))


def record_of(letter: Letter, prefix: Prefix) -> Outgoing:
    """Return the record to write for a retry.

    A forwarded record starts again with no hops, because the way that it counted ended with the letter. What goes to
    `touchpoints` goes as it came, for it passes the door again; what goes into the journal has nothing plain.

    Raises:
        CannotRetry: no record can be written, or none may be.
    """
    held, topics = letter.held, Topics(prefix.settings.prefix)
    if held.source_topic.startswith(TIMER):
        key = held.key or b""
        partition = partition_of(key.decode(), prefix.domain.journal_partitions)
        unparked = prefix.wire.encode(Unparked(held.source_topic.removeprefix(TIMER)))
        return Outgoing(topics.journal, partition, key, unparked)
    if held.stage == "replay":
        raise CannotRetry(
            f"it is line {held.source_offset} of the file {held.source_topic}: fix the file and replay it"
        )
    if held.source_topic not in {topics.touchpoints, topics.journal, topics.facts}:
        raise CannotRetry(f"it came from {held.source_topic}, which is not an input of this prefix")
    if NOT_WHOLE in held.detail:
        raise CannotRetry("its record was too large to keep in full: the producer must send it again")
    if held.key is None and held.source_topic != topics.touchpoints:
        raise CannotRetry("it concerns a whole partition, not a customer, and later records have replaced it")
    size = len(held.key or b"") + len(held.value or b"")
    if size > OUTPUT_BYTES_MAX:
        raise CannotRetry(f"it has {size} bytes, and no topic takes so many: the producer must send less")
    headers = tuple((name, value) for name, value in held.headers.items() if name not in {"hops", COPIED})
    if held.received_ms > 0 and RECEIVED not in held.headers and held.source_topic == topics.touchpoints:
        # the clock of its sender is corrected by when it came in first
        headers = (*headers, (RECEIVED, held.received_ms.to_bytes(8, "big")))
    as_it_was = Outgoing(held.source_topic, held.source_partition, held.key, held.value, headers)
    return _hidden(as_it_was, prefix) if held.source_topic == topics.journal else as_it_was


def _hidden(outgoing: Outgoing, prefix: Prefix) -> Outgoing:
    """Return a record of the journal; a touchpoint that an earlier release let in with an address gets its hash."""
    try:
        event = prefix.wire.decode_as(Touchpoint, outgoing.value or b"")
    except WireError:
        return outgoing
    found = hidden(event)
    if found is event:
        return outgoing
    key = (outgoing.key or b"").decode()
    kind, colon, name = key.partition(":")
    new_key = f"{kind}{colon}{without_addresses(name)}"
    partition = outgoing.partition if new_key == key else partition_of(new_key, prefix.domain.journal_partitions)
    return outgoing._replace(partition=partition, key=new_key.encode(), value=prefix.wire.encode(found))


def _bring_back(publisher: Publisher, prefix: Prefix, pending: list[tuple[int, Outgoing]]) -> None:
    retries = Topics(prefix.settings.prefix).retries
    with publisher.transaction():
        for _, outgoing in pending:
            publisher.send(*outgoing)
        # without transactions a mark must not be there before its record
        publisher.flush()
        for position, _ in pending:
            publisher.send(retries, 0, b"%d" % position, prefix.wire.encode(Retried(position)))
