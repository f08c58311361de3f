"""Flow files, also those that come with the product."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

from streams.flows.language.contents import parse_file
from streams.flows.language.documents import DocumentError, parse_yaml, read_text
from streams.flows.language.mistakes import FlowError, flow_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.abc import Traversable
    from pathlib import Path

    from pydantic import JsonValue

    from streams.flows.language.flow import Flow

LIBRARY = resources.files("streams.flows") / "library"
_PUBLISHED = ("abandoned_cart",)
"""Flows published by default; operators choose any further ones, which write to their customers."""


def load_flow(path: Path | Traversable) -> Flow:
    """Return the flow in a YAML file.

    Raises:
        FlowError: the file cannot be read, does not hold a flow, or a message of it would be empty.
    """
    return parse_file(read_document(path), str(path))


def read_document(path: Path | Traversable) -> dict[str, JsonValue]:
    """Return the contents of a YAML file, ready to publish (DomainSettings.flows); its fields are not checked.

    Raises:
        FlowError: the file cannot be read, or is not a mapping.
    """
    document = read_yaml(path)
    if not isinstance(document, dict):
        raise FlowError(f"{path}: it holds a {type(document).__name__}; a flow is a mapping of {flow_fields()}")
    return document


def read_yaml(path: Path | Traversable) -> Any:  # noqa: ANN401 - any content of the file
    """Return the contents of a YAML file.

    Raises:
        FlowError: the file cannot be read, or is not YAML within the limits of such files.
    """
    try:
        return parse_yaml(read_text(path))
    except OSError as error:
        raise FlowError(f"{path}: {error.strerror}; a flow is a YAML file") from None
    except DocumentError as error:
        raise FlowError(f"{path}: {error}") from None


def library_documents(*ids: str) -> tuple[dict[str, JsonValue], ...]:
    """Return the product's flows with these ids, in their order; without ids, those published by default."""
    return tuple(read_document(LIBRARY / f"{flow_id}.yaml") for flow_id in ids or _PUBLISHED)


def files_of(paths: Iterable[Path | Traversable]) -> Iterator[Path | Traversable]:
    """Yield the files among the paths, and the flow files of the folders among them.

    Raises:
        FlowError: a folder has none.
    """
    for path in paths:
        yield from flow_files(path) if path.is_dir() else [path]


def flow_files(folder: Path | Traversable) -> list[Path | Traversable]:
    """Return the flow files of a folder, by name.

    Raises:
        FlowError: there are none.
    """
    files = [file for file in folder.iterdir() if file.is_file() and file.name.endswith((".yaml", ".yml"))]
    if not files:
        raise FlowError(f"{folder}: no flow files found; their names must end in .yaml or .yml")
    return sorted(files, key=lambda file: file.name)
