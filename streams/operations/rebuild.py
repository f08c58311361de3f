"""A changelog that lost records, written again: its state follows from the journal and the facts."""

from __future__ import annotations

from itertools import chain, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import msgspec
from confluent_kafka import TopicPartition

from state.memory import MemoryStore
from state.overlay import Overlay
from streams.engine.local_state import REBUILDING, UNFINISHED
from streams.fold.attempt import as_it_is, attempt
from streams.insights.fold import fold_record
from streams.insights.state import InsightCodec
from streams.kafka.journal import appended_ms, is_copied
from streams.kafka.publisher import Publisher, in_chunks
from streams.offline.marks import Letters
from streams.offline.refold import refold
from streams.operations.folded_journal import FoldedPrefix
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from confluent_kafka import Message

    from streams.insights.effects import InsightEffects
    from streams.operations.prefix import Prefix

_RECORDS_MAX = 5_000
"""Records in one transaction."""
_COMMIT_EVERY = 10_000
"""Facts after which what they changed goes into the state."""
_MARKS = 2
"""Records around the state: one that it is being written, and one that it is whole."""

_Record: TypeAlias = tuple[bytes | None, bytes | None]
"""A key and a value."""


class CannotRebuild(Exception):
    """It cannot be done; the message says why and what to do."""


class _Changelog(NamedTuple):
    """A partition of a changelog as it was read."""

    topic: str
    number: int
    last: _Record | None
    """Its last record; None: there is none."""
    is_empty: bool
    """It holds nothing, or only what a rebuild that was killed has written."""


class Rebuilt(msgspec.Struct, frozen=True):
    """Records written, by changelog."""

    profiles: int
    insights: int


def rebuild(prefix: Prefix) -> Rebuilt:
    """Write the state of every partition whose changelog is empty; may be killed, and repeated until it returns.

    What is written begins and ends with a mark, so that no worker starts on a half.

    Raises:
        CannotRebuild: workers run, no changelog is empty, another rebuild writes too, or the facts do not hold all that
            insights know.
    """
    _check_no_worker(prefix)
    # made before changelogs are read: it ends an earlier rebuild, so that all that one committed is there to read
    publisher = Publisher(prefix.settings, "rebuild")
    read = [_read(prefix, "profiles_changelog", number) for number in range(prefix.domain.journal_partitions)]
    profiles = [each for each in read if each.is_empty]
    insights = _read(prefix, "insights_changelog", 0)
    if not profiles and not insights.is_empty:
        raise CannotRebuild(
            f"no changelog of prefix {prefix.settings.prefix} is empty: delete the one that lost records, and run"
            " `touchstream topics create`"
        )
    folded, letters = FoldedPrefix(prefix), Letters(prefix.read("dead_letters", 0), prefix.wire)
    of_profiles = of_insights = 0
    for each in profiles:
        left_out = letters.left_out(each.number, folded.read("journal", each.number))
        contents = refold(folded.read("journal", each.number), prefix.wire, left_out)
        of_profiles += _write(publisher, prefix, each, contents.state)
    if insights.is_empty:
        of_insights = _write(publisher, prefix, insights, _insights(prefix, letters.of_facts))
    return Rebuilt(of_profiles, of_insights)


def _read(prefix: Prefix, topic: str, number: int) -> _Changelog:
    message = mark = None
    for message in prefix.read(topic, number):
        if message.key() == REBUILDING:
            mark = message.value()
    return _Changelog(topic, number, _record_of(message), is_empty=message is None or mark is not None)


def _write(publisher: Publisher, prefix: Prefix, changelog: _Changelog, state: MemoryStore) -> int:
    """Write the state behind the last record that was read, and nothing behind what anyone else wrote since."""
    name = getattr(Topics(prefix.settings.prefix), changelog.topic)
    number, last, count = changelog.number, changelog.last, 0
    chunks = in_chunks(state.items(), lambda record: len(record[1]), _RECORDS_MAX)
    parts: Iterator[Sequence[_Record]] = chain([[(REBUILDING, UNFINISHED)]], chunks, [[(REBUILDING, None)]])
    for part in parts:
        # another rebuild may have come in between
        if publisher.renew() and _record_of(prefix.last(changelog.topic, number)) != last:
            raise CannotRebuild(f"another command wrote to {name}-{number} meanwhile: run this one again, alone")
        with publisher.transaction():
            for key, value in part:
                publisher.send(name, number, key, value)
        last, count = part[-1], count + len(part)
    return count - _MARKS


def _record_of(message: Message | None) -> _Record | None:
    return None if message is None else (message.key(), message.value())


def _insights(prefix: Prefix, left_out: Collection[int]) -> MemoryStore:
    """Fold the facts again, as far as workers have; without those that they set aside."""
    store = MemoryStore()
    overlay: Overlay[Any] = Overlay(store, InsightCodec())
    count = 0

    def folded(message: Message) -> InsightEffects:
        overlay.savepoint()
        return fold_record(overlay, prefix.wire.decode(message.value() or b""), appended_ms(message))

    for message in _folded_facts(prefix):
        if is_copied(message):
            raise CannotRebuild(
                f"{Topics(prefix.settings.prefix).insights_changelog} cannot be written again: the prefix is a copy."
                " Part of what its insights knew is in the prefix that it was copied from"
            )
        if message.offset() in left_out:
            continue
        # one that was refused then is refused again, though its letter may be gone
        attempt(folded, as_it_is, message, overlay.roll_back)
        count += 1
        if count % _COMMIT_EVERY == 0:
            _commit(overlay, count)
    _commit(overlay, count)
    return store


def _commit(overlay: Overlay[Any], count: int) -> None:
    overlay.freeze()
    overlay.committed(count)


def _folded_facts(prefix: Prefix) -> Iterator[Message]:
    [end] = prefix.committed([TopicPartition(Topics(prefix.settings.prefix).facts, 0)])
    return takewhile(lambda message: (message.offset() or 0) < end, prefix.read("facts", 0))


def _check_no_worker(prefix: Prefix) -> None:
    members = prefix.members()
    if members:
        raise CannotRebuild(f"{members} workers of prefix {prefix.settings.prefix} are running: stop them first")
