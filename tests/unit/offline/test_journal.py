"""Partitions of a journal side by side."""

from __future__ import annotations

from typing import Any

from schemas import wire
from schemas.journal import PartitionProgress, Progress
from schemas.wire import SINGLE_OBJECT
from streams.offline.journal import side_by_side
from tests.support.kept import Kept


def a_record(name: str) -> Any:
    return Kept(name.encode(), b"")


def progress(*times: int) -> Any:
    told = Progress(tuple([PartitionProgress(number, time_ms) for number, time_ms in enumerate(times)]))
    return Kept(None, wire.encode(told))


def read(*partitions: list[Any]) -> list[str]:
    streams: Any = {number: iter(records) for number, records in enumerate(partitions)}
    found = []
    for message in side_by_side(streams, SINGLE_OBJECT):
        key, value = message.key(), message.value() or b""
        if key is not None:
            found.append(key.decode())
        elif value == b"?":
            found.append("?")
        else:
            found.append(str(min(each.time_ms for each in wire.decode(value).partitions)))
    return found


def test_time_moves_on_only_when_all_partitions_have_come_to_it() -> None:
    one = [a_record("a"), progress(1), a_record("b"), progress(3), a_record("c")]
    other = [a_record("d"), progress(2), a_record("e")]
    assert read(one, other) == ["a", "d", "1", "b", "2", "e", "3", "c"]


def test_partitions_that_come_to_one_time_do_so_before_any_goes_on() -> None:
    one = [progress(1), a_record("a"), progress(2)]
    other = [progress(1), a_record("b"), progress(2)]
    assert read(one, other) == ["1", "1", "a", "b", "2", "2"]


def test_time_has_come_only_as_far_as_in_the_slowest_input() -> None:
    assert read([progress(5, 1)], [progress(2, 3)]) == ["1", "2"]


def test_what_is_no_progress_moves_no_time_and_no_partition_means_no_records() -> None:
    assert read([Kept(None, b"?"), a_record("a")], []) == ["?", "a"]
    assert read() == []
