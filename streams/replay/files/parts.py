"""The parts of a mapping: what its YAML may say, as frozen values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

WHITESPACE = "whitespace"
"""The delimiter of files whose columns are kept apart by runs of blanks."""
EPOCHS = {"epoch_s": 1_000, "epoch_ms": 1}
"""Forms of a time that count from 1970 in UTC, and the milliseconds of one unit."""


class Part(BaseModel):
    """A part of a mapping, which has no other keys than these."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Value(Part):
    """The origin of a text: a column (perhaps without a suffix, or translated), or a constant.

    `otherwise` is taken where the column is empty.
    """

    column: str | None = None
    constant: str | None = None
    drop_suffix: str = ""
    values: dict[str, str] | None = None
    otherwise: Value | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_name_is_a_column(cls, given: Any) -> Any:  # noqa: ANN401 - any content of the file
        return {"column": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _one_origin(self) -> Value:
        if (self.column is None) == (self.constant is None):
            message = "give either column or constant"
            raise ValueError(message)
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that it may read."""
        own = () if self.column is None else (self.column,)
        return own if self.otherwise is None else own + self.otherwise.columns

    @property
    def results(self) -> tuple[str, ...]:
        """Return its possible values, where they are known."""
        own = tuple(self.values.values()) if self.values else (self.constant,) if self.constant else ()
        return own if self.otherwise is None else own + self.otherwise.results


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        message = f"{name!r} is not an IANA time zone; use a name such as Europe/London or UTC"
        raise ValueError(message)
    return name


def _alone_in_a_list(given: Any) -> Any:  # noqa: ANN401 - any content of the file
    return [given] if isinstance(given, str) else given


def _day(text: str) -> str:
    try:
        datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        message = "expected a day such as 2026-01-31"
        raise ValueError(message) from None
    return text


class FileFormat(Part):
    """csv, with gzip where the name ends in .gz, or parquet; the other keys are for csv.

    `encoding` need not be named for UTF-8, nor for UTF-16 with a byte order mark. `columns` names the columns of a
    file without a header. `decimal` need not be named where each number can be read in one way only. `empty` are
    texts that mean an empty cell. Cells of `json_columns` are JSON documents. `order: any` is for lines in no order.
    """

    kind: Literal["csv", "parquet"]
    delimiter: str = ","
    quotes: bool = True
    encoding: (
        Literal[
            "utf-8",
            "utf-16",
            "utf-16-le",
            "utf-16-be",
            "cp1252",
            "latin-1",
            "iso-8859-15",
            "mac-roman",
            "cp1250",
            "cp1251",
            "shift-jis",
            "gb18030",
        ]
        | None
    ) = None
    columns: tuple[str, ...] = ()
    decimal: Literal[".", ","] | None = None
    empty: tuple[str, ...] = ("\\N", "NULL", "#N/A")
    json_columns: tuple[str, ...] = ()
    order: Literal["any", "by_time"] | None = None

    @model_validator(mode="after")
    def _sound(self) -> FileFormat:
        if len(self.delimiter) != 1 and self.delimiter != WHITESPACE:
            message = f"delimiter is {self.delimiter!r}: give one character, or {WHITESPACE}"
            raise ValueError(message)
        if len(set(self.columns)) < len(self.columns):
            message = "columns has a name twice"
            raise ValueError(message)
        return self


class Time(Part):
    """The column of the time, or several whose texts are joined by a blank, such as a day and an hour.

    `format` is as in strptime, or epoch_s or epoch_ms, default ISO 8601. `zone` is for texts without one.
    Lines of days before `not_before` or after `not_after` are refused.
    """

    column: Annotated[tuple[str, ...], BeforeValidator(_alone_in_a_list), Field(min_length=1)]
    format: str | None = None
    zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    not_before: Annotated[str, AfterValidator(_day)] | None = None
    not_after: Annotated[str, AfterValidator(_day)] | None = None


class Fields(Part):
    """Texts of the touchpoint."""

    user_id: Value | None = None
    anonymous_id: Value | None = None
    email_hash: Value | None = None
    session_id: Value | None = None
    channel: Value | None = None
    country: Value | None = None
    time_zone: Value | None = None


def _of_codes(currency: Value) -> Value:
    wrong = [given for given in currency.results if len(given) != 3 or not given.isascii() or not given.isalpha()]  # noqa: PLR2004 - ISO 4217
    if wrong:
        message = f"{wrong[0]!r} is no ISO 4217 code such as EUR"
        raise ValueError(message)
    return currency


class Money(Part):
    """Currency, and how many minor units make one unit of the file."""

    currency: Annotated[Value, AfterValidator(_of_codes)]
    minor_units: Literal[1, 10, 100, 1000] = 100


class ProductColumns(Part):
    """A line's article: the price of a piece or the amount of the line, and the number of pieces (default one).

    Without `sku` an order has its total, and no articles.
    """

    sku: Value | None = None
    category: str | None = None
    price: str | None = None
    amount: str | None = None
    quantity: str | None = None
    discounts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_figure(self) -> ProductColumns:
        if (self.price is None) == (self.amount is None):
            message = "give either price (of a piece) or amount (of the line)"
            raise ValueError(message)
        return self


class Refunds(Part):
    """Order ids with this prefix are refunds, line by line, of the customer's earlier orders."""

    prefix: str = Field(min_length=1)


class NotOrders(Part):
    """Order ids with this prefix are not orders."""

    prefix: str = Field(min_length=1)
    because: str


class Orders(Part):
    """How lines of type order_completed become orders: equal `group_by`, at most `open_ms` after the first line.

    Without `group_by` each line is an order, whose id is derived from the line. `fill_down` are columns that only the
    first line of an order has. `lines` is the JSON list whose members are the lines of one order. `total` and
    `discount` are columns with the order's own, where these are not the sums over its lines.
    """

    group_by: tuple[str, ...] = ()
    open_ms: int = Field(0, ge=0, le=7 * 86_400_000)
    fill_down: tuple[str, ...] = ()
    lines: str | None = None
    total: str | None = None
    discount: str | None = None
    refunds: Refunds | None = None
    refused: tuple[NotOrders, ...] = ()

    @model_validator(mode="after")
    def _filled_within_orders(self) -> Orders:
        if self.fill_down and not self.group_by:
            message = "fill_down needs group_by, which says where an order begins"
            raise ValueError(message)
        return self
