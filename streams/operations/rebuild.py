"""A changelog that lost records, written again: its state follows from the journal and the facts."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any

import msgspec
from confluent_kafka import TopicPartition

from schemas.insights import Facts
from schemas.journal import Configured
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.engine.local_state import REBUILDING, UNFINISHED
from streams.insights.fold import configured, fold_facts
from streams.insights.state import InsightCodec
from streams.kafka.journal import appended_ms, is_copied
from streams.kafka.publisher import Publisher, in_chunks
from streams.offline.marks import Letters
from streams.offline.refold import refold
from streams.operations.folded_journal import FoldedPrefix
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from confluent_kafka import Message

    from streams.operations.prefix import Prefix

_RECORDS_MAX = 5_000
"""Records in one transaction."""


class CannotRebuild(Exception):
    """It cannot be done; the message says why and what to do."""


class Rebuilt(msgspec.Struct, frozen=True):
    """Records written, by changelog."""

    profiles: int
    insights: int


def rebuild(prefix: Prefix) -> Rebuilt:
    """Write the state of every partition whose changelog is empty; may be killed, and repeated until it returns.

    What is written begins and ends with a mark, so that no worker starts on a half.

    Raises:
        CannotRebuild: workers run, no changelog is empty, or the facts do not hold all that insights know.
    """
    _check_no_worker(prefix)
    partitions = range(prefix.domain.journal_partitions)
    profiles = [number for number in partitions if _is_empty(prefix, "profiles_changelog", number)]
    has_insights = _is_empty(prefix, "insights_changelog", 0)
    if not profiles and not has_insights:
        raise CannotRebuild(
            f"no changelog of prefix {prefix.settings.prefix} is empty: delete the one that lost records, and run"
            " `touchstream topics create`"
        )
    publisher = Publisher(prefix.settings, "rebuild")
    folded, letters = FoldedPrefix(prefix), Letters(prefix.read("dead_letters", 0), prefix.wire)
    count = 0
    for number in profiles:
        left_out = letters.left_out(number, folded.read("journal", number))
        contents = refold(folded.read("journal", number), prefix.wire, left_out)
        count += _write(publisher, prefix, "profiles_changelog", number, contents.state)
    insights = 0
    if has_insights:
        insights = _write(publisher, prefix, "insights_changelog", 0, _insights(prefix, letters.of_facts))
    return Rebuilt(count, insights)


def _write(publisher: Publisher, prefix: Prefix, topic: str, number: int, state: MemoryStore) -> int:
    name = getattr(Topics(prefix.settings.prefix), topic)
    count = 0
    with publisher.transaction():
        publisher.send(name, number, REBUILDING, UNFINISHED)
    for chunk in in_chunks(state.items(), lambda record: len(record[1]), _RECORDS_MAX):
        with publisher.transaction():
            for key, value in chunk:
                publisher.send(name, number, key, value)
        count += len(chunk)
    with publisher.transaction():
        publisher.send(name, number, REBUILDING, None)
    return count


def _is_empty(prefix: Prefix, topic: str, number: int) -> bool:
    """Return whether a changelog holds nothing, or what a rebuild that was killed has written."""
    first = next(iter(prefix.read(topic, number)), None)
    if first is None:
        return True
    last = [message.value() for message in prefix.read(topic, number) if message.key() == REBUILDING]
    return bool(last) and last[-1] is not None


def _insights(prefix: Prefix, left_out: Collection[int]) -> MemoryStore:
    """Fold the facts again, as far as workers have; without those that they set aside."""
    store = MemoryStore()
    overlay: Overlay[Any] = Overlay(store, InsightCodec())
    for message in _folded_facts(prefix):
        if is_copied(message):
            raise CannotRebuild(
                f"{Topics(prefix.settings.prefix).insights_changelog} cannot be written again: the prefix is a copy."
                " Part of what its insights knew is in the prefix that it was copied from"
            )
        if message.offset() in left_out:
            continue
        record = prefix.wire.decode(message.value() or b"")
        if isinstance(record, Facts):
            fold_facts(overlay, record, appended_ms(message))
        elif isinstance(record, Configured):
            configured(overlay, record)
    overlay.freeze()
    overlay.committed(1)
    return store


def _folded_facts(prefix: Prefix) -> Iterator[Message]:
    [end] = prefix.committed([TopicPartition(Topics(prefix.settings.prefix).facts, 0)])
    return takewhile(lambda message: (message.offset() or 0) < end, prefix.read("facts", 0))


def _check_no_worker(prefix: Prefix) -> None:
    members = prefix.members()
    if members:
        raise CannotRebuild(f"{members} workers of prefix {prefix.settings.prefix} are running: stop them first")
