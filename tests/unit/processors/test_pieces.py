"""Facts of a commit, in records that their topic takes."""

from __future__ import annotations

from collections import Counter

import pytest

from schemas.insights import Facts, PanelRow
from schemas.limits import BY_CHARS_MAX, FACTS_BYTES_MAX, FACTS_COUNTS_MAX, FACTS_ROWS_MAX, LONG_MAX, LONG_MIN
from schemas.wire import SINGLE_OBJECT
from streams.offline.sums import Sums
from streams.processors.pieces import pieces
from streams.profiles.effects import Effects

ROW = PanelRow(LONG_MIN, LONG_MAX, LONG_MAX, LONG_MAX, LONG_MAX, LONG_MAX, 1.5)


def sums_of(records: list[Facts]) -> Sums:
    sums = Sums()
    for record in records:
        sums.add(record)
    return sums


def test_a_usual_commit_makes_one_record() -> None:
    sums = {("orders", 3_600_000, ""): 2, ("carts_opened", 3_600_000, ""): 0, ("customers", 0, "segment=New"): -1}
    (record,) = pieces(3, 7, sums, [ROW])
    assert (record.partition, record.complete_to_ms, record.panel) == (3, 7, (ROW,))
    assert [(count.name, count.value) for count in record.counts] == [("orders", 2), ("customers", -1)]


def test_a_commit_that_counted_nothing_says_how_far_it_is_complete() -> None:
    assert pieces(3, 7, {}, []) == [Facts(3, 7)]


def test_the_longest_dimensions_make_records_below_the_limit_which_add_up_to_the_same() -> None:
    sums = {
        ("credited_minor", LONG_MAX - LONG_MAX % 3_600_000, f"{at:\U0001f680>{BY_CHARS_MAX}}"): at for at in range(900)
    }
    records = pieces(0, 7, sums, [ROW] * 5)
    assert max(len(SINGLE_OBJECT.encode(record)) for record in records) < FACTS_BYTES_MAX
    assert len(records) == 5
    assert sums_of(records).counts == {key: value for key, value in sums.items() if value}
    assert sums_of(records).panel == {ROW: 5}


def test_many_counts_and_rows_make_records_of_bounded_work() -> None:
    sums = {("touchpoints", 3_600_000 * at, ""): LONG_MIN for at in range(1, 3 * FACTS_COUNTS_MAX + 2)}
    records = pieces(0, 7, sums, [ROW] * (2 * FACTS_ROWS_MAX + 1))
    assert max(len(record.counts) for record in records) == FACTS_COUNTS_MAX
    assert max(len(record.panel) for record in records) == FACTS_ROWS_MAX
    assert max(len(SINGLE_OBJECT.encode(record)) for record in records) < FACTS_BYTES_MAX
    assert sums_of(records).counts == sums
    assert sums_of(records).panel == {ROW: 2 * FACTS_ROWS_MAX + 1}


def test_only_the_last_record_says_how_far_the_partition_is_complete() -> None:
    sums = {("touchpoints", 3_600_000 * at, ""): 1 for at in range(1, 3 * FACTS_COUNTS_MAX)}
    assert [record.complete_to_ms for record in pieces(0, 7, sums, [ROW] * 2_500)] == [None] * 4 + [7]


@pytest.mark.parametrize("value", [LONG_MAX, LONG_MAX + 1, 10**21, LONG_MIN, LONG_MIN - 1, -(10**21)])
def test_a_sum_that_fits_no_long_arrives_whole(value: int) -> None:
    (record,) = pieces(0, None, {("revenue_minor", 3_600_000, ""): value}, [])
    (read,) = [SINGLE_OBJECT.decode(SINGLE_OBJECT.encode(record))]
    assert sums_of([read]).counts == Counter({("revenue_minor", 3_600_000, ""): value})


def test_a_dimension_longer_than_the_door_lets_in_is_cut() -> None:
    effects = Effects()
    effects.count("credited_minor", 3_600_000, 5, "channel=" + "x" * 5_000_000)
    ((_, _, by),) = effects.counts
    assert len(by) == BY_CHARS_MAX
