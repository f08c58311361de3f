"""Conversion of column files (tables) into touchpoints in the order of time."""

from __future__ import annotations

import heapq
from itertools import chain, groupby
from typing import TYPE_CHECKING

from schemas.container import SUFFIX
from schemas.limits import LINES_MAX
from streams.replay.files.carried import Carrier
from streams.replay.files.container import read_container
from streams.replay.files.lines import LineReader, Single
from streams.replay.files.mapped import Mapped, MappedTouchpoint, Reason, RefusedLines
from streams.replay.files.ordered import Ordering
from streams.replay.files.orders import BrokenLine, Group, OrderBook, OrderLine
from streams.replay.files.rows import read_rows
from streams.replay.files.sold import Sold
from streams.replay.files.texts import check_encoding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from streams.replay.files.mapping import Mapping
    from streams.replay.files.ordered import Timed

_UNTIMED_MAX = 1_000
"""Orders whose first line has no time that can be used, and which wait beside others."""
_TOO_MANY = f"its order has more than the {LINES_MAX} lines that are allowed"


def map_files(paths: Iterable[Path], mapping: Mapping) -> Iterator[Mapped]:
    """Yield touchpoints in the order of time, and refused lines as they come; several files are read as if one.

    So a refund may be of an order in an earlier file, and an order may begin in one file and end in the next.
    Files must be in the order of time, and so must their lines, with `orders.open_ms` of freedom: an order's lines may
    be that far apart, and a line that far behind. Lines further behind are refused, unless so many are that the file
    is in another order: then it is sorted (`Ordering`). A container among the files ends all open orders.

    Raises:
        ColumnFileError: a file as a whole cannot be used. If its encoding is why, nothing was yielded yet.
        ContainerError: as of a container.
        SoldError: there is no room to remember the orders.
    """
    paths = list(paths)
    if mapping.file.kind == "csv":
        for path in paths:
            if path.suffix != SUFFIX:
                check_encoding(path, mapping.file.encoding)
    reader = LineReader(mapping)
    ordering = Ordering(mapping, reader)
    with Sold() as sold:
        desk, carrier = _Desk(mapping, sold), Carrier(mapping, sold)

        def taken(rows: Iterable[Timed]) -> Iterator[Mapped]:
            for each in rows:
                yield from desk.take(each if isinstance(each, RefusedLines) else reader.read(*each))

        for is_container, group in groupby(paths, lambda path: path.suffix == SUFFIX):
            if is_container:
                for path in group:
                    yield from read_container(path)
                continue
            tables = (carrier.complete(read_rows(path, mapping)) for path in group)
            for rows in [chain.from_iterable(tables)] if mapping.file.order == "any" else tables:
                yield from taken(ordering.order(rows))
            yield from taken(ordering.rest())
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
        self._untimed = 0

    def take(self, line: Single | OrderLine | BrokenLine | RefusedLines) -> Iterator[Mapped]:
        """Take in a line, and yield what is complete by now."""
        if isinstance(line, OrderLine):
            yield from self._order_line(line)
        elif isinstance(line, Single):
            yield from self._single(line)
        elif isinstance(line, BrokenLine):
            yield from self._broken_line(line)
        else:
            yield line
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
        if (group is None and self._sold.is_closed(order_id)) or (group is not None and self._is_late(group, time_ms)):
            yield row.refused(Reason.LATE_LINE, self._too_late())
        elif group is None and time_ms < self._newest_ms - self._open_ms:
            # its other lines may have other times
            yield from self._broken_line(BrokenLine(row, order_id, None, Reason.OUT_OF_ORDER, self._too_old()))
        elif group is None:
            group = self._groups[order_id] = Group(order_id, time_ms, [line])
            self._wait(time_ms, group)
        elif group.is_overfull:
            yield row.refused(Reason.TOO_MANY, _TOO_MANY)
        else:
            if group.lines and group.lines[0].currency != line.currency:
                detail = "another currency than the order's first line"
                group.breaks(BrokenLine(row, order_id, time_ms, Reason.MIXED_CURRENCY, detail))
            else:
                if group.is_untimed:
                    group.time_ms = time_ms
                group.lines.append(line)
            self._newest_ms = max(self._newest_ms, time_ms)
            yield from self._bounded(group)

    def _broken_line(self, line: BrokenLine) -> Iterator[RefusedLines]:
        group = self._groups.get(line.order_id)
        if group is None and (self._sold.is_closed(line.order_id) or not self._opens(line)):
            yield line.refused()
            self._sold.close_order(line.order_id)
            return
        if group is None:
            group = self._groups[line.order_id] = Group(line.order_id, line.time_ms or self._newest_ms)
            self._wait(group.time_ms, group)
        if group.is_overfull or (line.time_ms is not None and self._is_late(group, line.time_ms)):
            yield line.refused()
            return
        group.breaks(line)
        yield from self._bounded(group)

    def _opens(self, line: BrokenLine) -> bool:
        """Return whether other lines of its order may come; without a time only so many orders wait for theirs."""
        if line.time_ms is not None:
            return line.time_ms >= self._newest_ms - self._open_ms
        self._untimed += 1
        return self._newest_ms >= 0 and self._untimed <= _UNTIMED_MAX

    def _is_late(self, group: Group, time_ms: int) -> bool:
        return time_ms > group.time_ms + self._open_ms and not group.is_untimed

    def _bounded(self, group: Group) -> Iterator[RefusedLines]:
        if group.count > LINES_MAX:
            # the rest of it could be the rest of the file
            yield from group.refused(Reason.TOO_MANY, _TOO_MANY)
            group.lines, group.others, group.broken, group.is_overfull = [], [], None, True

    def _wait(self, time_ms: int, item: Group | MappedTouchpoint) -> None:
        self._count += 1
        heapq.heappush(self._waiting, (time_ms, self._count, item))
        if time_ms > self._newest_ms:
            self._newest_ms = time_ms
            self._untimed = 0

    def _release(self) -> Iterator[Mapped]:
        due_ms, _, item = heapq.heappop(self._waiting)
        if isinstance(item, Group) and item.time_ms > due_ms:
            # it has got its time since
            self._wait(item.time_ms, item)
        elif isinstance(item, Group):
            del self._groups[item.order_id]
            yield from self._book.close(item)
        else:
            yield item

    def _too_old(self) -> str:
        return (
            f"more than {self._open_ms} ms behind an earlier line. Give the files in the order of time; "
            "if the lines of a file are in no order, write file: {order: any} in the mapping"
        )

    def _too_late(self) -> str:
        return (
            f"its order was closed {self._open_ms} ms after its first line, or refused; "
            "orders.open_ms in the mapping says how far apart the lines of an order may be"
        )
