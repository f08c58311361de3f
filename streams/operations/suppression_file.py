"""Files of a suppression list: CSV with an address or its hash, and who wrote it, why and when."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple, TextIO

from schemas.limits import TIME_MS_MAX, TIME_MS_MIN
from streams.collect.addresses import address_hash, alone, is_address
from streams.collect.hiding import masked
from streams.profiles.bounds import utf8_bytes
from streams.profiles.statement import ALL, PROMOTIONAL, WHO_BYTES_MAX, WHY_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COLUMNS: Final = ("address", "scope", "who", "why", "when")
SCOPES: Final = (PROMOTIONAL, ALL)
LINE_CHARS_MAX: Final = 10_000
"""Characters of a line that is read. Ours have less than 400."""
_HASH: Final = re.compile(r"[0-9a-fA-F]{64}")
_SHOWN: Final = 2
"""Characters of a value that an error shows, which may be somebody's address."""


class WrongFile(ValueError):
    """A file that is no suppression list; the message says what is wrong."""


class WrongEntry(ValueError):
    """A value that no entry can have; the message names it without an address."""


class Entry(NamedTuple):
    """An address to put on the list."""

    address: str
    """SHA-256, hex."""
    is_all: bool
    who: str
    why: str
    time_ms: int | None
    """When it was written; None: now."""


class Refused(NamedTuple):
    """A line that cannot be used, and why."""

    line: int
    why: str


class Given(NamedTuple):
    """What holds where a line says nothing."""

    who: str
    why: str
    is_all: bool = False


def hashed(text: str) -> str:
    """Return the hash of a plain address, or a hash as it is, in small letters.

    Raises:
        WrongEntry: it is neither.
    """
    text = text.strip()
    if _HASH.fullmatch(text):
        return text.lower()
    plain = alone(text)
    if not is_address(plain):
        raise WrongEntry(f"the address is {hinted(text)}: allowed are an address and its SHA-256 with 64 hex digits")
    return address_hash(plain)


def hinted(text: str) -> str:
    """Return the first characters of a value and how many it has, so that it can be found but not read."""
    return f"{text[:_SHOWN]!r}... ({len(text)} characters)" if text else "empty"


def checked_who(text: str) -> str:
    """Return the name of a person without an address in it.

    Raises:
        WrongEntry: it is empty or too long.
    """
    return _short(text, "who", WHO_BYTES_MAX)


def checked_why(text: str) -> str:
    """Return a reason without an address in it.

    Raises:
        WrongEntry: it is empty or too long.
    """
    return _short(text, "why", WHY_BYTES_MAX)


def _short(text: str, name: str, bytes_max: int) -> str:
    text = masked(" ".join(text.split()))
    if not text:
        raise WrongEntry(f"{name} is empty: write it in a few words")
    if not text.isprintable() or utf8_bytes(text) > bytes_max:
        raise WrongEntry(f"{name} is {hinted(text)}: allowed are {bytes_max} bytes; an address in it has 64")
    return text


def read_entries(lines: TextIO, given: Given) -> Iterator[Entry | Refused]:
    """Yield the entries of a file in order, and the lines that cannot be used.

    The first line names the columns: `address`, and any of `scope`, `who`, `why` and `when`.

    Raises:
        WrongFile: its first line names no column `address`, or one that is not known, or it is no CSV.
    """
    reader = csv.reader(_short_lines(lines), strict=True)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        if "address" not in names or not set(names) <= set(COLUMNS) or len(set(names)) < len(names):
            others = ", ".join(COLUMNS[1:])
            raise WrongFile(f"the first line names the columns: address, and any of {others}, each once")
        for row in reader:
            if any(cell.strip() for cell in row):
                yield _entry(reader.line_num, names, row, given)
    except (csv.Error, UnicodeDecodeError) as error:
        raise WrongFile(f"line {reader.line_num}: it is no CSV in UTF-8 ({type(error).__name__})") from None


def _short_lines(lines: TextIO) -> Iterator[str]:
    # a line without an end must not fill the memory
    while line := lines.readline(LINE_CHARS_MAX):
        if len(line) == LINE_CHARS_MAX:
            raise csv.Error("a line is too long")
        yield line.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")


def _entry(line: int, names: list[str], row: list[str], given: Given) -> Entry | Refused:
    if len(row) != len(names):
        return Refused(line, f"it has {len(row)} values, and the first line names {len(names)} columns")
    values = {name: cell.strip() for name, cell in zip(names, row, strict=True)}
    try:
        return Entry(
            hashed(values["address"]),
            _is_all(values["scope"]) if values.get("scope") else given.is_all,
            checked_who(values.get("who") or given.who),
            checked_why(values.get("why") or given.why),
            time_of(values["when"]) if values.get("when") else None,
        )
    except WrongEntry as error:
        return Refused(line, str(error))


def _is_all(scope: str) -> bool:
    if scope not in SCOPES:
        raise WrongEntry(f"scope is {hinted(scope)}: allowed are {' and '.join(SCOPES)}")
    return scope == ALL


def time_of(text: str) -> int:
    """Return the time in a text such as 2026-03-02T10:00, in UTC unless it names a zone; ms.

    Raises:
        WrongEntry: it is none, or none that a record may have.
    """
    try:
        time = datetime.fromisoformat(text)
        time_ms = round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1_000)
    except (ValueError, OverflowError):
        time_ms = -1
    if not TIME_MS_MIN <= time_ms <= TIME_MS_MAX:
        raise WrongEntry(f"when is {hinted(text)}: write a time such as 2026-03-02T10:00 (UTC)")
    return time_ms


def write_entries(entries: Iterable[Entry], file: TextIO) -> int:
    """Write the entries as a file that `read_entries` reads; return how many there are."""
    writer, count = csv.writer(file, lineterminator="\n"), 0
    writer.writerow(COLUMNS)
    for each in entries:
        when = "" if each.time_ms is None else _shown(each.time_ms)
        writer.writerow((each.address, ALL if each.is_all else PROMOTIONAL, each.who, each.why, when))
        count += 1
    return count


def _shown(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1_000, UTC).isoformat(timespec="milliseconds")
