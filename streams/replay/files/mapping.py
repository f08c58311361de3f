"""The description of a column file: a small YAML file, as a frozen value."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, Field, ValidationError, model_validator

from streams.collect.checks import TYPES
from streams.flows.language.documents import DocumentError, listed, parse_yaml, read_text, shown
from streams.replay.files.parts import Fields, FileFormat, Money, Orders, Part, ProductColumns, Time, Value

_PACKAGED = resources.files("streams.replay.files") / "mappings"


class MappingError(ValueError):
    """A mapping is wrong; the message names the file, the path in it, the value and what is allowed."""


def _canonical(value: Value) -> Value:
    unknown = [given for given in value.results if given not in TYPES]
    if unknown or not value.results:
        message = f"{unknown or value.column!r} is not a type of touchpoint; the types are {', '.join(sorted(TYPES))}"
        raise ValueError(message)
    return value


class Mapping(Part):
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
    properties: dict[str, str] = Field(default_factory=dict)
    orders: Orders = Orders()

    @model_validator(mode="after")
    def _ids(self) -> Mapping:
        if not self.event_id and not self.has_orders_alone:
            message = "event_id must name the columns that identify a line, as not every line is in an order"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _lines(self) -> Mapping:
        lines = self.orders.lines
        if lines is not None and self.document_of(lines) is None:
            allowed = ", ".join(self.file.json_columns) or "none yet"
            message = f"orders.lines is {lines!r}, which is in none of file.json_columns ({allowed})"
            raise ValueError(message)
        if lines is not None and not self.has_orders_alone:
            message = "orders.lines needs type: {constant: order_completed}, as each row is one order"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _known_columns(self) -> Mapping:
        unknown = sorted({*self.file_columns} - {*self.file.columns}) if self.file.columns else []
        unread = [name for name in self.orders.fill_down if name not in self.columns]
        if unknown:
            message = f"file.columns does not name {', '.join(unknown)}, which the mapping reads"
            raise ValueError(message)
        if unread:
            message = f"orders.fill_down names {', '.join(unread)}, which the mapping does not read"
            raise ValueError(message)
        return self

    @property
    def has_orders_alone(self) -> bool:
        """Return whether every line is of an order."""
        return set(self.type.results) == {"order_completed"}

    @property
    def columns(self) -> tuple[str, ...]:
        """Return every column that the mapping reads, or path into a JSON column, each once."""
        product, orders = self.product, self.orders
        texts = [self.type, self.money.currency, *vars(self.fields).values(), product.sku]
        names = [
            *self.time.column,
            *(column for text in texts if text is not None for column in text.columns),
            product.category,
            product.price,
            product.amount,
            product.quantity,
            *product.discounts,
            *self.event_id,
            *orders.group_by,
            orders.total,
            orders.discount,
            *self.properties.values(),
        ]
        return tuple(dict.fromkeys(name for name in names if name is not None))

    @property
    def file_columns(self) -> tuple[str, ...]:
        """Return the columns that the file must have, each once."""
        names = (*self.columns, self.orders.lines) if self.orders.lines else self.columns
        return tuple(dict.fromkeys(self.document_of(name) or name for name in names))

    def document_of(self, name: str) -> str | None:
        """Return the JSON column that a path leads into; None: it is a column of the file."""
        found = (each for each in self.file.json_columns if name == each or name.startswith(f"{each}."))
        return next(found, None)


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
        keys = _keys_beside(item["loc"])
        near = get_close_matches(str(item["loc"][-1]), keys, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        return f"{path} is {shown(item['input'])}: there is no such key{meant}; the keys are {', '.join(keys)}"
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
        found = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Part)]
        if not found:
            return []
        model = found[0]
    return list(model.model_fields)
