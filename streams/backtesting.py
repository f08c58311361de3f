"""The journal of a prefix on Kafka as a backtest reads it, and copied into a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.replay.journal_file import write_journal
from streams.replay.verify import set_aside
from streams.verifying import FoldedPrefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from confluent_kafka import Message

    from streams.prefix import Prefix


class PrefixJournal:
    """As far as the workers have folded it, without what they set aside."""

    def __init__(self, prefix: Prefix) -> None:
        self._folded = FoldedPrefix(prefix)
        self._letters = set_aside(prefix, prefix.wire)

    def partitions(self, starts: Mapping[int, int]) -> Iterator[tuple[int, Iterator[Message]]]:
        """Each partition once, with its records in order, from the offset in `starts` on where there is one."""
        for partition, end in enumerate(self._folded.ends):
            yield partition, self._records(partition, starts.get(partition, 0), end)

    def _records(self, partition: int, start: int, end: int) -> Iterator[Message]:
        letters = self._letters[partition]
        for message in self._folded.journal(partition, start, end):
            if message.offset() not in letters:
                yield message


def export_journal(prefix: Prefix, path: Path) -> int:
    """Writes the journal, as far as it has been folded, to a file that needs no registry; how many records it has."""
    messages = (message for _, own in PrefixJournal(prefix).partitions({}) for message in own)
    return write_journal(path, messages, prefix.wire)
