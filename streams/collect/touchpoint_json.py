"""The door for our own touchpoint as JSON: names of fields as in the Avro schema, amounts in minor units."""

from __future__ import annotations

import typing
from difflib import get_close_matches
from types import UnionType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from schemas.limits import INT_MAX, LINES_MAX, TEXT_MAX
from schemas.touchpoint import Touchpoint
from streams.collect.amounts import kind_of
from streams.collect.arrived import Arrived
from streams.collect.hiding import shown
from streams.collect.reading import part
from streams.collect.refused import RefusedRecord

if TYPE_CHECKING:
    from streams.collect.door import DoorSettings

DOOR: Final = "touchpoint"
_ATTRIBUTES: Final = ("properties", "traits")


def arrived(document: dict[str, Any], settings: DoorSettings) -> list[Arrived]:
    """Read a touchpoint. Texts in its properties go on as in Avro; other values are for the catalogue of attributes.

    Raises:
        RefusedRecord: a field that there is not, or one of the wrong kind; the detail has its path.
    """
    properties, traits = part(document, "properties"), part(document, "traits")
    given = {name: value for name, value in document.items() if name not in _ATTRIBUTES and value is not None}
    given["properties"] = {name: value for name, value in properties.items() if isinstance(value, str)}
    given.setdefault("source", settings.source)
    products = given.get("products")
    if isinstance(products, list) and len(products) > LINES_MAX:
        raise RefusedRecord("too_many", f"there are {len(products)} products; at most {LINES_MAX} are allowed")
    _check_names(given, Touchpoint, "")
    try:
        event = msgspec.convert(given, Touchpoint)
    except msgspec.ValidationError as error:
        raise RefusedRecord("malformed", str(error).replace("$.", "").replace("`", "")) from None
    numbers = {
        "message.flow_version": event.message.flow_version if event.message else None,
        "consent.at_most": event.consent.at_most if event.consent else None,
    }
    for name, number in numbers.items():
        if number is not None and not -INT_MAX <= number <= INT_MAX:
            raise RefusedRecord("malformed", f"{name} is {shown(number)}: at most {INT_MAX} is allowed")
    return [Arrived(event, properties, traits)]


def _fields_of(struct: type) -> dict[str, type | None]:
    """Return the fields of a struct with the struct that each holds, if it holds one or a list of them."""
    found: dict[str, type | None] = {}
    for field in msgspec.structs.fields(struct):
        kinds = typing.get_args(field.type) if isinstance(field.type, UnionType) else (field.type,)
        held = [inner for kind in kinds for inner in (typing.get_args(kind) or (kind,))]
        structs = [each for each in held if isinstance(each, type) and issubclass(each, msgspec.Struct)]
        found[field.name] = structs[0] if structs else None
    return found


def _all_fields(struct: type) -> dict[type, dict[str, type | None]]:
    fields = _fields_of(struct)
    found = {struct: fields}
    for inner in fields.values():
        if inner is not None:
            found |= _all_fields(inner)
    return found


_FIELDS: Final = _all_fields(Touchpoint)


def _check_names(value: Any, struct: type, path: str) -> None:  # noqa: ANN401 - of a JSON document
    """Refuse a field that there is not: what a producer meant by it would be lost without a word."""
    if not isinstance(value, dict):
        raise RefusedRecord("malformed", f"{path.rstrip('.')} is {kind_of(value)}: allowed is an object")
    fields = _FIELDS[struct]
    for name, held in value.items():
        if name not in fields:
            raise RefusedRecord(
                "malformed", f"there is no field {shown(path + name[:TEXT_MAX])}: {_nearest(name, fields)}"
            )
        inner = fields[name]
        if inner is None or held is None:
            continue
        items = held if isinstance(held, list) else [held]
        for place, item in enumerate(items):
            _check_names(item, inner, f"{path}{name}[{place}]." if isinstance(held, list) else f"{path}{name}.")


def _nearest(name: str, fields: dict[str, type | None]) -> str:
    near = get_close_matches(name[:64].lower(), fields, 1, 0.6)
    return f"did you mean {near[0]}?" if near else f"allowed are {', '.join(fields)}"
