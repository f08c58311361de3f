"""Comparison of topics with what their journal makes, byte by byte."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from schemas.insights import Facts
from schemas.outputs import Decision, Revocation, Trigger
from schemas.wire import WireError
from streams.offline.checkpoints import Checkpoint
from streams.offline.marks import Letters, marked
from streams.offline.refold import COMPACTED, COMPARED, Contents, refold
from streams.offline.stores import StoreReport
from streams.offline.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from confluent_kafka import Message

    from schemas.wire import Wire
    from streams.offline.checkpoints import Checkpoints
    from streams.offline.marks import Marked

FACTS = "facts"
LETTERS = "dead_letters"
_REASONED = Decision, Trigger, Revocation
"""What says its reason in a sentence, which a release may word otherwise than the one before."""
DIFFERENCES_MAX = 100
"""So many differences are described; further ones are only counted."""


class Records(Protocol):
    """The topics of a prefix, in Kafka or elsewhere: committed records of a partition in the order of offsets."""

    def read(self, topic: str, partition: int, start: int = 0) -> Iterable[Message]:
        """Yield records from the offset `start` on; `topic` is its name without the prefix."""
        ...


class Difference(msgspec.Struct, frozen=True):
    """A value that differs from what the fold gives; None: there is none."""

    topic: str
    partition: int
    key: str
    position: int
    """Position among the values of the key, from 0."""
    folded: str | None
    held: str | None


class Verification(msgspec.Struct, frozen=True):
    """The result of a comparison; hashes are sha256 over keys in order, each with its values in order."""

    journal: int
    """Records folded."""
    records: dict[str, int]
    """By topic: records held (of compacted topics keys, of facts records)."""
    different: dict[str, int]
    """By topic: values that differ, are missing or superfluous."""
    differences: tuple[Difference, ...]
    folded: dict[str, str]
    """Hash by topic of what the fold gives."""
    held: dict[str, str]
    """Hash by topic of what was read."""
    reworded: dict[str, int]
    """By topic: values that differ in their reason alone, which another release worded otherwise. No difference."""
    stores: tuple[StoreReport, ...] = ()
    """Of local stores, if they were compared too."""

    @property
    def holds(self) -> bool:
        """Return whether there is no difference."""
        return not any(self.different.values()) and all(store.holds for store in self.stores)


def fold_hashes(records: Records, partitions: int, wire: Wire) -> dict[str, str]:
    """Return by topic the hash of what the journal gives when it is folded once into empty state."""
    digests = _Digests()
    letters = Letters(records.read(LETTERS, 0), wire)
    for partition in range(partitions):
        left_out = letters.left_out(partition, records.read("journal", partition))
        digests.take(refold(records.read("journal", partition), wire, left_out), partition)
    return digests.hashes()


def verify(
    records: Records,
    partitions: int,
    wire: Wire,
    on_partition: Callable[[int, Contents], None] = lambda _, __: None,
    checkpoints: Checkpoints | None = None,
) -> Verification:
    """Fold each partition of the journal again and compare the result with the topics.

    `on_partition` is called with each finished partition and what the fold gives. With checkpoints, a partition begins
    at its last one, and earlier values are not compared again. If the topics are right, a new checkpoint is written.

    Raises:
        WireError: a record of facts is not one of ours.
        UnfitCheckpoint: a checkpoint is damaged, or belongs to another journal.
    """
    facts, facts_records = _held_sums(records, wire)
    folded_digests, held_digests, report = _Digests(), _Digests(), _Report(wire)
    report.records[FACTS] = facts_records
    letters = Letters(records.read(LETTERS, 0), wire)
    for partition in range(partitions):
        start = None if checkpoints is None else checkpoints.last(partition)
        begin = 0 if start is None else start.place.offset
        marks = marked(records.read("journal", partition, begin), wire)
        report.unfounded(partition, letters.unfounded(partition, marks))
        folded = refold(records.read("journal", partition, begin), wire, letters.set_aside(partition, marks), start)
        held = _held_contents(records, partition, facts.pop(partition, Sums()), start)
        if start is not None:
            # public profiles of other customers were there before
            profiles, known = held.topics[COMPACTED], folded.topics[COMPACTED]
            held.topics[COMPACTED] = {key: values for key, values in profiles.items() if key in known}
        report.journal += folded.records
        differences = report.different.total()
        report.compare(partition, folded, held)
        if checkpoints is not None and folded.place is not None and report.different.total() == differences:
            checkpoints.write(Checkpoint(folded.place, _values(folded, start), folded.sums, folded.state))
        folded_digests.take(folded, partition)
        held_digests.take(held, partition)
        on_partition(partition, folded)
    for partition, sums in facts.items():
        report.compare(partition, Contents(), Contents(sums=sums))
    return Verification(
        report.journal,
        report.records,
        dict(report.different),
        tuple(report.differences),
        folded_digests.hashes(),
        held_digests.hashes(),
        dict(report.reworded),
    )


def _held_sums(records: Records, wire: Wire) -> tuple[dict[int, Sums], int]:
    by_partition: dict[int, Sums] = {}
    count = 0
    for message in records.read(FACTS, 0):
        record = wire.decode(message.value() or b"")
        if isinstance(record, Facts):
            by_partition.setdefault(record.partition, Sums()).add(record)
            count += 1
    return by_partition, count


def _held_contents(records: Records, partition: int, sums: Sums, start: Checkpoint | None) -> Contents:
    held = Contents(sums=sums)
    for topic in COMPARED:
        before = 0 if start is None else start.values.get(topic, 0)
        for message in islice(records.read(topic, partition), before, None):
            held.hold(topic, message.key() or b"", message.value())
    return held


def _values(folded: Contents, start: Checkpoint | None) -> dict[str, int]:
    """Return by topic the number of values from the journal's beginning on, without the compacted topic."""
    before = {} if start is None else start.values
    return {
        topic: before.get(topic, 0) + sum(map(len, sequences.values()))
        for topic, sequences in folded.topics.items()
        if topic != COMPACTED
    }


