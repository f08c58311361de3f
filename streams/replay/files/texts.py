"""Lines of a text file with their bytes: encodings, byte order marks, and the three ways to end a line."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK_BYTES = 1 << 20
_BEGINNING_BYTES = 1 << 16
_LINE_BYTES_MAX = 1 << 20
"""Of a piece that a file is read in, where it has no line end in so many bytes: memory stays bounded."""
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_WIDE = frozenset({"utf-16-le", "utf-16-be"})
_SEPARATED_BY = re.compile(r'"?sep=.?"?', re.IGNORECASE)
_BLANK = b' \t\r\n\x00,;"|'
"""Bytes of a line that says nothing, such as the empty rows below a table in a spreadsheet."""


class ColumnFileError(ValueError):
    """A file cannot be read as its mapping says; the message names the file and what was expected."""


Line: TypeAlias = tuple[bytes, str, str | None]
"""The bytes of a line with its end, its text, and which byte is not of the encoding, and is replaced in the text."""


class _Form(NamedTuple):
    encoding: str
    mark: bytes
    end: bytes


def is_blank(raw: bytes) -> bool:
    """Return whether a line holds nothing but blanks, quotes and delimiters: it counts as no line."""
    return not raw.strip(_BLANK)


def is_for_excel(text: str) -> bool:
    """Return whether a first line is only there for Excel, and names the delimiter, as sep=; does."""
    return _SEPARATED_BY.fullmatch(text.strip()) is not None


def read_lines(path: Path, encoding: str | None) -> Iterator[Line]:
    """Yield the lines of a file, packed by gzip or not, without a byte order mark at its beginning.

    Lines end in LF, CRLF, or CR alone where the file has no LF at its beginning. A mark goes before `encoding`,
    which is UTF-8 where it is None.

    Raises:
        ColumnFileError: it cannot be opened, or is damaged.
    """
    with _opened(path) as (binary, form):
        name = form.encoding if form.mark else _plain(encoding)
        raws = _wide_lines(binary, name) if name in _WIDE else _byte_lines(binary, form.end)
        for raw in raws:
            try:
                yield raw, raw.decode(name), None
            except UnicodeDecodeError as error:
                wrong = f"byte {raw[error.start]:#04x} at place {error.start + 1} of the line is not {name}"
                yield raw, raw.decode(name, "replace"), wrong


def check_encoding(path: Path, encoding: str | None) -> None:
    """Check that a file whose encoding is not named is UTF-8, or has a byte order mark; reads the whole file.

    Raises:
        ColumnFileError: it is not; the message names the first byte that is not, and what to write in the mapping.
    """
    if encoding is not None:
        return
    with _opened(path) as (binary, form):
        if form.encoding in _WIDE:
            return
        decoder = codecs.getincrementaldecoder("utf-8")()
        lines = 1
        while chunk := binary.read(_CHUNK_BYTES):
            pending = decoder.getstate()[0]
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                raise _not_utf8(path, error, lines, form.end, len(pending)) from None
            lines += chunk.count(form.end)


def _not_utf8(path: Path, error: UnicodeDecodeError, lines: int, end: bytes, pending: int) -> ColumnFileError:
    before = error.object[: error.start]
    number = lines + before.count(end, pending)
    wrong = error.object[error.start]
    return ColumnFileError(
        f"{path}: line {number}: byte {wrong:#04x} is not UTF-8. Name the encoding in the mapping, such as "
        "file: {encoding: cp1252} for Excel on Windows, mac-roman for Excel on a Mac, or latin-1; "
        "with file: {encoding: utf-8} only the lines with such bytes are refused"
    )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, _Form]]:
    """Open a file behind its byte order mark."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as opened:
            # the reader of gzip is slow at single lines
            binary = cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", opened), _CHUNK_BYTES))
            form = _form(binary.read(_BEGINNING_BYTES))
            binary.seek(len(form.mark))
            yield binary, form
    except (OSError, EOFError, zlib.error) as error:
        message = f"{path}: cannot be read: {type(error).__name__}: {error}"
        raise ColumnFileError(message) from error


def _form(beginning: bytes) -> _Form:
    mark, encoding = next(((mark, name) for mark, name in _MARKS if beginning.startswith(mark)), (b"", "utf-8"))
    return _Form(encoding, mark, b"\r" if b"\r" in beginning and b"\n" not in beginning else b"\n")


def _plain(encoding: str | None) -> str:
    """Return the encoding of a file without a mark."""
    return "utf-16-le" if encoding == "utf-16" else encoding or "utf-8"


def _byte_lines(binary: BinaryIO, end: bytes) -> Iterator[bytes]:
    if end == b"\n":
        while raw := binary.readline(_LINE_BYTES_MAX):
            yield raw
        return
    rest = b""
    while chunk := binary.read(_CHUNK_BYTES):
        *whole, rest = (rest + chunk).split(end)
        for raw in whole:
            yield raw + end
        if len(rest) > _LINE_BYTES_MAX:
            yield rest
            rest = b""
    if rest:
        yield rest


def _wide_lines(binary: BinaryIO, encoding: str) -> Iterator[bytes]:
    """Yield lines of two-byte characters; half a character at the end is in a line that is not of the encoding."""
    lone = "surrogatepass"
    decoder = codecs.getincrementaldecoder(encoding)(lone)
    end, rest = "", ""
    while chunk := binary.read(_CHUNK_BYTES):
        text = decoder.decode(chunk)
        end = end or ("\r" if "\r" in text and "\n" not in text else "\n")
        *whole, rest = (rest + text).split(end)
        for each in whole:
            yield (each + end).encode(encoding, lone)
        if len(rest) > _LINE_BYTES_MAX:
            yield rest.encode(encoding, lone)
            rest = ""
    if last := rest.encode(encoding, lone) + decoder.getstate()[0]:
        yield last
