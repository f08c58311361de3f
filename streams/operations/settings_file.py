"""The settings that decide, combined for publication: a YAML file, variables, flow files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from streams.flows.language.attribute_checks import check_attributes
from streams.flows.language.contents import parse_file
from streams.flows.language.documents import DocumentError, listed, parse_json, parse_yaml, read_text, shown
from streams.flows.language.files import files_of, library_documents, read_document
from streams.flows.language.flow_set import compile_flows
from streams.flows.language.mistakes import FlowError
from streams.settings import DOMAIN_PREFIX, DomainSettings, SettingsError, domain_variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pydantic import JsonValue

    from streams.attributes import Attribute

_UNKNOWN = "extra_forbidden"
"""Pydantic's type of error for a name that no setting has."""
_STATES = "flow_states"
_ATTRIBUTES = "attributes"


def configured(
    file: Path | None = None, flows: Iterable[Path] = (), environment: Mapping[str, str] | None = None
) -> DomainSettings:
    """Return the settings to publish: those of `file`, overridden by TOUCHSTREAM_DOMAIN_* variables, and the flows.

    `flows` are files or folders of them. Without any, the flows are those of `file`, or else the product's.

    Raises:
        SettingsError: a value is not allowed; the message names the file and the path in it, or the variable.
        FlowError: a flow file cannot be used.
    """
    values = {} if file is None else _read_settings(file)
    texts = domain_variables(environment)
    if _STATES in {*values, *texts}:
        raise SettingsError(
            f"{_STATES} is given, but only `touchstream flows publish`, `pause` and `resume` write it; leave it out"
        )
    paths = tuple(flows)
    if paths:
        values["flows"] = read_flows(paths)
    elif "flows" not in values:
        values["flows"] = library_documents()
    domain = _checked(values, file, texts)
    try:
        for number, flow in enumerate(compile_flows(domain.flows).flows.values()):
            check_attributes(flow, domain.attributes, f"flows[{number}]")
    except FlowError as error:
        raise FlowError(error if paths or file is None else f"{file}: {error}") from None
    return domain


def catalogue(file: Path | None = None, environment: Mapping[str, str] | None = None) -> dict[str, Attribute] | None:
    """Return the catalogue of attributes of a file or of its variable; None: neither says anything.

    Raises:
        SettingsError: a setting is wrong.
    """
    if file is None and _ATTRIBUTES not in domain_variables(environment):
        return None
    values = {} if file is None else _read_settings(file)
    texts = {name: text for name, text in domain_variables(environment).items() if name == _ATTRIBUTES}
    return _checked({_ATTRIBUTES: values.get(_ATTRIBUTES, {})}, file, texts).attributes


def names_flows(
    file: Path | None = None, flows: Iterable[Path] = (), environment: Mapping[str, str] | None = None
) -> bool:
    """Return whether the sources of `configured` name the flows to publish."""
    values = {} if file is None else _read_settings(file)
    return any(flows) or "flows" in {*values, *domain_variables(environment)}


def _checked(values: dict[str, Any], file: Path | None, texts: Mapping[str, str]) -> DomainSettings:
    try:
        return DomainSettings.model_validate(values | {name: _value_of(name, text) for name, text in texts.items()})
    except ValidationError as error:
        wrong = error.errors(include_url=False)
        unknown = next((item for item in wrong if item["type"] == _UNKNOWN and len(item["loc"]) == 1), None)
        raise SettingsError(listed(_explain(item, file, texts, with_names=item is unknown) for item in wrong)) from None


def _read_settings(file: Path) -> dict[str, Any]:
    try:
        values = parse_yaml(read_text(file))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}; --settings needs a YAML file") from None
    except DocumentError as error:
        raise SettingsError(f"{file}: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(f"{file}: it holds a {type(values).__name__}; it must be a mapping of {_allowed()}")
    return values


def read_flows(paths: Iterable[Path]) -> tuple[dict[str, JsonValue], ...]:
    """Return the documents of flow files, or of folders of them, each checked.

    Raises:
        FlowError: a file cannot be used; the message names it.
    """
    documents = []
    for file in files_of(paths):
        documents.append(read_document(file))
        parse_file(documents[-1], str(file))  # an error names the file only here
    return tuple(documents)


def _value_of(name: str, text: str) -> JsonValue:
    """Return a variable's text, or its value if it is written as a JSON object or list."""
    if text[:1] not in {"{", "["}:
        return text
    try:
        value: JsonValue = parse_json(text)
    except DocumentError as error:
        raise SettingsError(f"{DOMAIN_PREFIX}{name.upper()} is {shown(text)}: {error}") from None
    return value


def _explain(item: Any, file: Path | None, texts: Mapping[str, str], *, with_names: bool) -> str:  # noqa: ANN401 - pydantic_core.ErrorDetails
    """Return what is wrong with a value; with_names names all settings, which is enough for the first unknown one."""
    first, *rest = (str(part) for part in item["loc"]) if item["loc"] else ("the whole",)
    if first in texts:
        place = ".".join([f"{DOMAIN_PREFIX}{first.upper()}", *rest])
    else:
        place = f"{file}: {'.'.join([first, *rest])}"
    if item["type"] == _UNKNOWN and not rest:
        names = f"; the settings are {_allowed()}" if with_names else ""
        return f"{place} is {shown(item['input'])}: there is no such setting{names}"
    return f"{place} is {shown(item['input'])}: {item['msg'].removeprefix('Value error, ')}"


def _allowed() -> str:
    return ", ".join(name for name in DomainSettings.model_fields if name != _STATES)
