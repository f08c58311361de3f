"""Rows of column files in the order of time: as they come, or sorted where a file is newest first or in no order."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, islice, pairwise
from operator import lt
from typing import TYPE_CHECKING, TypeAlias

from schemas.units import DAY_MS
from streams.replay.files.mapped import Reason, RefusedLines
from streams.replay.files.orders import BrokenLine
from streams.replay.files.sorting import Sorter
from streams.replay.files.texts import ColumnFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from streams.replay.files.lines import LineReader
    from streams.replay.files.mapping import Mapping
    from streams.replay.files.rows import Row
    from streams.replay.files.times import Times

Timed: TypeAlias = "tuple[Row, int | None] | RefusedLines"
"""A row with its time, None where it has none that can be used, or a refused line."""

_TwiceTimed: TypeAlias = "tuple[Row, Times | None] | RefusedLines"

WINDOW_ROWS = 5_000
"""Rows at a file's beginning that show in which order it is; held in memory."""
WINDOW_BYTES = 16 * 1024 * 1024
"""Of these rows; fewer are looked at where they have more."""
ALONE_MS = 366 * DAY_MS
"""A time so far from all others of a file is a wrong year, unless the mapping says which days are right."""
_AHEAD_MS = DAY_MS
"""A row so far ahead of those before it waits for a row after it, which shows whether it is wrong."""
_HELD_MAX = 1_000
_SLACK_MS = 600_000
"""Of disorder that does not make a local time the second one of its night."""
_CHECKED_ROWS_MIN, _CHECKED_ROWS = 3, 100
"""Lines at the beginning that show whether the mapping fits."""
_OF_MAPPINGS = frozenset({Reason.BAD_TIME, Reason.BAD_NUMBER, Reason.BAD_JSON, Reason.BAD_CURRENCY, Reason.BAD_COLUMNS})
_FALLING_FOR_EACH_RISING = 3
_MISPLACED_MIN = 2
_MISPLACED_SHARE = 0.1
"""A file with more of its rows out of order is sorted; below that, rows out of order are refused one by one."""


