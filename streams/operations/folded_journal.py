"""The journal of a prefix on Kafka, as far as workers have folded it: to verify, to backtest, to copy into a file."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

import msgspec

from streams.offline.journal import side_by_side
from streams.offline.journal_file import write_journal
from streams.offline.marks import Letters, folded
from streams.offline.verify import fold_hashes, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from confluent_kafka import Message

    from streams.offline.checkpoints import Checkpoints
    from streams.offline.marks import Aside
    from streams.offline.refold import Contents
    from streams.offline.stores import StoreReport
    from streams.offline.verify import Verification
    from streams.operations.local_stores import LocalStores
    from streams.operations.prefix import Prefix


class NotStill(Exception):
    """Workers committed while topics were read: stop them, or wait until they have nothing left to do."""


class FoldedPrefix:
    """The prefix, with its journal cut off at the workers' committed offsets."""

    def __init__(self, prefix: Prefix) -> None:
        self.ends = prefix.folded_to()
        self._prefix = prefix

    def read(self, topic: str, partition: int, start: int = 0) -> Iterable[Message]:
        if topic == "journal":
            return self.journal(partition, start, self.ends[partition])
        return self._prefix.read(topic, partition, start)

    def is_still(self) -> bool:
        """Return whether no record has been folded since; offsets also move past transaction markers."""
        now = zip(self.ends, self._prefix.folded_to(), strict=True)
        return not any(
            next(iter(self.journal(partition, before, after)), None)
            for partition, (before, after) in enumerate(now)
            if after != before
        )

    def journal(self, partition: int, start: int, end: int) -> Iterator[Message]:
        """Yield the records of one partition between two offsets."""
        messages = self._prefix.read("journal", partition, start)
        return takewhile(lambda message: (message.offset() or 0) < end, messages)


def verify_prefix(
    prefix: Prefix,
    on_partition: Callable[[int], None] = lambda _: None,
    checkpoints: Checkpoints | None = None,
    stores: LocalStores | None = None,
) -> Verification:
    """Fold the journal of a prefix again from the last checkpoints on, and compare; write only new checkpoints.

    With `stores` these are compared with the folded state too.

    Raises:
        NotStill: a worker committed meanwhile, so journal and topics were read at different times.
        UnfitCheckpoint: a checkpoint is damaged, or belongs to another journal.
    """
    folded = FoldedPrefix(prefix)
    reports: list[StoreReport] = []

    def compare(partition: int, contents: Contents) -> None:
        if stores is not None:
            reports.extend(stores.reports(partition, contents.state))
        on_partition(partition)

    found = verify(folded, prefix.domain.journal_partitions, prefix.wire, compare, checkpoints)
    if stores is not None:
        found = msgspec.structs.replace(found, stores=(*reports, *stores.insights()))
    if not folded.is_still():
        raise NotStill(
            f"workers of prefix {prefix.settings.prefix} committed while topics were read: "
            "stop them, or wait until they have nothing left to do, and verify again"
        )
    return found


def hashes_of(prefix: Prefix) -> dict[str, str]:
    """Return by topic the hash of what the journal gives when it is folded once more into empty state."""
    return fold_hashes(FoldedPrefix(prefix), prefix.domain.journal_partitions, prefix.wire)


class PrefixJournal:
    """The journal as far as workers have folded it, without the records that they set aside."""

    def __init__(self, prefix: Prefix) -> None:
        self._wire = prefix.wire
        self._folded = FoldedPrefix(prefix)
        self._letters = Letters(prefix.read("dead_letters", 0), prefix.wire)
        self._left_out: dict[int, Aside] = {}

    def records(self, starts: Mapping[int, int]) -> Iterator[Message]:
        """Yield the records; see Journal."""
        ends = enumerate(self._folded.ends)
        partitions = {number: self._records(number, starts.get(number, 0), end) for number, end in ends}
        return side_by_side(partitions, self._wire)

    def _records(self, partition: int, start: int, end: int) -> Iterator[Message]:
        left_out = self._left_out.get(partition)
        if left_out is None:
            left_out = self._letters.left_out(partition, self._folded.journal(partition, start, end))
            self._left_out[partition] = left_out
        yield from folded(self._folded.journal(partition, start, end), left_out)


def export_journal(prefix: Prefix, path: Path) -> int:
    """Write the journal, as far as it has been folded, to a file without a registry; return its number of records."""
    return write_journal(path, PrefixJournal(prefix), prefix.wire)
