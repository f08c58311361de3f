"""The description of a column file: a small YAML file, as a frozen value."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from streams.collect.checks import TYPES
from streams.flows.language.documents import DocumentError, listed, parse_yaml, read_text, shown

_PACKAGED = resources.files("streams.replay.files") / "mappings"


class MappingError(ValueError):
    """A mapping is wrong; the message names the file, the path in it, the value and what is allowed."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Value(_Part):
    """The origin of a text: a column (perhaps without a suffix, or translated), or a constant."""

    column: str | None = None
    constant: str | None = None
    drop_suffix: str = ""
    values: dict[str, str] | None = None

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
    def results(self) -> tuple[str, ...]:
        """Return its possible values, where they are known."""
        return tuple(self.values.values()) if self.values else (self.constant,) if self.constant else ()


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        message = f"{name!r} is not an IANA time zone; use a name such as Europe/London or UTC"
        raise ValueError(message)
    return name


def _canonical(value: Value) -> Value:
    unknown = [given for given in value.results if given not in TYPES]
    if unknown or not value.results:
        message = f"{unknown or value.column!r} is not a type of touchpoint; the types are {', '.join(sorted(TYPES))}"
        raise ValueError(message)
    return value


class FileFormat(_Part):
    """csv, with gzip where the name ends in .gz, or parquet."""

    kind: Literal["csv", "parquet"]
    delimiter: str = Field(",", min_length=1, max_length=1)


class Time(_Part):
    """The column of the time. `format` is as in strptime, default ISO 8601; `zone` is for texts without one."""

    column: str
    format: str | None = None
    zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"


class Fields(_Part):
    """Texts of the touchpoint."""

    user_id: Value | None = None
    anonymous_id: Value | None = None
    email_hash: Value | None = None
    session_id: Value | None = None
    channel: Value | None = None
    country: Value | None = None
    time_zone: Value | None = None


class Money(_Part):
    """Currency, and how many minor units make one unit of the file."""

    currency: Value
    minor_units: Literal[1, 10, 100, 1000] = 100


class ProductColumns(_Part):
    """A line's article: the price of a piece or the amount of the line, and the number of pieces (default one)."""

    sku: str
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


class Refunds(_Part):
    """Order ids with this prefix are refunds, line by line, of the customer's earlier orders."""

    prefix: str = Field(min_length=1)


class NotOrders(_Part):
    """Order ids with this prefix are not orders."""

    prefix: str = Field(min_length=1)
    because: str


class Orders(_Part):
    """How lines of type order_completed become orders: equal `group_by`, at most `open_ms` after the first line."""

    group_by: tuple[str, ...] = Field(min_length=1)
    open_ms: int = Field(0, ge=0, le=7 * 86_400_000)
    refunds: Refunds | None = None
    refused: tuple[NotOrders, ...] = ()


class Mapping(_Part):
    """A column file of one shop. Each line that is not of type order_completed is one touchpoint."""

    about: str
    source: str = Field(min_length=1)
    file: FileFormat
    time: Time
    type: Annotated[Value, AfterValidator(_canonical)]
    fields: Fields = Fields()
    event_id: tuple[str, ...] = ()
    money: Money
    product: ProductColumns
    properties: dict[str, str] = {}
    orders: Orders

    @model_validator(mode="after")
    def _ids(self) -> Mapping:
        if not self.event_id and set(self.type.results) != {"order_completed"}:
            message = "event_id must name the columns that identify a line, as not every line is in an order"
            raise ValueError(message)
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Return every column that the mapping reads, each once."""
        texts = [self.type, self.money.currency, *vars(self.fields).values()]
        product = self.product
        names = [
            self.time.column,
            *(text.column for text in texts if text is not None),
            product.sku,
            product.category,
            product.price,
            product.amount,
            product.quantity,
            *product.discounts,
            *self.event_id,
            *self.orders.group_by,
            *self.properties.values(),
        ]
        return tuple(dict.fromkeys(name for name in names if name is not None))


def packaged_mappings() -> tuple[str, ...]:
    """Return the names of the mappings that come with the package."""
    names = (entry.name for entry in _PACKAGED.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def load_mapping(name_or_path: str) -> Mapping:
    """Return a mapping of the package by its name, or one from a file whose name ends in .yaml or .yml.

    Raises:
        MappingError: there is no such mapping, or it is not YAML, or has an unknown key or a wrong value.
    """
    if name_or_path.endswith((".yaml", ".yml")):
        try:
            text = read_text(Path(name_or_path))
        except (OSError, DocumentError) as error:
            message = f"mapping {name_or_path}: cannot be read: {error}"
            raise MappingError(message) from None
        return parse_mapping(text, name_or_path)
    if name_or_path not in packaged_mappings():
        message = (
            f"mapping {name_or_path!r} is unknown; use {', '.join(packaged_mappings())}, "
            "or the path of a file that ends in .yaml"
        )
        raise MappingError(message)
    return parse_mapping((_PACKAGED / f"{name_or_path}.yaml").read_text("utf-8"), name_or_path)


def parse_mapping(text: str, name: str) -> Mapping:
    """Return the mapping in a YAML text; errors call it `name`. Raises MappingError."""
    try:
        return Mapping.model_validate(parse_yaml(text))
    except DocumentError as error:
        message = f"mapping {name}: {error}"
        raise MappingError(message) from None
    except ValidationError as error:
        message = f"mapping {name}: " + listed(_explain(item) for item in error.errors(include_url=False))
        raise MappingError(message) from None


def _explain(item: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    path = ".".join(str(part) for part in item["loc"]) or "the whole"
    if item["type"] == "extra_forbidden":
        keys = ", ".join(_keys_beside(item["loc"]))
        return f"{path} is {shown(item['input'])}: there is no such key; the keys are {keys}"
    if item["type"] == "missing":
        return f"{path} is missing"
    return f"{path} is {shown(item['input'])}: {item['msg'].removeprefix('Value error, ')}"


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    model: Any = Mapping
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        kinds = (annotation, *get_args(annotation))
        found = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, _Part)]
        if not found:
            return []
        model = found[0]
    return list(model.model_fields)
