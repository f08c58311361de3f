"""Conversion of a column file (a table) into touchpoints in the order of time."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from streams.replay.files.lines import LineReader, Single
from streams.replay.files.mapped import Mapped, MappedTouchpoint, Reason, RefusedLines
from streams.replay.files.orders import Group, OrderBook, OrderLine
from streams.replay.files.rows import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.replay.files.mapping import Mapping
    from streams.replay.files.rows import Row


def map_file(path: Path, mapping: Mapping) -> Iterator[Mapped]:
    """Yield touchpoints in the order of time, and refused lines as they come.

    The file must be in the order of time, with `orders.open_ms` of freedom: an order's lines may be that far apart,
    and a line that far behind. Lines further behind are refused.

    Raises:
        ColumnFileError: the file as a whole cannot be used.
    """
    reader = LineReader(mapping)
    desk = _Desk(mapping)
    for row in read_rows(path, mapping):
        line = row if isinstance(row, RefusedLines) else reader.read(row)
        if isinstance(line, RefusedLines):
            yield line
        elif isinstance(line, Single):
            yield from desk.take_single(line)
        else:
            yield from desk.take_order_line(line)
        yield from desk.ready()
    yield from desk.rest()


class _Desk:
    """A holder of open orders and touchpoints until no earlier line can come."""

    def __init__(self, mapping: Mapping) -> None:
        self._open_ms = mapping.orders.open_ms
        self._book = OrderBook(mapping)
        self._waiting: list[tuple[int, int, Group | MappedTouchpoint]] = []
        self._groups: dict[str, Group] = {}
        self._closed: set[str] = set()
        self._newest_ms = -(1 << 62)
        self._count = 0

    def take_single(self, single: Single) -> Iterator[RefusedLines]:
        time_ms = single.touchpoint.time_ms
        if time_ms < self._newest_ms - self._open_ms:
            yield _refused(single.row, Reason.OUT_OF_ORDER, self._too_old())
        else:
            self._wait(time_ms, MappedTouchpoint(single.touchpoint, single.row.lines))

    def take_order_line(self, line: OrderLine) -> Iterator[RefusedLines]:
        assert line.common.order is not None  # noqa: S101 - the reader gives every order line its order id
        order_id = line.common.order.order_id
        time_ms, row = line.common.time_ms, line.row
        group = self._groups.get(order_id)
        if group is None and order_id in self._closed:
            detail = f"its order was closed {self._open_ms} ms after its first line"
            yield _refused(row, Reason.LATE_LINE, detail)
        elif group is None and time_ms < self._newest_ms - self._open_ms:
            yield _refused(row, Reason.OUT_OF_ORDER, self._too_old())
        elif group is None:
            group = self._groups[order_id] = Group(order_id, time_ms, [line])
            self._wait(time_ms, group)
        elif group.lines[0].currency != line.currency:
            yield _refused(row, Reason.MIXED_CURRENCY, "another currency than the order's first line")
        else:
            group.lines.append(line)
            self._newest_ms = max(self._newest_ms, time_ms)

    def ready(self) -> Iterator[Mapped]:
        while self._waiting and self._waiting[0][0] < self._newest_ms - self._open_ms:
            yield from self._release()

    def rest(self) -> Iterator[Mapped]:
        while self._waiting:
            yield from self._release()

    def _wait(self, time_ms: int, item: Group | MappedTouchpoint) -> None:
        self._count += 1
        heapq.heappush(self._waiting, (time_ms, self._count, item))
        self._newest_ms = max(self._newest_ms, time_ms)

    def _release(self) -> Iterator[Mapped]:
        item = heapq.heappop(self._waiting)[2]
        if isinstance(item, Group):
            del self._groups[item.order_id]
            self._closed.add(item.order_id)
            yield from self._book.close(item)
        else:
            yield item

    def _too_old(self) -> str:
        return f"more than {self._open_ms} ms behind an earlier line; the file must be in the order of time"


def _refused(row: Row, reason: Reason, detail: str) -> RefusedLines:
    return RefusedLines(reason, detail, row.number, row.raw, row.lines)
