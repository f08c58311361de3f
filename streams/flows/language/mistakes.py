"""The mistakes in a flow file, each with its place, its value and what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from streams.flows.language.conditions import CONDITIONS
from streams.flows.language.documents import listed, shown
from streams.flows.language.flow import Flow
from streams.flows.language.relying import FORMS
from streams.flows.language.steps import NAME_PATTERN, STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue
    from pydantic_core import ErrorDetails

    Location = tuple[int | str, ...]

P = TypeVar("P", bound=BaseModel)

_TAGGED: dict[str, type[BaseModel]] = {**CONDITIONS, **STEPS}


class FlowError(ValueError):
    """A flow cannot be used; the message names the file, the path in it, the value and what is allowed."""


def parse_flow(document: Mapping[str, JsonValue], where: str) -> Flow:
    """Return the flow of a document that came from `where`.

    Raises:
        FlowError: it is not a flow.
    """
    return parse_part(Flow, document, where)


def parse_part(kind: type[P], document: Any, where: str) -> P:  # noqa: ANN401 - the contents of a file
    """Return the part of `kind` in a document that came from `where`.

    Raises:
        FlowError: it is not such a part.
    """
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        items = error.errors(include_url=False)
        # a list that is too short because an item was refused is not a mistake of its own
        outer = {item["loc"][:length] for item in items for length in range(len(item["loc"]))}
        causes = [item for item in items if item["loc"] not in outer]
        raise FlowError(listed(f"{where}: {_explain(item, document, kind)}" for item in causes)) from None


def flow_fields() -> str:
    """Return the names of a flow's fields."""
    return _fields(Flow)


def _explain(item: ErrorDetails, document: Any, kind: type[BaseModel]) -> str:  # noqa: ANN401 - the contents of a file
    location, message = item["loc"], item["msg"].removeprefix("Value error, ")
    if item["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        place = f"{_path(location, document, is_missing=False)}.do"
        given = f"is {shown(item['ctx']['tag'])}" if "tag" in item.get("ctx", {}) else "is missing"
        return f"{place} {given}: use one of {', '.join(STEPS)}"
    if item.get("ctx", {}).get("pattern") == NAME_PATTERN:
        message = "use at most 60 lower-case letters, digits and _, with a letter first"
    path = _path(location, document, is_missing=item["type"] == "missing")
    if not path:
        return message
    if item["type"] == "missing":
        return f"{path} is missing; the fields here are {_fields(_part_at(location[:-1], kind))}"
    if item["type"] == "extra_forbidden":
        fields = _fields(_part_at(location[:-1], kind))
        return f"{path} is {shown(item['input'])}: there is no such field; the fields here are {fields}"
    return f"{path} is {shown(item['input'])}: {message}"


def _path(location: Location, document: Any, *, is_missing: bool) -> str:  # noqa: ANN401 - the contents of a file
    """Return the place in the file, without the tags by which pydantic distinguishes kinds of parts."""
    path, at = "", document
    for number, name in enumerate(location):
        is_there = name in at if isinstance(at, dict) else isinstance(at, list | tuple) and isinstance(name, int)
        if is_there:
            at = at[name]
        elif not (is_missing and number == len(location) - 1):
            continue
        path += f"[{name}]" if isinstance(name, int) else f".{name}"
    return path.removeprefix(".")


def _fields(part: type[BaseModel]) -> str:
    return ", ".join(field.alias or name for name, field in part.model_fields.items())


def _part_at(location: Location, part: type[BaseModel]) -> type[BaseModel]:
    """Return the model that has a field at this place of the document."""
    is_tag = False
    for name in location:
        if isinstance(name, int) or name in FORMS:
            continue
        if is_tag:
            part, is_tag = _TAGGED[name], False
            continue
        field = next(field for known, field in part.model_fields.items() if name in {known, field.alias})
        kinds = list(_models(field.annotation))
        if len(kinds) == 1:
            part = kinds[0]
        is_tag = len(kinds) > 1
    return part


def _models(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - a type
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
