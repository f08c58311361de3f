"""Folding of a journal partition again, over state in memory: what its topics should hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from state.memory import MemoryStore
from state.overlay import Overlay
from streams.fold.attempt import Refused, attempt
from streams.fold.fold import Fold
from streams.fold.partition_state import JournalCodec
from streams.kafka.journal import announced_ms, counted_as_letter, guarding, reader
from streams.offline.checkpoints import Checkpoint, Position, digest_of, going_on
from streams.offline.marks import Aside
from streams.offline.sums import Sums
from streams.profiles.effects import TOPIC_OF

if TYPE_CHECKING:
    from collections.abc import Iterable

    from confluent_kafka import Message

    from schemas.wire import Wire
    from streams.profiles.effects import Effects

COMPARED = tuple(dict.fromkeys(name for name in TOPIC_OF.values() if name != "dead_letters"))
COMPACTED = "profiles"
"""Of this topic only the last value of a key is compared: the broker may have removed the others."""

_COMMIT_EVERY = 10_000

Sequences: TypeAlias = dict[bytes, list[bytes | None]]
"""By key: values in order."""


@dataclass(slots=True)
class Contents:
    """The contents of each topic that one partition of the journal makes."""

    topics: dict[str, Sequences] = field(default_factory=lambda: {name: {} for name in COMPARED})
    sums: Sums = field(default_factory=Sums)
    records: int = 0
    """Records of the journal."""
    place: Position | None = None
    """The last folded record; None: there was none."""
    state: MemoryStore = field(default_factory=MemoryStore)
    """The state after it."""

    def hold(self, topic: str, key: bytes, value: bytes | None) -> None:
        """Take in the next value of a key."""
        sequences = self.topics[topic]
        if topic == COMPACTED:
            sequences[key] = [value]
        else:
            sequences.setdefault(key, []).append(value)


def refold(
    messages: Iterable[Message], wire: Wire, set_aside: Aside | None = None, start: Checkpoint | None = None
) -> Contents:
    """Fold one partition's records in the order of their offsets; `wire` encodes as the worker's did.

    `set_aside` is what workers did not fold, though the code may be fixed by now. With a
    checkpoint, `messages` begin with its record. Then topics hold what later records make, and sums those of all.

    Raises:
        NewerState: a later release wrote the journal.
        UnfitCheckpoint: the checkpoint belongs to another journal.
    """
    contents = Contents()
    latest_ms, last, end = -1, None, 0
    if start is not None:
        contents.state, latest_ms = start.state, start.place.announced_ms
        contents.sums = Sums(start.sums.counts.copy(), start.sums.panel.copy())
        messages = going_on(messages, start)
    overlay: Overlay[Any] = Overlay(contents.state, JournalCodec())
    aside = Aside() if set_aside is None else set_aside
    fold, read = Fold(overlay, encode=wire.encode), guarding(reader(wire), aside.guards())
    for message in messages:
        contents.records += 1
        end = message.offset() + 1
        if aside.leaves_out(message.offset()):
            _count_letter(message, contents)
            continue
        last = message
        outcome = attempt(fold, read, message, fold.undo)
        if outcome.record is not None:
            latest_ms = max(latest_ms, announced_ms(outcome.record))
        if isinstance(outcome, Refused):
            _count_letter(message, contents)
            continue
        _take(outcome.effects, contents)
        if contents.records % _COMMIT_EVERY == 0:
            _commit(overlay, contents)
    _commit(overlay, contents)
    if last is not None:
        contents.place = Position(last.partition(), last.offset(), digest_of(last), end, latest_ms)
    return contents


def _commit(overlay: Overlay[Any], contents: Contents) -> None:
    overlay.freeze()
    overlay.committed(contents.records)


def _take(effects: Effects, contents: Contents) -> None:
    for (customer, output), value in zip(effects.outputs, effects.values, strict=True):
        topic = COMPACTED if output is None else TOPIC_OF.get(type(output))
        if topic in contents.topics:
            contents.hold(topic, customer.encode(), value)
    for key, count in effects.counts.items():
        contents.sums.counts[key] += count
    contents.sums.panel.update(effects.panel)


def _count_letter(message: Message, contents: Contents) -> None:
    for key in counted_as_letter(message):
        contents.sums.counts[key] += 1
