"""Rows of column files sorted by their time in bounded memory."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import msgspec

from schemas.limits import SOLD_BYTES_MAX, SOLD_CACHE_BYTES
from streams.replay.files.rows import Row
from streams.replay.files.texts import ColumnFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

_PAGE_BYTES = 4_096
_SETUP = f"""
    PRAGMA page_size = {_PAGE_BYTES};
    PRAGMA cache_size = -{SOLD_CACHE_BYTES // 1024};
    PRAGMA journal_mode = OFF;
    CREATE TABLE lines (time INTEGER, number INTEGER, row BLOB, PRIMARY KEY (time, number)) WITHOUT ROWID;
"""
_ENDS_MAX = 1_000
_BATCH_ROWS = 1_000
_Kept = tuple[tuple[str, ...], int, bytes, int, str]


class Sorter:
    """A private database of SQLite, in memory up to SOLD_CACHE_BYTES and beyond in a file that ends with it.

    Rows of one time stay in the order in which they were put. Use it in a `with`.

    Raises ColumnFileError where there is no room.
    """

    def __init__(self, bytes_max: int = SOLD_BYTES_MAX) -> None:
        # the empty name makes a temporary database. It is never committed: nobody reads it again
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_SETUP)
        self._database.execute(f"PRAGMA max_page_count = {bytes_max // _PAGE_BYTES}")
        self._database.execute("BEGIN")
        self._bytes_max = bytes_max
        self._waiting: list[tuple[int, int, bytes]] = []
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def put(self, time_ms: int, row: Row) -> None:
        self._number += 1
        kept = msgspec.msgpack.encode((row.texts, row.number, row.raw, row.lines, row.file))
        self._waiting.append((time_ms, self._number, kept))
        if len(self._waiting) >= _BATCH_ROWS:
            self._flush()

    def sorted(self) -> Iterator[tuple[Row, int]]:
        """Yield the rows with their times, the earliest first."""
        self._flush()
        for time_ms, kept in self._database.execute("SELECT time, row FROM lines ORDER BY time, number"):
            yield Row(*msgspec.msgpack.decode(kept, type=_Kept)), time_ms

    def times_at_the_ends(self) -> list[int]:
        """Return the distinct times, or only the first and last of them where there are many."""
        self._flush()
        found: list[int] = []
        for order in ("ASC", "DESC"):
            query = f"SELECT DISTINCT time FROM lines ORDER BY time {order} LIMIT {_ENDS_MAX}"  # noqa: S608 - no input
            found += [time_ms for (time_ms,) in self._database.execute(query)]
        return found

    def _flush(self) -> None:
        try:
            self._database.executemany("INSERT INTO lines VALUES (?, ?, ?)", self._waiting)
        except sqlite3.Error as error:
            raise ColumnFileError(
                f"the lines cannot be sorted: {error}. They may take {self._bytes_max} bytes in the folder for "
                "temporary files. Name a folder with more room in SQLITE_TMPDIR, or sort the file by its times"
            ) from error
        self._waiting = []
