"""A journal in a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME

from schemas.container import ContainerError
from streams.offline.journal_file import JournalFile, write_journal
from tests.support.kept import Kept, KeptJournal
from tests.support.same_bytes import JOURNAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from streams.offline.journal import Half, Journal


def test_a_journal_comes_back_from_its_file_in_the_halves_that_a_backtest_reads(tmp_path: Path) -> None:
    written = [
        Kept(b"u:1", b"value", (("hops", b"\x01"),), kept_offset=4, kept_partition=0),
        Kept(b"a:1", b"device's", (), kept_offset=5, kept_partition=0),
        Kept(None, None, (), kept_offset=9, kept_partition=0),
        Kept(b"u:2", b"other", (), kept_offset=0, kept_partition=1, kept_timestamp=(TIMESTAMP_LOG_APPEND_TIME, 5)),
    ]
    journal, path = KeptJournal(written), tmp_path / "journal.avro"
    assert write_journal(path, journal) == len(written)
    for starts in ({}, {0: 5}):
        assert read(JournalFile(path), starts) == read(journal, starts)
    assert [half for half in read(JournalFile(path), {0: 5}) if half[:2] == (False, 0)] == [
        (False, 0, [asked(written[2])])
    ]


def read(journal: Journal, starts: dict[int, int]) -> list[tuple[bool, int, list[Any]]]:
    halves = [(of_devices, partition, list(map(asked, own))) for of_devices, partition, own in journal.halves(starts)]
    return [half for half in halves if half[2]]


def asked(message: Any) -> tuple[Any, ...]:
    place = message.partition(), message.offset(), message.timestamp()
    return *place, message.key(), message.value(), tuple(message.headers() or ())


def test_a_file_of_an_earlier_release_has_the_times_of_those_who_wrote() -> None:
    halves = JournalFile(JOURNAL).halves({})
    kinds = {message.timestamp()[0] for _, _, messages in halves for message in messages}
    assert kinds == {TIMESTAMP_CREATE_TIME}


@dataclass(frozen=True)
class Disordered:
    halves_in_order: list[Any]

    def halves(self, _starts: Mapping[int, int]) -> Iterator[Half]:
        yield from self.halves_in_order


@pytest.mark.parametrize("order", [[(True, 0), (True, 1), (True, 0)], [(False, 0), (True, 1)]])
def test_a_file_whose_partitions_are_mixed_is_refused(tmp_path: Path, order: list[tuple[bool, int]]) -> None:
    path = tmp_path / "mixed.avro"
    halves = [(*half, [Kept(None, b"", kept_partition=half[1])]) for half in order]
    write_journal(path, Disordered(halves))
    with pytest.raises(ContainerError, match="is out of order; export the journal again"):
        list(JournalFile(path).halves({}))
