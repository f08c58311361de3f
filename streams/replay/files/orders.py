"""Conversion of lines into orders and refunds, each at the time of its first line, as collect takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from xxhash import xxh3_128_hexdigest

from schemas.limits import LINES_KEPT
from schemas.touchpoint import LINES_LEFT_OUT, Order, Product, Touchpoint
from streams.collect.checks import checked
from streams.collect.refused import RefusedRecord
from streams.replay.files.mapped import ORDERED, REFUNDED, Mapped, MappedTouchpoint, Origin, Reason, RefusedLines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from streams.replay.files.mapping import Mapping
    from streams.replay.files.rows import Row
    from streams.replay.files.sold import Sold

_SEPARATOR = "\x1f"


def id_of_row(*identifying: str) -> str:
    """Return the hex of xxh3-128 over the texts; a separator inside a text cannot imitate another list of texts."""
    return xxh3_128_hexdigest(_SEPARATOR.join(f"{len(text)}:{text}" for text in identifying).encode())


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of an order; `common` is the touchpoint that the order gets if this is its first line."""

    row: Row
    common: Touchpoint
    currency: str
    product: Product
    amount_minor: int
    discount_minor: int
    order_total_minor: int | None = None
    order_discount_minor: int | None = None
    """The order's own, where the line has them."""

    @property
    def takes_off(self) -> bool:
        """Return whether it is a discount, or takes pieces back, and is no article that was bought."""
        return self.product.quantity < 0 or self.product.price_minor < 0


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line of an order that cannot be read; its whole order is refused. Its time may not be known."""

    row: Row
    order_id: str
    time_ms: int | None
    reason: Reason
    detail: str

    def refused(self) -> RefusedLines:
        return self.row.refused(self.reason, self.detail)


@dataclass(slots=True)
class Group:
    """Lines with the same order id, while more may come; `is_overfull` once they were refused as too many.

    `rows` are those of all lines, `broken` is the first that could not be read.
    """

    order_id: str
    time_ms: int
    lines: list[OrderLine] = field(default_factory=list)
    is_overfull: bool = False
    broken: BrokenLine | None = None
    others: list[tuple[int, Row]] = field(default_factory=list)
    """Rows of lines that could not be read, each with the number of lines before it."""

    @property
    def is_untimed(self) -> bool:
        """Return whether no line of it had a time that could be used."""
        return self.broken is not None and self.broken.time_ms is None and not self.lines

    @property
    def count(self) -> int:
        """Return the number of its lines."""
        return len(self.lines) + len(self.others)

    def breaks(self, line: BrokenLine) -> None:
        """Take in a line that could not be read."""
        self.broken = self.broken or line
        self.others.append((len(self.lines), line.row))

    def rows(self) -> Iterator[Row]:
        """Yield the rows of all lines, in the order in which they were read."""
        begin = 0
        for end, row in self.others:
            yield from (line.row for line in self.lines[begin:end])
            yield row
            begin = end
        yield from (line.row for line in self.lines[begin:])

    def refused(self, reason: Reason, detail: str) -> list[RefusedLines]:
        """Return the whole group, refused: its lines of each file."""
        return [each.refused(reason, detail) for each in _origins(self.rows())]


class OrderBook:
    """A book that closes groups in the order of their time, and remembers what can still be refunded.

    A refund's line belongs to the customer's latest earlier order that has the article with at least that quantity
    not yet refunded. Without such an order it is unmatched.
    """

    def __init__(self, mapping: Mapping, sold: Sold) -> None:
        self._source = mapping.source
        self._rules = mapping.orders
        self._sold = sold

    def close(self, group: Group) -> Iterator[Mapped]:
        """Yield the touchpoints of a group: one order, or one refund for each order that it refunds."""
        self._sold.close_order(group.order_id)
        if not group.lines and not group.broken:
            return
        for rule in self._rules.refused:
            if group.order_id.startswith(rule.prefix):
                yield from group.refused(Reason.NOT_AN_ORDER, f"order id with prefix {rule.prefix}: {rule.because}")
                return
        if group.broken is not None:
            yield from group.refused(group.broken.reason, _of_order(group.broken, group.count))
        elif self._rules.refunds and group.order_id.startswith(self._rules.refunds.prefix):
            yield from self._refunds(group)
        else:
            yield from self._order(group)

    def _order(self, group: Group) -> Sequence[Mapped]:
        totals = {line.order_total_minor for line in group.lines} - {None} if self._rules.total else set()
        if len(totals) > 1 or (self._rules.total and not totals):
            said = "is empty" if not totals else "has several totals"
            return group.refused(Reason.BAD_NUMBER, f"column {self._rules.total} {said} in the lines of the order")
        total_minor = next(iter(totals), None)
        if total_minor is None:
            total_minor = sum(line.amount_minor for line in group.lines)
        if total_minor <= 0:
            reason = Reason.NEGATIVE_TOTAL if total_minor < 0 else Reason.ZERO_TOTAL
            return group.refused(reason, f"an order that totals {total_minor} minor units")
        first = group.lines[0]
        discount_minor = sum(line.discount_minor + (line.order_discount_minor or 0) for line in group.lines)
        taken_off_minor = -sum(line.amount_minor for line in group.lines if line.takes_off)
        order = _touchpoint(
            group.lines,
            kind=ORDERED,
            event_id=id_of_row(self._source, ORDERED, group.order_id),
            order=Order(
                order_id=group.order_id,
                currency=first.currency,
                total_minor=total_minor,
                discount_minor=max(0, discount_minor + taken_off_minor),
            ),
        )
        if refused := _refused(order):
            return refused
        if self._rules.refunds and first.common.user_id is not None:
            self._sold.note(first.common.user_id, group.order_id, _pieces(group).items())
        return [order]

    def _refunds(self, group: Group) -> Iterator[Mapped]:
        by_order: dict[str | None, Group] = {}
        for line in group.lines:
            if line.product.quantity >= 0 or line.amount_minor > 0:
                alone = Group(group.order_id, group.time_ms, [line])
                yield from alone.refused(
                    Reason.BAD_REFUND, "a refund's line with pieces or an amount that are not negative"
                )
                continue
            order_id = self._take_back(line)
            by_order.setdefault(order_id, Group(group.order_id, group.time_ms)).lines.append(line)
        for order_id, part in by_order.items():
            yield from self._refund(part, order_id)

    def _take_back(self, line: OrderLine) -> str | None:
        if line.common.user_id is None:
            return None
        return self._sold.take_back(line.common.user_id, line.product.sku, -line.product.quantity)

    def _refund(self, part: Group, order_id: str | None) -> Sequence[Mapped]:
        total_minor = -sum(line.amount_minor for line in part.lines)
        if total_minor == 0:
            return part.refused(Reason.ZERO_TOTAL, "a refund that totals 0 minor units")
        refund = _touchpoint(
            part.lines,
            kind=REFUNDED,
            event_id=id_of_row(self._source, REFUNDED, part.order_id, order_id or ""),
            order=Order(order_id or part.order_id, part.lines[0].currency, total_minor),
            properties={"refund_id": part.order_id, "refund": "matched" if order_id else "unmatched"},
        )
        return _refused(refund) or [refund]


def _of_order(broken: BrokenLine, lines: int) -> str:
    if lines == 1:
        return broken.detail
    return f"line {broken.row.number}: {broken.detail}; an order of which a line is refused is refused whole"


def _origins(rows: Iterable[Row]) -> tuple[Origin, ...]:
    """Return the lines of rows, by file; rows are in the order in which they were read."""
    found = []
    for file, group in groupby(rows, key=lambda row: row.file):
        of_file = list(group)
        raw = b"".join(row.raw for row in of_file)
        found.append(Origin(file, of_file[0].number, raw, sum(row.lines for row in of_file)))
    return tuple(found)


def _refused(mapped: MappedTouchpoint) -> list[RefusedLines]:
    """Return its lines with the reason for which collect would refuse it; none: collect takes it."""
    try:
        checked(mapped.touchpoint, mapped.touchpoint.time_ms)
    except RefusedRecord as refused:
        return mapped.refused(Reason(refused.reason), refused.detail)
    return []


def _pieces(group: Group) -> dict[str, int]:
    pieces: dict[str, int] = {}
    for line in group.lines:
        pieces[line.product.sku] = pieces.get(line.product.sku, 0) + line.product.quantity
    return pieces


def _touchpoint(
    lines: list[OrderLine],
    *,
    kind: str,
    event_id: str,
    order: Order,
    properties: dict[str, str] | None = None,
) -> MappedTouchpoint:
    common = lines[0].common
    sign = -1 if kind == REFUNDED else 1
    articles = [line for line in lines if line.product.sku and (kind == REFUNDED or not line.takes_off)]
    left_out = {LINES_LEFT_OUT: str(len(articles) - LINES_KEPT)} if len(articles) > LINES_KEPT else {}
    touchpoint = Touchpoint(
        event_id=event_id,
        source=common.source,
        type=kind,
        time_ms=common.time_ms,
        user_id=common.user_id,
        anonymous_id=common.anonymous_id,
        email_hash=common.email_hash,
        session_id=common.session_id,
        channel=common.channel,
        order=order,
        products=tuple(
            Product(
                sku=line.product.sku,
                category=line.product.category,
                price_minor=line.product.price_minor,
                quantity=sign * line.product.quantity,
            )
            for line in articles[:LINES_KEPT]
        ),
        country=common.country,
        time_zone=common.time_zone,
        properties={**common.properties, **(properties or {}), **left_out},
    )
    rows = [line.row for line in lines]
    return MappedTouchpoint(touchpoint, sum(row.lines for row in rows), _origins(rows))