class _Report:
    def __init__(self, wire: Wire) -> None:
        self.journal = 0
        self.records: Counter[str] = Counter(dict.fromkeys(COMPARED, 0))
        self.different: Counter[str] = Counter(dict.fromkeys([*COMPARED, FACTS], 0))
        self.differences: list[Difference] = []
        self.reworded: Counter[str] = Counter()
        self._wire = wire

    def compare(self, partition: int, folded: Contents, held: Contents) -> None:
        for topic in COMPARED:
            one, other = folded.topics[topic], held.topics[topic]
            self.records[topic] += sum(map(len, other.values()))
            for key in sorted(one.keys() | other.keys()):
                for position, (mine, theirs) in _unequal(one.get(key, []), other.get(key, [])):
                    if mine is not None and theirs is not None and self._is_reworded(mine, theirs):
                        self.reworded[topic] += 1
                        continue
                    shown = self._text(mine), self._text(theirs)
                    self._differ(Difference(topic, partition, key.decode(), position, *shown))
        self._compare_sums(partition, folded.sums, held.sums)

    def unfounded(self, partition: int, marks: Iterable[Marked]) -> None:
        """Report marks without a dead letter. They are not believed, so nothing else differs because of them."""
        for mark in marks:
            self._differ(Difference(LETTERS, partition, str(mark.offset), 0, f"set aside: {mark.reason}", None))

    def _compare_sums(self, partition: int, folded: Sums, held: Sums) -> None:
        for name in sorted(folded.counts.keys() | held.counts.keys()):
            if folded.counts[name] != held.counts[name]:
                shown = " ".join(str(part) for part in name).strip()
                one, other = str(folded.counts[name]), str(held.counts[name])
                self._differ(Difference(FACTS, partition, shown, 0, one, other))
        for row in folded.panel.keys() | held.panel.keys():
            if folded.panel[row] != held.panel[row]:
                shown = msgspec.json.encode(row).decode()
                one, other = str(folded.panel[row]), str(held.panel[row])
                self._differ(Difference(FACTS, partition, shown, 0, one, other))

    def _differ(self, difference: Difference) -> None:
        self.different[difference.topic] += 1
        if len(self.differences) < DIFFERENCES_MAX:
            self.differences.append(difference)

    def _is_reworded(self, mine: bytes, theirs: bytes) -> bool:
        try:
            one, other = self._wire.decode(mine), self._wire.decode(theirs)
        except WireError:
            return False
        return isinstance(one, _REASONED) and type(one) is type(other) and _masked(one) == _masked(other)

    def _text(self, value: bytes | None) -> str | None:
        if value is None:
            return None
        try:
            return msgspec.json.encode(self._wire.decode(value)).decode()
        except WireError as error:
            return f"{error}: {value.hex()}"


def _masked(record: Decision | Trigger | Revocation) -> Decision | Trigger | Revocation:
    return msgspec.structs.replace(record, reason="")


def _unequal(
    folded: list[bytes | None], held: list[bytes | None]
) -> Iterator[tuple[int, tuple[bytes | None, bytes | None]]]:
    """Yield positions where the values differ; a missing value is None, as is a tombstone removed by compaction."""
    if folded == held:
        return
    for position in range(max(len(folded), len(held))):
        pair = (_at(folded, position), _at(held, position))
        if pair[0] != pair[1]:
            yield position, pair


def _at(values: list[bytes | None], position: int) -> bytes | None:
    return values[position] if position < len(values) else None


class _Digests:
    """Hashes of sequences by key, so that only one partition's values are in memory."""

    def __init__(self) -> None:
        self._of_keys: dict[str, list[tuple[bytes, int, bytes]]] = {name: [] for name in COMPARED}
        self._sums: list[Any] = []

    def take(self, contents: Contents, partition: int) -> None:
        for topic, sequences in contents.topics.items():
            kept = ((key, values) for key, values in sequences.items() if any(value is not None for value in values))
            self._of_keys[topic] += [(key, partition, _digest(values)) for key, values in kept]
        counts = sorted((name, value) for name, value in contents.sums.counts.items() if value)
        rows = sorted((msgspec.json.encode(row), count) for row, count in contents.sums.panel.items())
        self._sums.append((partition, counts, rows))

    def hashes(self) -> dict[str, str]:
        return {
            **{topic: _digest(_flat(sorted(found))).hex() for topic, found in self._of_keys.items()},
            FACTS: sha256(repr(self._sums).encode()).hexdigest(),
        }


def _flat(found: Iterable[tuple[bytes, int, bytes]]) -> Iterator[bytes]:
    for key, _, digest in found:
        yield key
        yield digest


def _digest(values: Iterable[bytes | None]) -> bytes:
    """Return the digest of values in order, each with its length, so that different sequences never look the same."""
    digest = sha256()
    for value in values:
        # None differs from an empty value
        digest.update((-1 if value is None else len(value)).to_bytes(8, "big", signed=True))
        digest.update(value or b"")
    return digest.digest()
