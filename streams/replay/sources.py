"""What a replay can read, by the file's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.replay.columns import map_file
from streams.replay.container import SUFFIX, read_container
from streams.replay.mapping import MappingError
from streams.replay.replayer import Source

if TYPE_CHECKING:
    from pathlib import Path

    from streams.replay.mapping import Mapping


def open_source(path: Path, mapping: Mapping | None) -> Source:
    """A container of touchpoints (.avro), or a column file, which needs a mapping; nothing is read yet.

    Raises:
        MappingError: a column file without a mapping.
    """
    if path.suffix == SUFFIX:
        return Source(path.name, read_container(path))
    if mapping is None:
        message = f"{path}: a column file needs a mapping; without one only {SUFFIX} files are read"
        raise MappingError(message)
    return Source(path.name, map_file(path, mapping))
