"""Rows of a column file as texts, one after another, with their original bytes."""

from __future__ import annotations

import csv
import gzip
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from streams.collect.hiding import masked
from streams.replay.files.mapped import Origin, Reason, RefusedLines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.replay.files.mapping import Mapping

_BATCH_ROWS = 8192
_BOM = b"\xef\xbb\xbf"


class ColumnFileError(ValueError):
    """A file cannot be read as its mapping says; the message names the file and what was expected."""


@dataclass(frozen=True, slots=True)
class Row:
    """Texts in the order of the mapping's `columns`; `lines` is above 1 where a quoted text contains line breaks."""

    texts: tuple[str, ...]
    number: int
    raw: bytes
    lines: int = 1
    file: str = ""

    @property
    def origin(self) -> Origin:
        return Origin(self.file, self.number, self.raw, self.lines)

    def refused(self, reason: Reason, detail: str) -> RefusedLines:
        return self.origin.refused(reason, detail)


def read_rows(path: Path, mapping: Mapping) -> Iterator[Row | RefusedLines]:
    """Yield rows in file order, or why a line was refused.

    Raises:
        ColumnFileError: the file is missing, empty or damaged, or lacks a column.
    """
    try:
        if mapping.file.kind == "parquet":
            yield from _parquet(path, mapping)
        elif path.suffix == ".gz":
            with gzip.open(path, "rb") as unpacked:
                yield from _csv(path, unpacked, mapping)
        else:
            with path.open("rb") as plain:
                yield from _csv(path, plain, mapping)
    except (OSError, EOFError, zlib.error) as error:
        message = f"{path}: cannot be read: {type(error).__name__}: {error}"
        raise ColumnFileError(message) from error


class _Binary(Protocol):
    def readline(self) -> bytes: ...


class _Lines:
    """Decoded lines for the csv reader, which remember the bytes of the current row."""

    def __init__(self, binary: _Binary) -> None:
        self._binary = binary
        self.taken: list[bytes] = []
        self.damaged = False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        raw = self._binary.readline()
        if not raw:
            raise StopIteration
        self.taken.append(raw)
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            self.damaged = True
            return raw.decode("utf-8", "replace")

    def forget(self) -> None:
        self.taken = []
        self.damaged = False


def _csv(path: Path, binary: _Binary, mapping: Mapping) -> Iterator[Row | RefusedLines]:
    lines = _Lines(binary)
    reader = csv.reader(lines, delimiter=mapping.file.delimiter)
    header = next(reader, None)
    if header is None:
        message = f"{path}: it is empty; it needs a header with the columns {', '.join(mapping.columns)}"
        raise ColumnFileError(message)
    header[0] = header[0].removeprefix(_BOM.decode("utf-8"))
    indexes = _indexes(path, header, mapping)
    lines.forget()
    while True:
        number = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fields = None
            detail = str(error)
        raw, height = b"".join(lines.taken), len(lines.taken)
        if lines.damaged:
            yield RefusedLines(Reason.BAD_ENCODING, "not UTF-8", number, raw, height, path.name)
        elif fields is None:
            yield RefusedLines(Reason.BAD_COLUMNS, detail, number, raw, height, path.name)
        elif len(fields) != len(header):
            detail = f"{len(fields)} columns where the header has {len(header)}"
            yield RefusedLines(Reason.BAD_COLUMNS, detail, number, raw, height, path.name)
        else:
            yield Row(tuple([fields[index] for index in indexes]), number, raw, height, path.name)
        lines.forget()


def _indexes(path: Path, header: list[str], mapping: Mapping) -> list[int]:
    missing = [name for name in mapping.columns if name not in header]
    if missing:
        message = (
            # a file without a header has a customer in its first line
            f"{path}: column {', '.join(missing)} is missing; the file has {', '.join(map(masked, header))}; "
            f"the mapping reads {', '.join(mapping.columns)}"
        )
        raise ColumnFileError(message)
    return [header.index(name) for name in mapping.columns]


def _parquet(path: Path, mapping: Mapping) -> Iterator[Row]:
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415 - only parquet needs it
        import pyarrow.parquet as pq  # type: ignore[import-untyped]  # noqa: PLC0415
    except ModuleNotFoundError:
        message = f"{path}: parquet needs pyarrow, which is not installed: pip install 'touchstream[parquet]'"
        raise ColumnFileError(message) from None
    try:
        file = pq.ParquetFile(path)
        _indexes(path, list(file.schema_arrow.names), mapping)
        number = 1
        for batch in file.iter_batches(_BATCH_ROWS, columns=list(mapping.columns)):
            named = [batch.column(batch.schema.get_field_index(name)) for name in mapping.columns]
            texts = [column.cast(pa.string()).fill_null("").to_pylist() for column in named]
            for row in zip(*texts, strict=True):
                number += 1
                yield Row(row, number, ",".join(row).encode(), file=path.name)
    except pa.ArrowException as error:
        message = f"{path}: it is damaged, or not a Parquet file: {error}"
        raise ColumnFileError(message) from error
