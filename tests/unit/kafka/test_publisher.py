"""What commands write, cut into transactions."""

from __future__ import annotations

from streams.kafka.publisher import BYTES_MAX, in_chunks


def test_records_come_in_chunks_of_so_many_and_none_is_left_behind() -> None:
    assert list(in_chunks("abcde", len, 2)) == [["a", "b"], ["c", "d"], ["e"]]
    assert list(in_chunks("abcd", len, 2)) == [["a", "b"], ["c", "d"]]


def test_large_records_come_fewer_at_a_time() -> None:
    half = BYTES_MAX // 2
    assert list(in_chunks([half, half, 1, BYTES_MAX, 1], int, 100)) == [[half, half], [1, BYTES_MAX], [1]]


def test_nothing_makes_no_chunk() -> None:
    assert list(in_chunks([], len, 2)) == []
