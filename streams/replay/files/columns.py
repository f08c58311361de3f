"""Conversion of column files (tables) into touchpoints in the order of time."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from schemas.container import SUFFIX
from schemas.limits import LINES_MAX
from streams.replay.files.container import read_container
from streams.replay.files.lines import LineReader, Single
from streams.replay.files.mapped import Mapped, MappedTouchpoint, Reason, RefusedLines
from streams.replay.files.orders import Group, OrderBook, OrderLine
from streams.replay.files.rows import read_rows
from streams.replay.files.sold import Sold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from streams.replay.files.mapping import Mapping

_TOO_MANY = f"its order has more than the {LINES_MAX} lines that are allowed"


def map_files(paths: Iterable[Path], mapping: Mapping) -> Iterator[Mapped]:
    """Yield touchpoints in the order of time, and refused lines as they come; several files are read as if one.

    So a refund may be of an order in an earlier file, and an order may begin in one file and end in the next.
    The lines must be in the order of time, with `orders.open_ms` of freedom: an order's lines may be that far apart,
    and a line that far behind. Lines further behind are refused. A container among the files ends all open orders.

    Raises:
        ColumnFileError: a file as a whole cannot be used.
        ContainerError: as of a container.
        SoldError: there is no room to remember the orders.
    """
    reader = LineReader(mapping)
    with Sold() as sold:
        desk = _Desk(mapping, sold)
        for path in paths:
            if path.suffix == SUFFIX:
                yield from desk.rest()
                yield from read_container(path)
                continue
            for row in read_rows(path, mapping):
                yield from desk.take(row if isinstance(row, RefusedLines) else reader.read(row))
        yield from desk.rest()


class _Desk:
    """A holder of open orders and touchpoints until no earlier line can come."""

    def __init__(self, mapping: Mapping, sold: Sold) -> None:
        self._open_ms = mapping.orders.open_ms
        self._sold = sold
        self._book = OrderBook(mapping, sold)
        self._waiting: list[tuple[int, int, Group | MappedTouchpoint]] = []
        self._groups: dict[str, Group] = {}
        self._newest_ms = -(1 << 62)
        self._count = 0

    def take(self, line: Single | OrderLine | RefusedLines) -> Iterator[Mapped]:
        """Take in a line, and yield what is complete by now."""
        if isinstance(line, RefusedLines):
            yield line
        elif isinstance(line, Single):
            yield from self._single(line)
        else:
            yield from self._order_line(line)
        while self._waiting and self._waiting[0][0] < self._newest_ms - self._open_ms:
            yield from self._release()

    def rest(self) -> Iterator[Mapped]:
        """Yield what is not complete yet; nothing more can come."""
        while self._waiting:
            yield from self._release()

    def _single(self, single: Single) -> Iterator[RefusedLines]:
        time_ms, row = single.touchpoint.time_ms, single.row
        if time_ms < self._newest_ms - self._open_ms:
            yield row.refused(Reason.OUT_OF_ORDER, self._too_old())
        else:
            self._wait(time_ms, MappedTouchpoint(single.touchpoint, row.lines, (row.origin,)))

    def _order_line(self, line: OrderLine) -> Iterator[RefusedLines]:
        assert line.common.order is not None  # noqa: S101 - the reader gives every order line its order id
        order_id = line.common.order.order_id
        time_ms, row = line.common.time_ms, line.row
        group = self._groups.get(order_id)
        if group is None and self._sold.is_closed(order_id):
            detail = f"its order was closed {self._open_ms} ms after its first line"
            yield row.refused(Reason.LATE_LINE, detail)
        elif group is None and time_ms < self._newest_ms - self._open_ms:
            yield row.refused(Reason.OUT_OF_ORDER, self._too_old())
        elif group is None:
            group = self._groups[order_id] = Group(order_id, time_ms, [line])
            self._wait(time_ms, group)
        elif group.is_overfull:
            yield row.refused(Reason.TOO_MANY, _TOO_MANY)
        elif group.lines[0].currency != line.currency:
            yield row.refused(Reason.MIXED_CURRENCY, "another currency than the order's first line")
        else:
            group.lines.append(line)
            self._newest_ms = max(self._newest_ms, time_ms)
            if len(group.lines) > LINES_MAX:
                # the rest of it could be the rest of the file
                yield from group.refused(Reason.TOO_MANY, _TOO_MANY)
                group.lines, group.is_overfull = [], True

    def _wait(self, time_ms: int, item: Group | MappedTouchpoint) -> None:
        self._count += 1
        heapq.heappush(self._waiting, (time_ms, self._count, item))
        self._newest_ms = max(self._newest_ms, time_ms)

    def _release(self) -> Iterator[Mapped]:
        item = heapq.heappop(self._waiting)[2]
        if isinstance(item, Group):
            del self._groups[item.order_id]
            yield from self._book.close(item)
        else:
            yield item

    def _too_old(self) -> str:
        return f"more than {self._open_ms} ms behind an earlier line; files and lines must be in the order of time"
