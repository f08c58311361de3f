"""Canonical touchpoints in an Avro object container file (Avro 1.11), deflated; `generate` writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from schemas.catalogue import parsed_schema
from schemas.container import read_blocks, write_blocks
from schemas.touchpoint import Touchpoint
from streams.replay.files.mapped import MappedTouchpoint, Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_RECORD = "touchstream.v1.Touchpoint"


def write_container(path: Path, touchpoints: Iterable[Touchpoint]) -> int:
    """Write them in the given order and return their number; the same touchpoints make the same bytes."""
    return write_blocks(path, parsed_schema("touchpoint"), _RECORD, map(msgspec.to_builtins, touchpoints))


def read_container(path: Path) -> Iterator[MappedTouchpoint]:
    """Yield touchpoints in file order, each as one line of the account; blocks before a damaged one are read.

    Raises:
        ContainerError: the file cannot be read, is not such a container, or is cut off or damaged.
    """
    read = read_blocks(path, parsed_schema("touchpoint"), _RECORD, _touchpoint)
    for number, touchpoint in enumerate(read, 1):
        yield MappedTouchpoint(touchpoint, 1, (Origin(path.name, number, b"", 1),))


def _touchpoint(read: Any) -> Touchpoint:  # noqa: ANN401 - as fastavro reads
    return msgspec.convert(read, Touchpoint)
