"""Files that a replay can read, by their names."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import fastavro

from schemas.container import SUFFIX
from streams.replay.files.columns import map_files
from streams.replay.files.container import read_container
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.files.mapping import MappingError
from streams.replay.files.parts import WHITESPACE, FileFormat
from streams.replay.files.texts import is_blank, is_for_excel, read_lines
from streams.replay.replayer import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from streams.replay.files.mapped import Mapped
    from streams.replay.files.mapping import Mapping


def open_source(path: Path, mapping: Mapping | None, until_ms: int | None = None) -> Source:
    """Return what `open_files` returns for one file."""
    return open_files([path], mapping, until_ms)


def open_files(paths: Sequence[Path], mapping: Mapping | None, until_ms: int | None = None) -> Source:
    """Return containers of touchpoints (.avro) and column files, which need a mapping, as one; read nothing yet.

    With `until_ms` it ends before the first touchpoint of that time, and only lines up to there are counted.

    Raises:
        MappingError: a column file has no mapping.
    """
    mapped: Iterable[Mapped]
    if mapping is not None:
        mapped = map_files(paths, mapping)
    elif tables := [path for path in paths if path.suffix != SUFFIX]:
        message = f"{tables[0]}: a table needs a mapping (--mapping); only {SUFFIX} files do without"
        raise MappingError(message)
    else:
        mapped = chain.from_iterable(map(read_container, paths))
    first, *others = [path.name for path in paths]
    return Source(first, _before(until_ms, mapped), tuple(others))


def lines_in(path: Path, mapping: Mapping | None = None) -> int:
    """Lines of a file that are neither blank nor its header, rows of a parquet file, or touchpoints of a container.

    Counted without the reader of rows, whose account it checks. Without a mapping a file is UTF-8 with a header.
    Raises ModuleNotFoundError for a parquet file without the extra `parquet`.
    """
    if path.suffix == SUFFIX:
        with path.open("rb") as container:
            return sum(block.num_records for block in fastavro.block_reader(container))
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq  # type: ignore[import-untyped]  # noqa: PLC0415 - only parquet needs this extra

        return int(pq.ParquetFile(path).metadata.num_rows)
    form = FileFormat(kind="csv") if mapping is None else mapping.file
    lines = (_plain(text) for raw, text, _ in read_lines(path, form.encoding) if not is_blank(raw))
    header = _plain((" " if form.delimiter == WHITESPACE else form.delimiter).join(form.columns))
    while not form.columns:
        header = next(lines, "")
        if not is_for_excel(header):
            break
    return sum(text != header for text in lines)


def _plain(text: str) -> str:
    return " ".join(text.replace('"', "").strip("\ufeff").split())


def _before(until_ms: int | None, mapped: Iterable[Mapped]) -> Iterator[Mapped]:
    for each in mapped:
        if until_ms is not None and isinstance(each, MappedTouchpoint) and each.touchpoint.time_ms >= until_ms:
            return
        yield each
