"""State on disk: one RocksDB for each partition, with records, timers and meta as column families."""

from __future__ import annotations

import shutil
from contextlib import suppress
from functools import cache
from struct import Struct
from typing import TYPE_CHECKING, NoReturn

from rocksdict import AccessType, BlockBasedOptions, Cache, DBCompressionType, Options, Rdict, WriteBatch

from state.codec import DUE_END, DUE_MS_MAX, DUE_START
from state.store import BEFORE_ALL, NO_POSITION, Entry, StateUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rocksdict import RdictIter

FORMAT = 1
BLOCK_CACHE_BYTES = 64 << 20
RECORDS_BUFFER_BYTES, TIMERS_BUFFER_BYTES, META_BUFFER_BYTES = 8 << 20, 2 << 20, 64 << 10
BLOOM_BITS = 10

_DUE = Struct(">Q")
_POSITION = Struct(">q")
_FORMAT_KEY, _POSITION_KEY, _ORIGIN_KEY = b"format", b"position", b"origin"
_NO_TIMER = _DUE.pack(0)
# What RocksDB says of files that are damaged or not all there. Anything else that it meets says nothing against them:
# another process has them, there is no room, no descriptor or no right, or the file system is read-only.
_DAMAGED = ("Corruption", "No such file or directory")
_MARK = "UNREADABLE"
"""A file in a store's directory that says why it must not be opened again."""


@cache
def _block_cache() -> Cache:
    return Cache(BLOCK_CACHE_BYTES)


def _options(buffer_bytes: int) -> Options:
    blocks = BlockBasedOptions()
    blocks.set_block_cache(_block_cache())
    blocks.set_bloom_filter(BLOOM_BITS, block_based=False)
    options = Options(raw_mode=True)
    options.create_if_missing(create_if_missing=True)
    options.create_missing_column_families(create_missing_cfs=True)
    options.set_block_based_table_factory(blocks)
    options.set_write_buffer_size(buffer_bytes)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_max_total_wal_size(RECORDS_BUFFER_BYTES * 4)
    options.set_keep_log_file_num(1)
    options.set_stats_dump_period_sec(0)
    return options


