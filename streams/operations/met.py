"""The customers whom an import has met, each once and in that order."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from schemas.limits import SOLD_CACHE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

_SETUP = f"""
    PRAGMA cache_size = -{SOLD_CACHE_BYTES // 1024};
    PRAGMA journal_mode = OFF;
    CREATE TABLE met (number INTEGER PRIMARY KEY, key BLOB UNIQUE);
"""


class Met:
    """A private database of SQLite, in memory up to its cache and beyond in a file that ends with it.

    A key takes 2 x its bytes and 20: ten million customers have 600 MB. Use it in a `with`.
    """

    def __init__(self) -> None:
        # the empty name makes a temporary database. It is never committed: nobody reads it again
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_SETUP)
        self._database.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def note(self, key: bytes) -> None:
        """Note the key of a customer, who may have been met before."""
        self._database.execute("INSERT OR IGNORE INTO met (key) VALUES (?)", (key,))

    def __len__(self) -> int:
        (count,) = self._database.execute("SELECT count(*) FROM met").fetchone()
        return int(count)

    def behind(self, count: int) -> Iterator[bytes]:
        """Yield the keys in the order in which they were met, without the first `count`."""
        rows = self._database.execute("SELECT key FROM met ORDER BY number LIMIT -1 OFFSET ?", (count,))
        for (key,) in rows:
            yield key
