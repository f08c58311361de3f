"""Files that a replay can read, by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.container import SUFFIX
from streams.replay.files.columns import map_file
from streams.replay.files.container import read_container
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.files.mapping import MappingError
from streams.replay.replayer import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from streams.replay.files.mapped import Mapped
    from streams.replay.files.mapping import Mapping


def open_source(path: Path, mapping: Mapping | None, until_ms: int | None = None) -> Source:
    """Return a container of touchpoints (.avro), or a column file, which needs a mapping; read nothing yet.

    With `until_ms` it ends before the first touchpoint of that time, and only lines up to there are counted.

    Raises:
        MappingError: a column file has no mapping.
    """
    if path.suffix == SUFFIX:
        return Source(path.name, _before(until_ms, read_container(path)))
    if mapping is None:
        message = f"{path}: a table needs a mapping (--mapping); only {SUFFIX} files do without"
        raise MappingError(message)
    return Source(path.name, _before(until_ms, map_file(path, mapping)))


def _before(until_ms: int | None, mapped: Iterable[Mapped]) -> Iterator[Mapped]:
    for each in mapped:
        if until_ms is not None and isinstance(each, MappedTouchpoint) and each.touchpoint.time_ms >= until_ms:
            return
        yield each