class RocksDBStore:
    """A `Store` in the directory `path`, which it makes if there is none.

    What `write` has applied outlives a kill of the process, but not always one of the machine. Then the newest writes
    may be missing, each as a whole and in order, and the changelog has them.

    Damage raises StateUnreadable when it is read, and at every later opening.
    """

    def __init__(self, path: Path, *, is_read_only: bool = False) -> None:
        """Open it; `is_read_only`: for commands, without a change to a directory that is there."""
        self._is_read_only = is_read_only
        if not is_read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._mark = path / _MARK
        if self._mark.exists():
            raise StateUnreadable(self._mark.read_text())
        families = {"timers": _options(TIMERS_BUFFER_BYTES), "meta": _options(META_BUFFER_BYTES)}
        access = AccessType.read_only() if is_read_only else AccessType.read_write()
        try:
            self._db = Rdict(str(path), _options(RECORDS_BUFFER_BYTES), families, access_type=access)
        except Exception as error:  # rocksdict has no type of its own for what RocksDB reports
            if not _is_damage(error):
                raise
            raise StateUnreadable(f"the state in {path} cannot be opened: {error}") from error
        self._timers = self._db.get_column_family("timers")
        self._meta = self._db.get_column_family("meta")
        self._timers_handle = self._db.get_column_family_handle("timers")
        self._meta_handle = self._db.get_column_family_handle("meta")
        try:
            self.position = self._read_meta(path)
        except Exception as error:  # noqa: BLE001 - rocksdict has no type of its own
            with suppress(OSError, StateUnreadable):
                self.close()
            self._give_up(error)

    def _give_up(self, error: Exception) -> NoReturn:
        """Raise what RocksDB met while it worked; damage is written down, for a restart must not meet it again.

        Raises:
            StateUnreadable: it is damaged.
            OSError: anything else, for which the record that asked is not at fault.
        """
        if isinstance(error, StateUnreadable):
            raise error
        if not _is_damage(error):
            raise OSError(f"the state in {self._mark.parent} cannot be used now: {error}") from error
        text = f"the state in {self._mark.parent} is damaged: {error}"
        if not self._is_read_only:
            with suppress(OSError):
                self._mark.write_text(text)
        raise StateUnreadable(text) from error

    def _read_meta(self, path: Path) -> int:
        written = self._meta.get(_FORMAT_KEY)
        if written is None and not self._is_read_only:
            self._meta[_FORMAT_KEY] = bytes([FORMAT])
        elif written not in {None, bytes([FORMAT])}:
            raise StateUnreadable(f"the state in {path} has format {written.hex()}; this release reads {FORMAT}")
        self.origin = (self._meta.get(_ORIGIN_KEY) or b"").decode()
        position = self._meta.get(_POSITION_KEY)
        return NO_POSITION if position is None else int(_POSITION.unpack(position)[0])

    def keep_origin(self, origin: str) -> None:
        self._meta[_ORIGIN_KEY] = origin.encode()
        self.origin = origin

    def get(self, key: bytes) -> bytes | None:
        try:
            value: bytes | None = self._db.get(key)
        except Exception as error:  # noqa: BLE001 - rocksdict has no type of its own
            self._give_up(error)
        return value

    def due(self, until_ms: int = DUE_MS_MAX, after: Entry = BEFORE_ALL) -> Iterator[Entry]:
        start = _DUE.pack(after[0]) + after[1]
        for cursor in self._walk(self._timers, start):
            entry = cursor.key()
            if entry == start:
                continue
            due_ms = _DUE.unpack_from(entry)[0]
            if due_ms > until_ms:
                return
            yield due_ms, entry[_DUE.size :]

    def items(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        for cursor in self._walk(self._db, prefix):
            key = cursor.key()
            if not key.startswith(prefix):
                return
            yield key, cursor.value()

    def _walk(self, column: Rdict, start: bytes) -> Iterator[RdictIter]:
        # rocksdict's own iterators end at a damaged block as if there were no more
        cursor = column.iter()
        cursor.seek(start)
        while cursor.valid():
            yield cursor
            cursor.next()
        try:
            cursor.status()
        except Exception as error:  # noqa: BLE001 - rocksdict has no type of its own
            self._give_up(error)

    def write(self, records: Iterable[tuple[bytes, bytes | None]], position: int, passed: Iterable[Entry] = ()) -> None:
        batch, timers = WriteBatch(raw_mode=True), self._timers_handle
        for due_ms, key in passed:
            batch.delete(_DUE.pack(due_ms) + key, timers)
        for key, value in records:
            if value is None:
                batch.delete(key)
                continue
            batch.put(key, value)
            due = value[DUE_START:DUE_END]
            if due != _NO_TIMER:
                batch.put(due + key, b"", timers)
        batch.put(_POSITION_KEY, _POSITION.pack(position), self._meta_handle)
        try:
            self._db.write(batch)
        except Exception as error:  # noqa: BLE001 - rocksdict has no type of its own
            self._give_up(error)
        self.position = position

    def close(self) -> None:
        # a handle keeps the directory locked for as long as it lives
        del self._timers_handle, self._meta_handle
        refused: Exception | None = None
        for column in (self._timers, self._meta, self._db):
            try:
                column.close()
            except Exception as error:  # noqa: BLE001 - rocksdict has no type of its own
                refused = error
        if refused is not None:
            self._give_up(refused)


def _is_damage(error: Exception) -> bool:
    return any(words in str(error) for words in _DAMAGED)


def destroy(path: Path) -> None:
    """Remove a closed store from the disk."""
    shutil.rmtree(path, ignore_errors=True)


def set_aside(path: Path, why: str = "unreadable") -> Path:
    """Rename a directory to the first free `NAME.WHY-N`; return the new path."""
    number = 1
    while (aside := path.with_name(f"{path.name}.{why}-{number}")).exists():
        number += 1
    return path.rename(aside)
