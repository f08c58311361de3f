"""A text planted into one place of a touchpoint; the places are those of the Avro schema, so none can be missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from schemas.catalogue import raw_schema
from schemas.touchpoint import Touchpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "properties, a name"
VALUE = "properties, a value"
TRAIT = "traits, a value"
_MAPS = ("properties", "traits")
IN_MAPS = {f"{name}, a {part}": (name, part) for name in _MAPS for part in ("name", "value")}
TESTED_BY_A_PATTERN = frozenset({"type", "order.currency", "spend.currency", "email_hash", "agent"})
"""Texts that the door refuses unless they are three capital letters, a hash, or a word for who looked; and the type,
which becomes a name."""
_FILLED: dict[str, Any] = {
    "message": {},
    "page": {},
    "marketing": {},
    "order": {"order_id": "o-1", "currency": "EUR", "total_minor": 4_200},
    "spend": {"currency": "EUR", "total_minor": 100},
    "consent": {"channel": "email", "granted": True},
    "products": {"sku": "mug", "price_minor": 900, "quantity": 1},
}
"""What a part has beside the planted text."""


def places() -> list[str]:
    """Every text of a touchpoint, as `channel`, `order.coupon` or `products.sku`, and names and values of maps."""
    return list(_places(raw_schema("touchpoint"), ""))


def _places(declared: Any, path: str) -> Iterator[str]:
    if isinstance(declared, list):
        (declared,) = [each for each in declared if each != "null"]
    kind = declared["type"] if isinstance(declared, dict) else declared
    if kind == "record":
        for field in declared["fields"]:
            yield from _places(field["type"], f"{path}.{field['name']}".removeprefix("."))
    elif kind == "array":
        yield from _places(declared["items"], path)
    elif kind == "map":
        assert path in _MAPS
        assert declared["values"] == "string"
        yield from (f"{path}, a name", f"{path}, a value")
    elif kind == "string":
        yield path
    else:
        assert kind in {"long", "int", "boolean", "double"}, f"{path} is of a kind that is not planted: {kind}"


def planted(event: Touchpoint, place: str, text: str) -> Touchpoint:
    """The touchpoint with a text in one place."""
    fields: dict[str, Any] = msgspec.to_builtins(event)
    part, _, name = place.rpartition(".")
    if place in IN_MAPS:
        of, what = IN_MAPS[place]
        fields[of] = {text: "x"} if what == "name" else {"note": text}
    elif not part:
        fields[place] = text
    elif part == "products":
        fields[part] = [{**_FILLED[part], name: text}]
    else:
        fields[part] = {**_FILLED[part], **(fields[part] or {}), name: text}
    return msgspec.convert(fields, Touchpoint)


def held(event: Touchpoint, place: str) -> str:
    """The text in a place."""
    part, _, name = place.rpartition(".")
    if place in IN_MAPS:
        of, what = IN_MAPS[place]
        ((found_name, value),) = getattr(event, of).items()
        return str(found_name if what == "name" else value)
    holder: Any = event if not part else getattr(event, part)
    text: str = getattr(holder[0] if part == "products" else holder, name)
    return text
