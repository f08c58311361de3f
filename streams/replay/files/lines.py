"""Check and conversion of one row of a column file: a touchpoint, or a line of an order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias
from zoneinfo import ZoneInfo

from schemas.limits import MINOR_MAX
from schemas.touchpoint import Order, Product, Touchpoint
from streams.collect.checks import check_time, checked
from streams.collect.refused import RefusedRecord
from streams.replay.files.mapped import ORDERED, Reason
from streams.replay.files.orders import OrderLine, id_of_row

if TYPE_CHECKING:
    from streams.replay.files.mapped import RefusedLines
    from streams.replay.files.mapping import Mapping, Time, Value
    from streams.replay.files.rows import Row

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_INT_MAX = (1 << 31) - 1

Text: TypeAlias = Callable[[tuple[str, ...]], str | None]


@dataclass(frozen=True, slots=True)
class Single:
    """A line that is a touchpoint by itself."""

    row: Row
    touchpoint: Touchpoint


class _Bad(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class LineReader:
    """A reader of rows by one mapping.

    The amount of a line is its price times its pieces in exact decimals, rounded once, half to even, to minor units.
    Totals are sums of these.
    """

    def __init__(self, mapping: Mapping) -> None:
        at = {name: index for index, name in enumerate(mapping.columns)}
        product, fields = mapping.product, mapping.fields
        self._mapping = mapping
        self._time = _time_reader(mapping.time)
        self._at_time = at[mapping.time.column]
        self._type = _text(mapping.type, at)
        self._user_id = _text(fields.user_id, at)
        self._anonymous_id = _text(fields.anonymous_id, at)
        self._email_hash = _text(fields.email_hash, at)
        self._session_id = _text(fields.session_id, at)
        self._channel = _text(fields.channel, at)
        self._country = _text(fields.country, at)
        self._time_zone = _text(fields.time_zone, at)
        self._currency = _text(mapping.money.currency, at)
        self._at_sku = at[product.sku]
        self._at_category = None if product.category is None else at[product.category]
        self._at_figure = at[product.price or product.amount or ""]
        self._at_quantity = None if product.quantity is None else at[product.quantity]
        self._at_discounts = [at[name] for name in product.discounts]
        self._at_order = [at[name] for name in mapping.orders.group_by]
        self._at_event = [at[name] for name in mapping.event_id]
        self._properties = [(name, at[column]) for name, column in mapping.properties.items()]
        self._number = lru_cache(maxsize=65_536)(_number)

    def read(self, row: Row) -> Single | OrderLine | RefusedLines:
        """Return the line, or why it was refused."""
        try:
            return self._read(row)
        except _Bad as bad:
            return row.refused(bad.reason, bad.detail)
        except RefusedRecord as refused:
            return row.refused(Reason(refused.reason), refused.detail)

    def _read(self, row: Row) -> Single | OrderLine:
        texts = row.texts
        kind = self._type(texts)
        if kind is None:
            raise _Bad(Reason.UNKNOWN_TYPE, f"column {self._mapping.type.column}: no type is mapped to this value")
        time_ms = self._time(texts[self._at_time])
        if time_ms is None:
            raise _Bad(Reason.BAD_TIME, f"column {self._mapping.time.column}: expected {self._expected_time()}")
        # one wrong time far ahead would make every line after it one that comes too late
        check_time(time_ms, time_ms)
        product, amount_minor, discount_minor = self._product(texts)
        currency = self._currency(texts)
        if currency is None or len(currency) != 3:  # noqa: PLR2004 - ISO 4217
            raise _Bad(Reason.BAD_COLUMNS, "the currency is no ISO 4217 code")
        common = Touchpoint(
            event_id="" if kind == ORDERED else self._event_id(texts, kind),
            source=self._mapping.source,
            type=kind,
            time_ms=time_ms,
            order=Order(self._order_id(texts), currency, 0) if kind == ORDERED else None,
            products=() if kind == ORDERED else (product,),
            properties={name: texts[index] for name, index in self._properties if texts[index]},
            user_id=self._user_id(texts),
            anonymous_id=self._anonymous_id(texts),
            email_hash=self._email_hash(texts),
            session_id=self._session_id(texts),
            channel=self._channel(texts),
            country=self._country(texts),
            time_zone=self._time_zone(texts),
        )
        if kind == ORDERED:
            return OrderLine(row, common, currency, product, amount_minor, discount_minor)
        if common.user_id is None and common.anonymous_id is None and common.email_hash is None:
            raise _Bad(Reason.MISSING_ID, "nobody's id is in the line")
        checked(common, time_ms)
        return Single(row, common)

    def _product(self, texts: tuple[str, ...]) -> tuple[Product, int, int]:
        """Return the article, the line's amount and its discount (never below 0), both in minor units."""
        product, factor = self._mapping.product, self._mapping.money.minor_units
        quantity = 1 if self._at_quantity is None else self._whole(texts[self._at_quantity], product.quantity)
        figure = self._decimal(texts[self._at_figure], product.price or product.amount) * factor
        if product.price is not None:
            price, amount = figure, figure * quantity
        else:
            price, amount = figure / quantity if quantity else figure, figure
        discount = sum((self._decimal(texts[index], None) for index in self._at_discounts), Decimal(0)) * factor
        bought = Product(
            sku=texts[self._at_sku],
            category=None if self._at_category is None else texts[self._at_category] or None,
            price_minor=_minor(price),
            quantity=quantity,
        )
        if not bought.sku:
            raise _Bad(Reason.MISSING_ID, f"column {product.sku} is empty")
        return bought, _minor(amount), max(0, _minor(discount))

    def _decimal(self, text: str, column: str | None) -> Decimal:
        value = self._number(text)
        if value is None:
            raise _Bad(Reason.BAD_NUMBER, f"column {column or 'of discounts'}: no number")
        return value

    def _whole(self, text: str, column: str | None) -> int:
        value = self._decimal(text, column)
        whole = int(value)
        if whole != value or abs(whole) > _INT_MAX:
            raise _Bad(Reason.BAD_NUMBER, f"column {column}: no whole number of 32 bits")
        return whole

    def _order_id(self, texts: tuple[str, ...]) -> str:
        parts = [texts[index] for index in self._at_order]
        if not all(parts):
            raise _Bad(Reason.MISSING_ID, f"no order id in {', '.join(self._mapping.orders.group_by)}")
        return "/".join(parts)

    def _event_id(self, texts: tuple[str, ...], kind: str) -> str:
        return id_of_row(self._mapping.source, kind, *(texts[index] for index in self._at_event))

    def _expected_time(self) -> str:
        return self._mapping.time.format or "ISO 8601"


def _text(value: Value | None, at: dict[str, int]) -> Text:
    if value is None:
        return _nothing
    constant, column = value.constant, value.column
    if column is None:
        return lambda _: constant
    index, suffix, values = at[column], value.drop_suffix, value.values
    if values is not None:
        return lambda texts: values.get(texts[index])
    if suffix:
        return lambda texts: texts[index].removesuffix(suffix) or None
    return lambda texts: texts[index] or None


def _nothing(_: tuple[str, ...]) -> None:
    return None


def _time_reader(time: Time) -> Callable[[str], int | None]:
    zone = ZoneInfo(time.zone)

    @lru_cache(maxsize=4096)
    def read(text: str) -> int | None:
        try:
            moment = datetime.strptime(text, time.format) if time.format else datetime.fromisoformat(text)  # noqa: DTZ007 - the zone is the mapping's
        except ValueError:
            return None
        placed = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        return (placed - _EPOCH) // _MS

    return read


def _number(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) < MINOR_MAX else None


def _minor(value: Decimal) -> int:
    if abs(value) > MINOR_MAX:
        raise _Bad(Reason.BAD_NUMBER, f"an amount above {MINOR_MAX} minor units")
    return int(value.to_integral_value(ROUND_HALF_EVEN))