class Ordering:
    """An order of rows, for all files of one replay.

    A file is looked at for WINDOW_ROWS. If they are in the order of time but for a few, the file is read as it is. A
    row that is a day or more ahead of the rows before and after it is refused, so that one wrong time spoils nothing.
    Else the file is sorted. Local times that a night has twice are the second ones where that keeps a file in order.
    """

    def __init__(self, mapping: Mapping, reader: LineReader) -> None:
        self._open_ms = mapping.orders.open_ms
        self._slack_ms = min(self._open_ms, _SLACK_MS)
        self._reader = reader
        self._times = reader.times
        self._has_bounds = mapping.time.not_before is not None or mapping.time.not_after is not None
        self._always = mapping.file.order == "any"
        self._never = mapping.file.order == "by_time"
        self._newest_ms: int | None = None
        self._held: list[tuple[Row, int]] = []
        self._seen = 0

    def order(self, rows: Iterable[Row | RefusedLines]) -> Iterator[Timed]:
        """Yield a file's rows; the last may be held until `rest`, as the next file may show that they are wrong."""
        timed = map(self._with_times, rows)
        if self._always:
            yield from self._sort(timed, newest_first=False)
            return
        window = list(_beginning(timed))
        if self._newest_ms is None:
            self._check_mapping(window)
        times = _settled((each[1] for each in window if not isinstance(each, RefusedLines)), self._slack_ms)
        may_have_wrong_years = self._newest_ms is None and not self._has_bounds and not self._never
        wrong = wrong_years(times) if may_have_wrong_years else frozenset()
        if not self._never and is_unordered([each for each in times if each not in wrong], self._open_ms):
            yield from self._sort(chain(window, timed), newest_first=is_newest_first(times))
            return
        kept = [_without(each, wrong) for each in window] if wrong else window
        yield from self._stream(chain(kept, timed))

    def _check_mapping(self, window: Iterable[_TwiceTimed]) -> None:
        """Check that lines at the beginning do not all have one mistake: then the mapping is wrong, not the file.

        Raises:
            ColumnFileError: it is; the message names the first line.
        """
        rows = list(islice((each for each in window if not isinstance(each, RefusedLines)), _CHECKED_ROWS))
        without = [row for row, times in rows if times is None and self._reader.is_of_order_above(row)]
        if len(without) > _MISPLACED_SHARE * len(rows):
            columns = ", ".join(self._reader.order_columns)
            raise ColumnFileError(
                f"{without[0].file}: line {without[0].number}: column {columns} is empty, and so is the time. If only "
                "the first line of an order has them, name all such columns in orders.fill_down of the mapping"
            )
        found = [self._reader.read(row, times and times[0]) for row, times in rows]
        bad = [each for each in found if isinstance(each, BrokenLine | RefusedLines)]
        if len(bad) < max(len(found), _CHECKED_ROWS_MIN) or len({each.reason for each in bad}) > 1:
            return
        first = bad[0] if isinstance(bad[0], RefusedLines) else bad[0].refused()
        if first.reason in _OF_MAPPINGS:
            message = f"line {first.line_number}: {first.detail}. So are all of the first {len(bad)} lines"
            raise ColumnFileError(f"{first.file}: {message}: correct the mapping")

    def rest(self) -> Iterator[Timed]:
        """Yield the rows that are held; no more come."""
        held, self._held = self._held, []
        if not held:
            return
        is_alone = self._newest_ms is not None and held[0][1] - self._newest_ms > ALONE_MS and not self._has_bounds
        if is_alone and len({time_ms for _, time_ms in held}) == 1 and self._seen > len(held) + 1:
            yield from ((_wrong_year(row), None) for row, _ in held)
            return
        yield from held
        self._newest_ms = max(time_ms for _, time_ms in held)

    def _with_times(self, row: Row | RefusedLines) -> _TwiceTimed:
        return row if isinstance(row, RefusedLines) else (row, self._times(row))

    def _stream(self, timed: Iterable[_TwiceTimed]) -> Iterator[Timed]:
        for each in timed:
            if isinstance(each, RefusedLines):
                yield each
                continue
            row, times = each
            self._seen += 1
            if times is None:
                yield row, None
                continue
            time_ms = times[0] if times[0] == times[1] else self._in_order(times)
            newest_ms = self._newest_ms
            if self._held or (newest_ms is not None and time_ms - newest_ms > _AHEAD_MS):
                yield from self._doubt(row, time_ms)
                continue
            if newest_ms is None or time_ms > newest_ms:
                self._newest_ms = time_ms
            yield row, time_ms

    def _in_order(self, times: Times) -> int:
        latest_ms = self._held[-1][1] if self._held else self._newest_ms
        return times[0] if latest_ms is None or times[0] >= latest_ms - self._slack_ms else times[1]

    def _doubt(self, row: Row, time_ms: int) -> Iterator[Timed]:
        """Take in a row while others are held, or one that is far ahead."""
        newest_ms = self._newest_ms
        assert newest_ms is not None  # noqa: S101 - nothing is ahead of nothing
        if self._held:
            low, high = self._held[0][1] - self._open_ms, self._held[-1][1] + self._open_ms
            if time_ms < low:
                if time_ms < newest_ms - self._open_ms:
                    yield row, time_ms  # which is refused where it comes
                    return
                for each, held_ms in self._held:
                    days = (held_ms - newest_ms) // DAY_MS
                    detail = f"{days} days ahead of the lines before and after it"
                    yield replace(each, wrong=(Reason.OUT_OF_ORDER, detail)), None
                self._held = []
            elif time_ms > high or len(self._held) >= _HELD_MAX:
                yield from self._held
                newest_ms = max(held_ms for _, held_ms in self._held)
                self._held = []
        if self._held or time_ms - newest_ms > _AHEAD_MS:
            self._held.append((row, time_ms))
        else:
            newest_ms = max(newest_ms, time_ms)
            yield row, time_ms
        self._newest_ms = newest_ms

    def _sort(self, timed: Iterable[_TwiceTimed], *, newest_first: bool) -> Iterator[Timed]:
        yield from self.rest()
        with Sorter() as sorter:
            oldest_ms: int | None = None
            for each in timed:
                if isinstance(each, RefusedLines):
                    yield each
                    continue
                row, times = each
                if times is None:
                    yield row, None
                    continue
                first_ms, second_ms = times
                time_ms = first_ms
                if newest_first and (oldest_ms is None or second_ms <= oldest_ms + self._slack_ms):
                    time_ms = second_ms
                oldest_ms = time_ms if oldest_ms is None else min(oldest_ms, time_ms)
                self._seen += 1
                sorter.put(time_ms, row)
            wrong = frozenset[int]() if self._has_bounds else wrong_years(sorter.times_at_the_ends())
            for row, time_ms in sorter.sorted():
                if time_ms in wrong:
                    yield _wrong_year(row), None
                else:
                    self._newest_ms = max(time_ms, self._newest_ms or time_ms)
                    yield row, time_ms


