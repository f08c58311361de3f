"""A journal in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME

from streams.offline.journal_file import JournalFile, write_journal
from tests.support.kept import Kept, KeptJournal
from tests.support.same_bytes import JOURNAL

if TYPE_CHECKING:
    from pathlib import Path

    from streams.offline.journal import Journal


def test_a_journal_comes_back_from_its_file_in_the_order_in_which_a_backtest_reads(tmp_path: Path) -> None:
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
    assert read(JournalFile(path), {0: 5, 1: 1}) == [asked(each) for each in written[1:3]]


def read(journal: Journal, starts: dict[int, int]) -> list[Any]:
    return list(map(asked, journal.records(starts)))


def asked(message: Any) -> tuple[Any, ...]:
    place = message.partition(), message.offset(), message.timestamp()
    return *place, message.key(), message.value(), tuple(message.headers() or ())


def test_a_file_of_an_earlier_release_has_each_record_once_and_the_times_of_those_who_wrote() -> None:
    for starts in ({}, {0: 100}):
        records = list(JournalFile(JOURNAL).records(starts))
        places = [(message.partition(), message.offset() or 0) for message in records]
        assert len(set(places)) == len(places) > 1_000
        for number in {partition for partition, _ in places}:
            own = [offset for partition, offset in places if partition == number]
            assert own == sorted(own)
            assert own[0] >= starts.get(number or 0, 0)
        assert {message.timestamp()[0] for message in records} == {TIMESTAMP_CREATE_TIME}
