"""Rows sorted in bounded memory."""

from __future__ import annotations

from random import Random

import pytest

from streams.replay.files.rows import Row
from streams.replay.files.sorting import Sorter
from streams.replay.files.texts import ColumnFileError


def a_row(number: int) -> Row:
    return Row((str(number), "ü\ufffd"), number, b"\xff;\n", 2, "a.csv")


def test_rows_come_by_their_times_and_those_of_one_time_as_they_were_put(seed: int) -> None:
    chance = Random(seed)
    put = [(chance.randrange(-50, 50), a_row(number)) for number in range(5_000)]
    with Sorter() as sorter:
        for time_ms, row in put:
            sorter.put(time_ms, row)
        assert sorted({*sorter.times_at_the_ends()}) == sorted({time_ms for time_ms, _ in put})
        assert list(sorter.sorted()) == [(row, time_ms) for time_ms, row in sorted(put, key=lambda each: each[0])]


def test_rows_that_do_not_fit_are_an_error_that_says_what_to_do() -> None:
    with Sorter(bytes_max=100_000) as sorter, pytest.raises(ColumnFileError, match=r"sorted: .*full.* 100000 .*TMPDIR"):
        list(map(sorter.put, range(20_000), map(a_row, range(20_000))))
