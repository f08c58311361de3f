"""Rows of a column file as texts, one after another, with their original bytes."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Protocol

from streams.collect.hiding import masked
from streams.replay.files.cells import BadDocumentError, Cells
from streams.replay.files.mapped import Origin, Reason, RefusedLines
from streams.replay.files.parts import WHITESPACE
from streams.replay.files.texts import ColumnFileError, is_blank, is_for_excel, read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from streams.replay.files.mapping import Mapping
    from streams.replay.files.parts import FileFormat
    from streams.replay.files.texts import Line

__all__ = ["ColumnFileError", "Row", "read_rows"]

_BATCH_ROWS = 8192
_ROW_BYTES_MAX = 1 << 20
"""Of a row's lines behind its first: a quotation mark that nobody closed may go on to the end of the file."""
_MARK = "\ufeff"
_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_SHOWN_COLUMNS_MAX = 50


class _Reader(Protocol):
    """A csv reader."""

    @property
    def line_num(self) -> int: ...

    def __next__(self) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Row:
    """Texts in the order of the mapping's `columns`; `lines` is above 1 where a quoted text contains line breaks.

    A row that says what is `wrong` has the texts that could be read, so that its order is known. A row that makes
    several lines of an order is there once for each, but from the second on with no bytes and 0 lines.
    """

    texts: tuple[str, ...]
    number: int
    raw: bytes
    lines: int = 1
    file: str = ""
    wrong: tuple[Reason, str] | None = None

    @property
    def origin(self) -> Origin:
        return Origin(self.file, self.number, self.raw, self.lines)

    def refused(self, reason: Reason, detail: str) -> RefusedLines:
        return self.origin.refused(reason, detail)


def read_rows(path: Path, mapping: Mapping) -> Iterator[Row | RefusedLines]:
    """Yield rows in file order, or why a line was refused; blank lines and repeated headers are no rows.

    Raises:
        ColumnFileError: the file is missing, empty or damaged, or lacks a column.
    """
    rows = _parquet(path, mapping) if mapping.file.kind == "parquet" else _csv(path, mapping)
    if not mapping.file.json_columns:
        yield from rows
        return
    cells = Cells(mapping)
    for row in rows:
        if isinstance(row, RefusedLines):
            yield row
        elif row.wrong is not None:
            yield replace(row, texts=cells.outside(row.texts))
        else:
            yield from _expanded(row, cells)


def _expanded(row: Row, cells: Cells) -> Iterator[Row | RefusedLines]:
    try:
        first, *others = cells.read(row.texts)
    except BadDocumentError as error:
        texts = cells.outside(row.texts)
        yield Row(texts, row.number, row.raw, row.lines, row.file, (Reason.BAD_JSON, str(error)))
        return
    yield Row(first, row.number, row.raw, row.lines, row.file)
    for each in others:
        yield Row(each, row.number, b"", 0, row.file)


