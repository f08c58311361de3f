"""The journal of a prefix on Kafka as a backtest reads it, and copied into a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.replay.halves import is_in
from streams.replay.journal_file import write_journal
from streams.replay.verify import set_aside
from streams.verifying import FoldedPrefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from confluent_kafka import Message

    from streams.prefix import Prefix
    from streams.replay.halves import Half


class PrefixJournal:
    """As far as the workers have folded it, without what they set aside."""

    def __init__(self, prefix: Prefix) -> None:
        self._folded = FoldedPrefix(prefix)
        self._letters = set_aside(prefix, prefix.wire)

    def halves(self, starts: Mapping[int, int]) -> Iterator[Half]:
        """See Journal."""
        for of_devices in (True, False):
            for partition, end in enumerate(self._folded.ends):
                records = self._records(partition, starts.get(partition, 0), end)
                yield of_devices, partition, _of_half(records, of_devices=of_devices)

    def _records(self, partition: int, start: int, end: int) -> Iterator[Message]:
        letters = self._letters[partition]
        for message in self._folded.journal(partition, start, end):
            if message.offset() not in letters:
                yield message


def _of_half(messages: Iterable[Message], *, of_devices: bool) -> Iterator[Message]:
    return (message for message in messages if is_in(message.key(), of_devices=of_devices))


def export_journal(prefix: Prefix, path: Path) -> int:
    """Writes the journal, as far as it has been folded, to a file that needs no registry; how many records it has."""
    return write_journal(path, PrefixJournal(prefix), prefix.wire)