def _beginning(timed: Iterable[_TwiceTimed]) -> Iterator[_TwiceTimed]:
    size = 0
    for each in islice(timed, WINDOW_ROWS):
        yield each
        size += len(each.raw if isinstance(each, RefusedLines) else each[0].raw)
        if size > WINDOW_BYTES:
            return


def is_unordered(times: Sequence[int], open_ms: int) -> bool:
    """Return whether a file that begins with these times has to be sorted."""
    if not any(map(lt, islice(times, 1, None), times)):
        return False
    misplaced, newest_ms = 0, None
    held: list[int] = []
    for time_ms in times:
        if held and time_ms < held[0] - open_ms:
            if newest_ms is not None and time_ms >= newest_ms - open_ms:
                misplaced, held = misplaced + len(held), []
        elif held and time_ms > held[-1] + open_ms:
            newest_ms, held = max(held), []
        if held or (newest_ms is not None and time_ms - newest_ms > _AHEAD_MS):
            if not held or time_ms >= held[0] - open_ms:
                held.append(time_ms)
            else:
                misplaced += 1
        elif newest_ms is not None and time_ms < newest_ms - open_ms:
            misplaced += 1
        else:
            newest_ms = time_ms if newest_ms is None else max(newest_ms, time_ms)
    is_reversed = misplaced > 0 and all(later <= earlier for earlier, later in pairwise(times))
    return is_reversed or (misplaced >= _MISPLACED_MIN and misplaced > _MISPLACED_SHARE * len(times))


def is_newest_first(times: Sequence[int]) -> bool:
    """Return whether most times are before the one above them, or equal."""
    pairs = list(pairwise(times))
    rising = sum(later > earlier for earlier, later in pairs)
    falling = sum(later < earlier for earlier, later in pairs)
    return rising * _FALLING_FOR_EACH_RISING <= falling


def wrong_years(times: Iterable[int]) -> frozenset[int]:
    """Return the few times at either end that are more than ALONE_MS from all others; of less than three times none."""
    distinct = sorted(set(times))
    found: set[int] = set()
    for count in range(1, max(1, len(distinct) // 100) + 1) if len(distinct) >= 3 else ():  # noqa: PLR2004
        if distinct[count] - distinct[count - 1] > ALONE_MS:
            found.update(distinct[:count])
        if distinct[-count] - distinct[-count - 1] > ALONE_MS:
            found.update(distinct[-count:])
    return frozenset(found)


def _settled(pairs: Iterable[Times | None], slack_ms: int) -> list[int]:
    """Return the times of rows that have one, local times of a doubled hour as they keep the rows in order."""
    settled: list[int] = []
    newest_ms = -(1 << 62)
    for times in pairs:
        if times is not None:
            time_ms = times[0] if times[0] >= newest_ms - slack_ms else times[1]
            newest_ms = max(newest_ms, time_ms)
            settled.append(time_ms)
    return settled


def _without(each: _TwiceTimed, wrong: frozenset[int]) -> _TwiceTimed:
    if isinstance(each, RefusedLines) or each[1] is None or wrong.isdisjoint(each[1]):
        return each
    return _wrong_year(each[0]), None


def _wrong_year(row: Row) -> Row:
    days = ALONE_MS // DAY_MS
    detail = (
        f"more than {days} days from every other line: a wrong year? "
        "If it is right, name the days in the mapping: time: {not_before: 2020-01-01}"
    )
    return replace(row, wrong=(Reason.OUT_OF_ORDER, detail))
