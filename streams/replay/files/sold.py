"""Memory of the orders of a replay, over all of its files: which are closed, and what of them can still be refunded."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from xxhash import xxh3_128_digest

from schemas.limits import SOLD_BYTES_MAX, SOLD_CACHE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

_PAGE_BYTES = 4_096
_SETUP = f"""
    PRAGMA page_size = {_PAGE_BYTES};
    PRAGMA cache_size = -{SOLD_CACHE_BYTES // 1024};
    PRAGMA journal_mode = OFF;
    CREATE TABLE closed (order_hash BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE counted (digest BLOB PRIMARY KEY, times INTEGER) WITHOUT ROWID;
    CREATE TABLE bought (
        customer TEXT, sku TEXT, number INTEGER, order_id TEXT, pieces INTEGER, PRIMARY KEY (customer, sku, number)
    ) WITHOUT ROWID;
"""
_BOUGHT = "INSERT INTO bought VALUES (?, ?, ?, ?, ?)"
_COUNTED = "INSERT INTO counted VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times"
_LATEST = """
    SELECT number, order_id FROM bought
    WHERE customer = ? AND sku = ? AND pieces >= ? ORDER BY number DESC LIMIT 1
"""
_TAKEN_BACK = "UPDATE bought SET pieces = pieces - ? WHERE customer = ? AND sku = ? AND number = ?"


class SoldError(RuntimeError):
    """The orders of a replay no longer fit; the message says where, and what to do."""


class Sold:
    """A private database of SQLite, in memory up to SOLD_CACHE_BYTES and beyond in a file that ends with it.

    Nothing is forgotten during a replay, so that where files begin and end decides nothing. Use it in a `with`.
    """

    def __init__(self, bytes_max: int = SOLD_BYTES_MAX) -> None:
        # the empty name makes a temporary database. It is never committed: nobody reads it again
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_SETUP)
        self._database.execute(f"PRAGMA max_page_count = {bytes_max // _PAGE_BYTES}")
        self._database.execute("BEGIN")
        self._bytes_max = bytes_max
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def close_order(self, order_id: str) -> None:
        """Note that no more lines of this order are taken."""
        self._write("INSERT OR IGNORE INTO closed VALUES (?)", [(_hash(order_id),)])

    def is_closed(self, order_id: str) -> bool:
        return bool(self._first("SELECT 1 FROM closed WHERE order_hash = ?", (_hash(order_id),)))

    def count(self, digest: str) -> int:
        """Return how often this has been counted, with this time."""
        found = self._first(_COUNTED, (bytes.fromhex(digest),))
        return 1 if found is None else int(found[0])

    def note(self, customer: str, order_id: str, pieces: Iterable[tuple[str, int]]) -> None:
        """Note the articles of an order, each once with its pieces; orders come in the order of time."""
        self._number += 1
        self._write(_BOUGHT, [(customer, sku, self._number, order_id, count) for sku, count in pieces])

    def take_back(self, customer: str, sku: str, pieces: int) -> str | None:
        """Return the customer's latest order with so many pieces not yet refunded, and refund them; None: no such."""
        found = self._first(_LATEST, (customer, sku, pieces))
        if found is None:
            return None
        number, order_id = found
        self._write(_TAKEN_BACK, [(pieces, customer, sku, number)])
        return str(order_id)

    def _first(self, query: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
        try:
            found: tuple[Any, ...] | None = self._database.execute(query, values).fetchone()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return found

    def _write(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        try:
            self._database.executemany(statement, rows)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error) -> SoldError:
        return SoldError(
            f"the orders of this replay cannot be remembered: {error}. They may take {self._bytes_max} bytes in the "
            "folder for temporary files. Name a folder with more room in SQLITE_TMPDIR, or replay fewer files at once"
        )


def _hash(order_id: str) -> bytes:
    # a file may hold any text as an id
    return xxh3_128_digest(order_id.encode())
