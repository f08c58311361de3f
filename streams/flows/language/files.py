"""Flow files, and those that come with the product."""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING, Any

import yaml

from streams.flows.language.mistakes import FlowError, flow_fields, parse_flow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.abc import Traversable
    from pathlib import Path

    from pydantic import JsonValue

    from streams.flows.language.flow import Flow

LIBRARY = resources.files("streams.flows") / "library"
_PUBLISHED = ("abandoned_cart",)
"""Without a word from the operator: a further flow is his to choose, for it writes to his customers."""


class _Loader(yaml.SafeLoader):
    """As safe_load, but 21:00 is a time of day, not 1,260, and a time is a text, as in JSON."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":int"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(0|[1-9][0-9_]*)$"), list("-+0123456789"))


def load_flow(path: Path | Traversable) -> Flow:
    """The flow in a YAML file.

    Raises:
        FlowError: the file cannot be read, or holds no flow.
    """
    return parse_flow(read_document(path), str(path))


def read_document(path: Path | Traversable) -> dict[str, JsonValue]:
    """What a YAML file holds, as it is published (DomainSettings.flows); its fields are not checked.

    Raises:
        FlowError: the file cannot be read, or is no mapping.
    """
    document = read_yaml(path)
    if not isinstance(document, dict):
        raise FlowError(f"{path}: holds {type(document).__name__}; a flow is a mapping of {flow_fields()}")
    return document


def read_yaml(path: Path | Traversable) -> Any:  # noqa: ANN401 - whatever stands there
    """What a YAML file holds.

    Raises:
        FlowError: the file cannot be read.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise FlowError(f"{path}: {error.strerror}; a flow is a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FlowError(f"{path}: not YAML: {error}") from None


def library_documents(*ids: str) -> tuple[dict[str, JsonValue], ...]:
    """The product's flows of these ids, in their order; none named: those that are published by default."""
    return tuple(read_document(LIBRARY / f"{flow_id}.yaml") for flow_id in ids or _PUBLISHED)


def files_of(paths: Iterable[Path | Traversable]) -> Iterator[Path | Traversable]:
    """The paths themselves, and of those that are folders their flow files.

    Raises:
        FlowError: a folder has none.
    """
    for path in paths:
        yield from flow_files(path) if path.is_dir() else [path]


def flow_files(folder: Path | Traversable) -> list[Path | Traversable]:
    """The flow files of a folder, by name.

    Raises:
        FlowError: there are none.
    """
    files = [file for file in folder.iterdir() if file.is_file() and file.name.endswith((".yaml", ".yml"))]
    if not files:
        raise FlowError(f"{folder}: no flow files; their names end in .yaml or .yml")
    return sorted(files, key=lambda file: file.name)
