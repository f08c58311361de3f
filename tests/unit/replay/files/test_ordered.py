"""Files that are newest first, in no order, or in order but for a few wrong times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest

from schemas.units import DAY_MS, HOUR_MS
from streams.replay.files import ordered
from streams.replay.files.columns import map_files
from streams.replay.files.mapped import Reason
from streams.replay.files.mapping import parse_mapping
from streams.replay.files.ordered import is_newest_first, is_unordered, wrong_years
from streams.replay.files.texts import ColumnFileError
from tests.support.lines import account, mapped, refused, touchpoints

if TYPE_CHECKING:
    from pathlib import Path

    from streams.replay.files.mapped import Mapped
    from streams.replay.files.mapping import Mapping

HEADER = "order,at,sku,price"
DAYS = [datetime(2026, 1, 1, 10, tzinfo=UTC) + timedelta(days=day) for day in range(30)]


def a_mapping(zone: str = "UTC", file: str = "", time: str = "", open_ms: int = 60_000) -> Mapping:
    text = f"""
    about: orders
    source: shop
    file: {{kind: csv{file}}}
    time: {{column: at, zone: {zone}{time}}}
    type: {{constant: order_completed}}
    fields: {{user_id: {{constant: ann}}}}
    money: {{currency: {{constant: EUR}}}}
    product: {{sku: sku, price: price}}
    orders: {{group_by: [order], open_ms: {open_ms}}}
    """
    return parse_mapping(text, "orders")


def a_line(order: object, at: datetime | str, sku: str = "mug", price: str = "1.00") -> str:
    return f"{order},{at.isoformat() if isinstance(at, datetime) else at},{sku},{price}"


def ids(outcomes: list[Mapped]) -> list[str]:
    found = touchpoints(outcomes)
    assert [each.time_ms for each in found] == sorted(each.time_ms for each in found)
    return [each.order.order_id for each in found if each.order]


def read(tmp_path: Path, *lines: str, mapping: Mapping | None = None) -> list[Mapped]:
    outcomes = mapped(tmp_path, *lines, mapping=mapping or a_mapping(), header=HEADER)
    assert account(outcomes).lines == len(lines)
    return outcomes


def test_a_file_that_is_newest_first_is_sorted_and_its_orders_keep_the_order_of_their_lines(tmp_path: Path) -> None:
    lines = [a_line(number, DAYS[number], sku) for number in range(9, -1, -1) for sku in ("a", "b")]
    outcomes = read(tmp_path, *lines)
    assert ids(outcomes) == [str(number) for number in range(10)]
    assert {tuple(product.sku for product in each.products) for each in touchpoints(outcomes)} == {("a", "b")}
    assert ids(read(tmp_path, a_line(2, DAYS[2]), a_line(1, DAYS[1]))) == ["1", "2"]


def test_a_file_in_no_order_is_sorted_whatever_its_length(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = Random(seed)
    monkeypatch.setattr(ordered, "WINDOW_ROWS", 50)
    lines = [a_line(number, DAYS[0] + timedelta(hours=number)) for number in range(500)]
    chance.shuffle(lines)
    assert ids(read(tmp_path, *lines)) == [str(number) for number in range(500)]


def test_lines_that_are_out_of_order_later_on_are_refused_with_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordered, "WINDOW_ROWS", 5)
    lines = [a_line(number, DAYS[number]) for number in (0, 1, 2, 3, 4, 9, 8)]
    (refusal,) = refused(read(tmp_path, *lines))
    assert (refusal.reason, refusal.line_number) == (Reason.OUT_OF_ORDER, 7)
    assert ids(read(tmp_path, *lines, mapping=a_mapping(file=", order: any"))) == ["0", "1", "2", "3", "4", "8", "9"]
    monkeypatch.setattr(ordered, "WINDOW_ROWS", 5_000)
    behind = [a_line(number, DAYS[number]) for number in (*range(20), 3)]
    (refusal,) = refused(read(tmp_path, *behind[:-1], a_line("x", DAYS[3])))
    assert "write file: {order: any} in the mapping" in refusal.detail


def test_files_in_no_order_are_sorted_together_where_the_mapping_says_so(tmp_path: Path) -> None:
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    paths[0].write_text("\n".join([HEADER, a_line(3, DAYS[3]), a_line(1, DAYS[1])]))
    paths[1].write_text("\n".join([HEADER, a_line(2, DAYS[2]), a_line(1, DAYS[1])]))
    outcomes = list(map_files(paths, a_mapping(file=", order: any")))
    assert ids(outcomes) == ["1", "2", "3"]
    assert touchpoints(outcomes)[0].order == touchpoints(outcomes)[0].order


@pytest.mark.parametrize("years", [-27, -10, -2, 2, 36])
@pytest.mark.parametrize(
    ("place", "window", "newest_first"),
    [
        *((place, 5_000, newest_first) for place in (0, 1, 5, 9) for newest_first in (False, True)),
        # behind the lines that show in which order the file is
        (5, 4, False),
        (9, 4, False),
        (1, 4, True),
    ],
)
def test_one_wrong_year_costs_its_own_order_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, years: int, place: int, window: int, *, newest_first: bool
) -> None:
    monkeypatch.setattr(ordered, "WINDOW_ROWS", window)
    times = DAYS[:10]
    times[place] = times[place].replace(year=2026 + years)
    lines = [a_line(number, at, sku) for number, at in enumerate(times) for sku in ("a", "b")]
    if newest_first:
        lines.reverse()
    outcomes = read(tmp_path, *lines)
    assert {each.reason for each in refused(outcomes)} == {Reason.OUT_OF_ORDER}
    assert sum(each.lines for each in refused(outcomes)) == 2
    assert ids(outcomes) == [str(number) for number in range(10) if number != place]


def test_an_order_of_which_one_line_has_a_wrong_year_is_refused_whole(tmp_path: Path) -> None:
    for wrong in ("2062-01-02T10:00:00+00:00", "2016-01-02T10:00:00+00:00"):
        for pair in ((DAYS[1], wrong), (wrong, DAYS[1])):
            lines = [a_line(0, DAYS[0]), *(a_line(1, at) for at in pair), *(a_line(n, DAYS[n]) for n in range(2, 9))]
            outcomes = read(tmp_path, *lines)
            assert sum(each.lines for each in refused(outcomes)) == 2
            assert ids(outcomes) == ["0", *(str(number) for number in range(2, 9))]


def test_a_month_too_far_ahead_costs_its_own_line_alone(tmp_path: Path) -> None:
    times = DAYS[:10]
    times[4] = times[4].replace(month=11)
    outcomes = read(tmp_path, *(a_line(number, at) for number, at in enumerate(times)))
    (refusal,) = refused(outcomes)
    assert (refusal.line_number, "days ahead of the lines before and after it" in refusal.detail) == (6, True)
    assert len(ids(outcomes)) == 9


def test_a_shop_that_was_closed_for_years_keeps_all_its_orders(tmp_path: Path) -> None:
    times = [at.replace(year=2019) for at in DAYS[:5]] + DAYS[:5]
    assert len(ids(read(tmp_path, *(a_line(number, at) for number, at in enumerate(times))))) == 10
    alone = [DAYS[0].replace(year=2019), *DAYS[:5]]
    lines = [a_line(number, at) for number, at in enumerate(alone)]
    assert len(ids(read(tmp_path, *lines))) == 5
    assert len(ids(read(tmp_path, *lines, mapping=a_mapping(time=", not_before: 2019-01-01")))) == 6


def test_days_that_the_mapping_does_not_allow_are_refused(tmp_path: Path) -> None:
    lines = [a_line(number, DAYS[number]) for number in range(5)]
    outcomes = read(tmp_path, *lines, mapping=a_mapping(time=", not_before: 2026-01-02, not_after: 2026-01-04"))
    assert [each.reason for each in refused(outcomes)] == [Reason.TIME_OUT_OF_RANGE] * 2
    assert ids(outcomes) == ["1", "2", "3"]


NIGHT = ["01:50", "02:00", "02:30", "02:59", "02:01", "02:30", "03:00"]
"""Of 2026-10-25 in Berlin, where 03:00 becomes 02:00."""


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("surroundings", [0, 20])
def test_an_hour_that_a_night_has_twice_is_read_so_that_the_file_stays_in_order(
    tmp_path: Path, surroundings: int, *, newest_first: bool
) -> None:
    before = [f"2026-10-24 {hour:02}:00:00" for hour in range(surroundings)]
    after = [f"2026-10-26 {hour:02}:00:00" for hour in range(surroundings)]
    times = [*before, *(f"2026-10-25 {at}:00" for at in NIGHT), *after]
    lines = [a_line(number, at) for number, at in enumerate(times)]
    outcomes = read(tmp_path, *(reversed(lines) if newest_first else lines), mapping=a_mapping("Europe/Berlin"))
    assert ids(outcomes) == [str(number) for number in range(len(times))]
    found = [each.time_ms for each in touchpoints(outcomes)][len(before) : len(before) + len(NIGHT)]
    assert [(at - found[0]) // 60_000 for at in found] == [0, 10, 40, 69, 71, 100, 130]


def test_a_local_time_that_no_clock_showed_is_within_the_hour_before_it(tmp_path: Path) -> None:
    times = ["2026-03-29 01:59:00", "2026-03-29 02:30:00", "2026-03-29 03:31:00"]
    lines = [a_line(number, at) for number, at in enumerate(times)]
    assert len(ids(read(tmp_path, *lines, mapping=a_mapping("Europe/Berlin")))) == 3


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1,03/04/2026,mug,1.00", r"line 2: column at: expected ISO 8601.*So are all of the first 4 lines"),
        ('1,2026-01-10T10:00:00Z,mug,"1,299"', r"line 2: column price: 1,299 can be read in two ways"),
        ("1,2026-01-10T10:00:00Z,mug,1,00", r"line 2: 5 columns where the header has 4"),
    ],
)
def test_a_mistake_that_every_line_has_is_one_error_about_the_mapping(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(ColumnFileError, match=said):
        read(tmp_path, *([line] * 4))
    assert sum(each.lines for each in refused(read(tmp_path, *([line] * 4), a_line(2, DAYS[0])))) == 4


def test_times_are_unordered_if_more_than_a_few_are_misplaced() -> None:
    rising = [number * HOUR_MS for number in range(100)]
    assert not is_unordered(rising, 0)
    assert is_unordered(rising[::-1], 0)
    assert is_unordered([2 * HOUR_MS, HOUR_MS], 0)
    assert not is_unordered([2 * HOUR_MS, HOUR_MS], HOUR_MS)
    assert not is_unordered([*rising[:50], 0, *rising[50:]], 0)
    # one far ahead does not make all after it wrong
    assert not is_unordered([*rising[:50], 10_000 * DAY_MS, *rising[50:]], 0)
    assert is_newest_first(rising[::-1])
    assert not is_newest_first(rising)


def test_wrong_years_are_few_and_far_from_all_others() -> None:
    days = [number * DAY_MS for number in range(100)]
    far = 2_000 * DAY_MS
    assert wrong_years([*days, far]) == {far}
    assert wrong_years([far, *(far + day for day in days), 0]) == {0}
    assert wrong_years([*days, far, far + DAY_MS]) == frozenset()
    assert wrong_years([0, far]) == frozenset()
    assert wrong_years([]) == frozenset()


def test_lines_that_look_like_the_rest_of_an_order_are_one_error_that_says_how_they_are_read(tmp_path: Path) -> None:
    with pytest.raises(ColumnFileError, match=r"line 3: column order is empty, and so is the time.*orders\.fill_down"):
        read(tmp_path, a_line(1, DAYS[0]), a_line("", ""), a_line(2, DAYS[1]))
    # a single one among many, or a line of sums below the table, is refused alone
    many = [a_line(number, DAYS[number]) for number in range(20)]
    assert len(refused(read(tmp_path, *many, a_line("", "")))) == 1
    assert len(refused(read(tmp_path, *many[:2], a_line("", "", sku="")))) == 1


def test_rows_that_are_looked_at_first_take_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [a_line(number, DAYS[number]) for number in (*range(20), *range(29, 19, -1))]
    assert len(ids(read(tmp_path, *lines))) == 30
    monkeypatch.setattr(ordered, "WINDOW_BYTES", 500)
    assert {each.reason for each in refused(read(tmp_path, *lines))} == {Reason.OUT_OF_ORDER}
