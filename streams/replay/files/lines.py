"""Check and conversion of one row of a column file: a touchpoint, or a line of an order."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from schemas.limits import MINOR_MAX
from schemas.touchpoint import Order, Product, Touchpoint
from streams.collect.checks import check_time, checked
from streams.collect.refused import RefusedRecord
from streams.replay.files.mapped import ORDERED, Reason
from streams.replay.files.numbers import Numbers
from streams.replay.files.orders import BrokenLine, OrderLine, id_of_row
from streams.replay.files.texts import ColumnFileError
from streams.replay.files.times import bounds_of, expected, time_reader
from streams.replay.files.values import text_of

if TYPE_CHECKING:
    from streams.replay.files.mapped import RefusedLines
    from streams.replay.files.mapping import Mapping
    from streams.replay.files.rows import Row
    from streams.replay.files.times import Times

_INT_MAX = (1 << 31) - 1


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
    Totals are sums of these, unless the mapping names a column with the order's own.
    """

    def __init__(self, mapping: Mapping) -> None:
        at = {name: index for index, name in enumerate(mapping.columns)}
        product, fields, orders = mapping.product, mapping.fields, mapping.orders
        self._mapping = mapping
        self._read_time = time_reader(mapping.time)
        self._bounds = bounds_of(mapping.time)
        self._at_times = [at[name] for name in mapping.time.column]
        self._at_time = self._at_times[0] if len(self._at_times) == 1 else None
        self._type = text_of(mapping.type, at)
        self._user_id = text_of(fields.user_id, at)
        self._anonymous_id = text_of(fields.anonymous_id, at)
        self._email_hash = text_of(fields.email_hash, at)
        self._session_id = text_of(fields.session_id, at)
        self._channel = text_of(fields.channel, at)
        self._country = text_of(fields.country, at)
        self._time_zone = text_of(fields.time_zone, at)
        self._currency = text_of(mapping.money.currency, at)
        self._only_currency = (mapping.money.currency.constant or "").upper()
        self._has_articles = product.sku is not None
        self._sku = text_of(product.sku, at)
        self._at_category = None if product.category is None else at[product.category]
        self._at_figure = at[product.price or product.amount or ""]
        self._at_quantity = None if product.quantity is None else at[product.quantity]
        self._discounts = [(name, at[name]) for name in product.discounts]
        self._at_total = None if orders.total is None else at[orders.total]
        self._at_discount = None if orders.discount is None else at[orders.discount]
        # a row without columns of an order id has a derived one behind its texts
        self._at_order = [at[name] for name in orders.group_by] or [len(at)]
        self._at_event = [at[name] for name in mapping.event_id]
        self._properties = [(name, at[column]) for name, column in mapping.properties.items()]
        self._numbers = Numbers(mapping.file.decimal)
        self._number = self._numbers.read
        self._factor = mapping.money.minor_units
        # these depend on few texts, which come again and again
        self._usable = lru_cache(maxsize=4_096)(self._usable_times)
        self._figures = lru_cache(maxsize=65_536)(self._figures_of)
        self._code = lru_cache(maxsize=256)(self._code_of)

    def times(self, row: Row) -> Times | None:
        """Return a row's time, or None where `read` refuses it."""
        if row.wrong is not None:
            return None
        return self._usable(row.texts[self._at_time] if self._at_time is not None else self._time_text(row.texts))

    def _usable_times(self, text: str) -> Times | None:
        times = self._read_time(text)
        if times is None:
            return None
        try:
            # one wrong time far ahead would make every line after it one that comes too late
            check_time(times[0], times[0])
        except RefusedRecord:
            return None
        return times if self._bounds is None or self._bounds[0] <= times[0] < self._bounds[1] else None

    @property
    def order_columns(self) -> tuple[str, ...]:
        return self._mapping.orders.group_by

    def is_of_order_above(self, row: Row) -> bool:
        """Return whether a row has an article, but neither an order id nor a time, and nothing is carried down."""
        if self._mapping.orders.fill_down:
            return False
        texts = row.texts
        is_alone = self._type(texts) == ORDERED and self._order_id(texts) is None and self._sku(texts) is not None
        return is_alone and row.wrong is None and not self._time_text(texts).strip()

    def read(self, row: Row, time_ms: int | None) -> Single | OrderLine | BrokenLine | RefusedLines:
        """Return the line with its time, or why it was refused; of an order it is broken then.

        Raises:
            ColumnFileError: numbers before it were read in another way than those in it have to be.
        """
        texts = row.texts
        kind = self._type(texts)
        order_id = self._order_id(texts) if kind == ORDERED else None
        bad = self._unusable(row, time_ms, kind)
        if bad is None:
            try:
                line = self._line(row, time_ms or 0, kind or "", order_id)
            except _Bad as raised:
                bad = raised
            except RefusedRecord as refused:
                bad = _Bad(Reason(refused.reason), refused.detail)
            else:
                if self._numbers.is_in_doubt:
                    raise ColumnFileError(f"{row.file}: line {row.number}: {self._numbers.doubt}")
                return line
        if order_id is None:
            return row.refused(bad.reason, bad.detail)
        return BrokenLine(row, order_id, time_ms, bad.reason, bad.detail)

    def _unusable(self, row: Row, time_ms: int | None, kind: str | None) -> _Bad | None:
        """Return what is wrong with a row before its columns are read."""
        if row.wrong is not None:
            return _Bad(*row.wrong)
        if time_ms is None:
            return self._bad_time(row.texts)
        if kind is None:
            column = ", ".join(self._mapping.type.columns)
            return _Bad(Reason.UNKNOWN_TYPE, f"column {column}: no type is mapped to this value")
        return None

    def _line(self, row: Row, time_ms: int, kind: str, order_id: str | None) -> Single | OrderLine:
        texts = row.texts
        currency = self._only_currency or self._code(self._currency(texts))
        if kind == ORDERED and order_id is None:
            raise _Bad(Reason.MISSING_ID, f"no order id in column {', '.join(self._mapping.orders.group_by)}")
        product, amount_minor, discount_minor = self._product(texts, currency)
        common = Touchpoint(
            event_id="" if kind == ORDERED else self._event_id(texts, kind),
            source=self._mapping.source,
            type=kind,
            time_ms=time_ms,
            order=None if order_id is None else Order(order_id, currency, 0),
            products=() if kind == ORDERED or not self._has_articles else (product,),
            properties={name: texts[index] for name, index in self._properties if texts[index]}
            if self._properties
            else {},
            user_id=self._user_id(texts),
            anonymous_id=self._anonymous_id(texts),
            email_hash=self._email_hash(texts),
            session_id=self._session_id(texts),
            channel=self._channel(texts),
            country=self._country(texts),
            time_zone=self._time_zone(texts),
        )
        if kind == ORDERED:
            total, less = self._order_minor(texts, self._at_total, currency), self._at_discount
            return OrderLine(
                row,
                common,
                currency,
                product,
                amount_minor,
                discount_minor,
                total,
                self._order_minor(texts, less, currency),
            )
        if common.user_id is None and common.anonymous_id is None and common.email_hash is None:
            raise _Bad(Reason.MISSING_ID, "nobody's id is in the line")
        checked(common, time_ms)
        return Single(row, common)

    def _product(self, texts: tuple[str, ...], currency: str) -> tuple[Product, int, int]:
        """Return the article, the line's amount and its discount (never below 0), both in minor units."""
        pieces = "1" if self._at_quantity is None else texts[self._at_quantity]
        price_minor, amount_minor, quantity = self._figures(texts[self._at_figure], pieces, currency)
        sku = self._sku(texts) or ""
        if not sku and self._mapping.product.sku is not None:
            columns = ", ".join(self._mapping.product.sku.columns)
            raise _Bad(Reason.MISSING_ID, f"column {columns} is empty: no article")
        discount_minor = 0
        if self._discounts:
            amounts = (self._amount(texts[index], name, currency) for name, index in self._discounts if texts[index])
            discount_minor = max(0, _minor(sum(amounts, Decimal(0))))
        category = None if self._at_category is None else texts[self._at_category] or None
        return Product(sku, price_minor, quantity, category), amount_minor, discount_minor

    def _figures_of(self, figure_text: str, pieces: str, currency: str) -> tuple[int, int, int]:
        """Return the price of a piece and the amount of the line, in minor units, and the number of pieces."""
        product = self._mapping.product
        quantity = self._quantity(pieces)
        figure = self._amount(figure_text, product.price or product.amount, currency)
        if product.price is not None:
            price, amount = figure, figure * quantity
        else:
            price, amount = figure / quantity if quantity else figure, figure
        whole = int(quantity)
        if whole != quantity:
            # a weight or a length is one piece at the line's amount
            whole, price = (-1, -amount) if quantity < 0 else (1, amount)
        return _minor(price), _minor(amount), whole

    def _code_of(self, text: str | None) -> str:
        code = "" if text is None else text.strip().upper()
        if len(code) != 3 or not code.isascii():  # noqa: PLR2004 - ISO 4217
            column = ", ".join(self._mapping.money.currency.columns)
            raise _Bad(Reason.BAD_CURRENCY, f"column {column}: no ISO 4217 code such as EUR")
        return code

    def _order_minor(self, texts: tuple[str, ...], index: int | None, currency: str) -> int | None:
        """Return an amount of the whole order; None: it is not in this line."""
        if index is None or not texts[index]:
            return None
        return _minor(self._amount(texts[index], self._mapping.columns[index], currency))

    def _amount(self, text: str, column: str | None, currency: str) -> Decimal:
        number = self._number(text)
        if isinstance(number, str):
            raise _Bad(Reason.BAD_NUMBER, f"column {column}: {number}")
        if number.currency and number.currency != currency:
            raise _Bad(Reason.MIXED_CURRENCY, f"column {column}: an amount in {number.currency}, not in {currency}")
        return number.value * self._factor

    def _quantity(self, text: str) -> Decimal:
        number = self._number(text)
        if isinstance(number, str) or number.currency or abs(number.value) > _INT_MAX:
            said = number if isinstance(number, str) else "no number of pieces of 32 bits"
            raise _Bad(Reason.BAD_NUMBER, f"column {self._mapping.product.quantity}: {said}")
        return number.value

    def _order_id(self, texts: tuple[str, ...]) -> str | None:
        parts = [texts[index] for index in self._at_order]
        return "/".join(parts) if all(parts) else None

    def _event_id(self, texts: tuple[str, ...], kind: str) -> str:
        return id_of_row(self._mapping.source, kind, *(texts[index] for index in self._at_event))

    def _time_text(self, texts: tuple[str, ...]) -> str:
        if self._at_time is not None:
            return texts[self._at_time]
        return " ".join(texts[index] for index in self._at_times)

    def _bad_time(self, texts: tuple[str, ...]) -> _Bad:
        time, text = self._mapping.time, self._time_text(texts).strip()
        column = f"column {', '.join(time.column)}"
        times = self._read_time(text)
        if not text:
            hint = "; orders.fill_down is for columns that only the first line of an order has"
            return _Bad(Reason.BAD_TIME, f"{column} is empty{hint}")
        if times is None:
            return _Bad(Reason.BAD_TIME, f"{column}: {expected(time, text)}")
        try:
            check_time(times[0], times[0])
        except RefusedRecord as refused:
            return _Bad(Reason(refused.reason), f"{column}: {refused.detail}")
        allowed = f"from {time.not_before or 'any day'} to {time.not_after or 'any day'}"
        return _Bad(Reason.TIME_OUT_OF_RANGE, f"{column}: the mapping allows days {allowed}")


def _minor(value: Decimal) -> int:
    if abs(value) > MINOR_MAX:
        raise _Bad(Reason.BAD_NUMBER, f"an amount above {MINOR_MAX} minor units")
    return int(value.to_integral_value(ROUND_HALF_EVEN))