class _Lines:
    """Lines for the csv reader, which remember the bytes of the current row."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self.taken: list[bytes] = []
        self.wrong: str | None = None
        self._further_bytes = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        raw, text, wrong = next(self._lines)
        if self.taken:
            self._further_bytes += len(raw)
        self.taken.append(raw)
        if wrong is not None:
            self.wrong = wrong
        if self._further_bytes > _ROW_BYTES_MAX:
            raise csv.Error(f"a row with line breaks has more than {_ROW_BYTES_MAX} bytes")
        return text

    def bytes_and_height(self) -> tuple[bytes, int]:
        """Return the bytes of the current row, and how many lines it has that are not blank, at least one."""
        return b"".join(self.taken), sum(not is_blank(raw) for raw in self.taken) or 1

    def forget(self) -> None:
        self.taken = []
        self.wrong = None
        self._further_bytes = 0


class _Whitespace:
    """A reader of lines whose columns are kept apart by runs of blanks; it counts lines as a csv reader does."""

    def __init__(self, lines: _Lines) -> None:
        self._lines = lines
        self.line_num = 0

    def __next__(self) -> list[str]:
        fields = next(self._lines).split()
        self.line_num += 1
        return fields


def _reader(lines: _Lines, form: FileFormat) -> _Reader:
    if form.delimiter == WHITESPACE:
        return _Whitespace(lines)
    has_blanks = form.delimiter != " "
    if form.quotes:
        return csv.reader(lines, delimiter=form.delimiter, skipinitialspace=has_blanks)
    return csv.reader(lines, delimiter=form.delimiter, skipinitialspace=has_blanks, quoting=csv.QUOTE_NONE)


def _header(path: Path, reader: _Reader, mapping: Mapping) -> list[str]:
    header: list[str] = []
    while not any(header) or (len(header) <= 2 and is_for_excel(header[0])):  # noqa: PLR2004
        try:
            header = next(reader)
        except StopIteration:
            message = f"{path}: it is empty; it needs a header with the columns {', '.join(mapping.file_columns)}"
            raise ColumnFileError(message) from None
        except csv.Error as error:
            raise ColumnFileError(f"{path}: line 1: {error}") from None
    return header


def _csv(path: Path, mapping: Mapping) -> Iterator[Row | RefusedLines]:
    form = mapping.file
    lines = _Lines(read_lines(path, form.encoding))
    reader = _reader(lines, form)
    header = list(form.columns) or _header(path, reader, mapping)
    names = [name.strip().strip(_MARK) for name in header]
    indexes = _indexes(path, names, mapping)
    pick, width, empty = _picker(indexes), len(names), frozenset(form.empty)
    lines.forget()
    while True:
        number = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield RefusedLines(Reason.BAD_COLUMNS, str(error), number, *lines.bytes_and_height(), path.name)
            lines.forget()
            continue
        raw, height = (lines.taken[0], 1) if len(lines.taken) == 1 else lines.bytes_and_height()
        if len(fields) > width and not any(fields[width:]):
            del fields[width:]
        is_whole = len(fields) == width
        texts = pick(fields if is_whole else (fields + [""] * width)[:width])
        if not empty.isdisjoint(texts):
            texts = tuple(["" if text in empty else text for text in texts])
        if is_whole and lines.wrong is None:
            if (any(texts) or not is_blank(raw)) and not (names[0] in fields[0] and _is_header(fields, names)):
                yield Row(texts, number, raw, height, path.name)
        elif not is_blank(raw):
            columns = (Reason.BAD_COLUMNS, f"{len(fields)} columns where the header has {width}")
            wrong = columns if lines.wrong is None else (Reason.BAD_ENCODING, lines.wrong)
            yield Row(texts, number, raw, height, path.name, wrong)
        lines.forget()


def _is_header(fields: list[str], names: list[str]) -> bool:
    """Return whether a row is the header again, as between files that were put together."""
    return [name.strip().strip(_MARK) for name in fields] == names


def _picker(indexes: list[int]) -> Callable[[list[str]], tuple[str, ...]]:
    if len(indexes) == 1:
        only = indexes[0]
        return lambda fields: (fields[only],)
    return itemgetter(*indexes)


def _indexes(path: Path, header: list[str], mapping: Mapping) -> list[int]:
    wanted = mapping.file_columns
    # a file without a header has a customer in its first line
    has = ", ".join(map(masked, header[:_SHOWN_COLUMNS_MAX]))
    missing = [name for name in wanted if name not in header]
    if missing:
        raise ColumnFileError(
            f"{path}: line 1: column {', '.join(missing)} is missing{_hint(header, mapping.file)}; the file has {has}; "
            f"the mapping reads {', '.join(wanted)}"
        )
    twice = [name for name in wanted if header.count(name) > 1]
    if twice:
        raise ColumnFileError(f"{path}: line 1: column {', '.join(twice)} is there twice; the file has {has}")
    return [header.index(name) for name in wanted]


def _hint(header: list[str], form: FileFormat) -> str:
    """Return what may be wrong with a mapping whose columns a header does not have."""
    if "\0" in "".join(header):
        return ' (it looks like UTF-16: name file: {encoding: "utf-16-le"} in the mapping)'
    if len(header) > 1 or form.kind == "parquet":
        return ""
    apart = [name for sign, name in _DELIMITERS.items() if sign in header[0] and sign != form.delimiter]
    return f" (it has {' or '.join(apart)} between its columns: name file.delimiter in the mapping)" if apart else ""


def _parquet(path: Path, mapping: Mapping) -> Iterator[Row]:
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415 - only parquet needs it
        import pyarrow.parquet as pq  # type: ignore[import-untyped]  # noqa: PLC0415
    except ModuleNotFoundError:
        message = f"{path}: parquet needs pyarrow, which is not installed: pip install 'touchstream[parquet]'"
        raise ColumnFileError(message) from None
    try:
        file = pq.ParquetFile(path)
        wanted = mapping.file_columns
        _indexes(path, list(file.schema_arrow.names), mapping)
        number = 1
        for batch in file.iter_batches(_BATCH_ROWS, columns=list(wanted)):
            named = [batch.column(batch.schema.get_field_index(name)) for name in wanted]
            texts = [column.cast(pa.string()).fill_null("").to_pylist() for column in named]
            for row in zip(*texts, strict=True):
                number += 1
                yield Row(row, number, ",".join(row).encode(), file=path.name)
    except OSError as error:
        message = f"{path}: cannot be read: {type(error).__name__}: {error}"
        raise ColumnFileError(message) from error
    except pa.ArrowException as error:
        message = f"{path}: it is damaged, or not a Parquet file: {error}"
        raise ColumnFileError(message) from error
