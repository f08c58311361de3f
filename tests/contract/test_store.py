"""What every store of state promises; each test runs on each adapter."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from state.codec import due_of, frame, open_frame
from state.memory import MemoryStore
from state.rocksdb import RocksDBStore, destroy, set_aside
from state.store import StateUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from state.store import Store

WRITES_UNTIL_FULL = """
import os, resource, sys
from pathlib import Path
from state.codec import frame
from state.rocksdb import RocksDBStore
from state.store import StateUnreadable
store = RocksDBStore(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    for number in range(1, 10_000):
        store.write([(b"customer-%d" % number, frame(1, 0, os.urandom(100)))], number)
except StateUnreadable:
    raise
except OSError as error:
    print(error)
try:
    store.close()
except OSError as error:
    print("closed:", error)
"""


@pytest.fixture(params=["memory", "rocksdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else RocksDBStore(tmp_path / "journal-0")
    yield made
    made.close()


def a_value(due_ms: int = 0, payload: bytes = b"v") -> bytes:
    return frame(1, due_ms, payload)


def test_a_frame_gives_back_what_went_in() -> None:
    assert open_frame(frame(7, 1_290_000_000_000, b"payload")) == (7, 1_290_000_000_000, b"payload")
    assert due_of(frame(7, 1_290_000_000_000, b"")) == 1_290_000_000_000


def test_a_value_too_short_to_be_framed_is_named() -> None:
    with pytest.raises(ValueError, match="at least 9 bytes"):
        open_frame(b"short")


def test_an_empty_store_has_no_position_no_records_and_nothing_due(store: Store) -> None:
    assert store.position == -1
    assert store.get(b"anna") is None
    assert list(store.items()) == []
    assert list(store.due()) == []


def test_a_store_keeps_to_which_topics_it_belongs_apart_from_its_records(store: Store) -> None:
    assert store.origin == ""
    store.write([(b"anna", a_value())], 7)
    store.keep_origin("one other")
    assert (store.origin, store.position) == ("one other", 7)
    assert [key for key, _ in store.items()] == [b"anna"]


def test_a_write_keeps_records_and_position_together(store: Store) -> None:
    store.write([(b"anna", a_value()), (b"ben", a_value())], 7)
    store.write([(b"anna", a_value(payload=b"w")), (b"ben", None)], 11)
    assert store.get(b"anna") == a_value(payload=b"w")
    assert store.get(b"ben") is None
    assert store.position == 11


def test_timers_come_in_the_order_of_their_time_then_their_key(store: Store) -> None:
    store.write([(b"b", a_value(20)), (b"c", a_value(10)), (b"a", a_value(20)), (b"d", a_value(300))], 4)
    assert list(store.due(until_ms=20)) == [(10, b"c"), (20, b"a"), (20, b"b")]
    assert list(store.due(after=(20, b"a"))) == [(20, b"b"), (300, b"d")]
    assert list(store.due(until_ms=300, after=(15, b""))) == [(20, b"a"), (20, b"b"), (300, b"d")]


def test_a_moved_timer_leaves_an_entry_behind_until_it_is_passed(store: Store) -> None:
    store.write([(b"anna", a_value(10))], 1)
    store.write([(b"anna", a_value(50))], 2)
    assert list(store.due()) == [(10, b"anna"), (50, b"anna")]
    store.write([], 2, passed=[(10, b"anna")])
    assert list(store.due()) == [(50, b"anna")]


def test_an_entry_passed_and_set_again_in_one_write_stays(store: Store) -> None:
    store.write([(b"anna", a_value(10))], 1)
    store.write([(b"anna", a_value(10))], 2, passed=[(10, b"anna")])
    assert list(store.due()) == [(10, b"anna")]


def test_a_value_without_a_timer_has_no_entry(store: Store) -> None:
    store.write([(b"anna", a_value(0))], 1)
    assert list(store.due()) == []


def test_items_are_those_of_the_prefix_in_the_order_of_keys(store: Store) -> None:
    store.write([(key, a_value()) for key in (b"w/2", b"p/9", b"w/1", b"x", b"w")], 5)
    assert [key for key, _ in store.items(b"w/")] == [b"w/1", b"w/2"]
    assert [key for key, _ in store.items()] == [b"p/9", b"w", b"w/1", b"w/2", b"x"]


def test_both_stores_agree_on_a_random_history(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    memory, rocks = MemoryStore(), RocksDBStore(tmp_path / "journal-0")
    keys = [b"customer-%d" % number for number in range(30)]
    for position in range(300):
        records = [
            (key, a_value(chance.randrange(40)) if chance.random() < 0.8 else None)
            for key in chance.sample(keys, chance.randrange(6))
        ]
        passed = chance.sample(list(memory.due()), chance.randrange(3)) if position > 20 else []
        for either in (memory, rocks):
            either.write(records, position, passed)
        after = (chance.randrange(40), chance.choice(keys))
        assert list(memory.due(after=after)) == list(rocks.due(after=after))
        assert list(memory.items()) == list(rocks.items())
    rocks.close()


def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    store = RocksDBStore(tmp_path / "journal-0")
    store.write([(b"anna", a_value(10))], 42)
    store.keep_origin("one other")
    store.close()
    again = RocksDBStore(tmp_path / "journal-0")
    assert (again.get(b"anna"), list(again.due()), again.position) == (a_value(10), [(10, b"anna")], 42)
    assert again.origin == "one other"
    again.close()


def test_a_damaged_directory_is_unreadable_and_can_be_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "journal-0"
    RocksDBStore(path).close()
    (path / "CURRENT").write_bytes(b"garbage")
    for number in (1, 2):
        with pytest.raises(StateUnreadable, match="journal-0"):
            RocksDBStore(path)
        if number == 1:
            assert set_aside(path).name == "journal-0.unreadable-1"
            path.mkdir()
            (path / "CURRENT").write_bytes(b"garbage")
    assert set_aside(path).name == "journal-0.unreadable-2"
    path.mkdir()
    assert set_aside(path, "of-deleted-topics").name == "journal-0.of-deleted-topics-1"
    fresh = RocksDBStore(path)
    assert fresh.position == -1
    fresh.close()


READS: dict[str, Callable[[Store], object]] = {
    "each": lambda store: [store.get(b"customer-%03d" % number) for number in range(500)],
    "all": lambda store: list(store.items()),
    "timers": lambda store: list(store.due()),
}


@pytest.mark.parametrize("reads", READS)
def test_damage_met_while_reading_is_told_and_never_served_again(tmp_path: Path, reads: str) -> None:
    path = tmp_path / "journal-0"
    store = RocksDBStore(path)
    store.write([(b"customer-%03d" % n, a_value(1 + n, random.randbytes(100))) for n in range(500)], 500)
    store.close()
    by_size = sorted(path.glob("*.sst"), key=lambda table: table.stat().st_size)
    damage(by_size[-2] if reads == "timers" else by_size[-1])
    store = RocksDBStore(path)
    with pytest.raises(StateUnreadable, match=r"journal-0 is damaged.*checksum"):
        READS[reads](store)
    store.close()
    with pytest.raises(StateUnreadable, match=r"journal-0 is damaged.*checksum"):
        RocksDBStore(path)


def damage(table: Path) -> None:
    content = bytearray(table.read_bytes())
    content[len(content) // 3] ^= 1
    table.write_bytes(content)


def test_a_full_disk_is_not_called_damage(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITES_UNTIL_FULL, str(tmp_path / "journal-0")]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    written, closed = ended.stdout.splitlines()
    for said in (written, closed):
        assert f"the state in {tmp_path / 'journal-0'} cannot be used now" in said
        assert "File too large" in said
    store = RocksDBStore(tmp_path / "journal-0")
    assert store.position == len(list(store.items())) > 0
    store.close()


OPENS_WITHOUT_DESCRIPTORS = """
import os, resource, sys
from pathlib import Path
from state.rocksdb import RocksDBStore
from state.store import StateUnreadable
resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + int(sys.argv[2]),) * 2)
try:
    RocksDBStore(Path(sys.argv[1]))
except StateUnreadable:
    print("unreadable")
except Exception as error:
    print(error)
"""


@pytest.mark.parametrize("spare", ["0", "1", "2", "4", "6"])
def test_a_process_without_descriptors_does_not_call_the_store_damaged(tmp_path: Path, spare: str) -> None:
    path = tmp_path / "journal-0"
    store = RocksDBStore(path)
    store.write([(b"anna", a_value(10))], 42)
    store.close()
    command = [sys.executable, "-c", OPENS_WITHOUT_DESCRIPTORS, str(path), spare]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert "Too many open files" in ended.stdout, ended
    again = RocksDBStore(path)
    assert again.position == 42
    again.close()


@pytest.mark.parametrize(
    "refusal",
    [
        "IO error: While open a file for appending: /state/journal-0/LOG: Read-only file system",
        "IO error: While lock file: /state/journal-0/LOCK: Permission denied",
        "IO error: While appending to file: /state/journal-0/000012.log: Input/output error",
        "IO error: While opendir: /state/journal-0: Cannot allocate memory",
        "Resource temporarily unavailable",
    ],
)
def test_what_the_machine_refuses_is_not_called_damage(
    tmp_path: Path, refusal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(refusal)

    monkeypatch.setattr("state.rocksdb.Rdict", refuse)
    with pytest.raises(OSError, match=refusal[-10:]):
        RocksDBStore(tmp_path / "journal-0")


@pytest.mark.parametrize("gone", ["CURRENT", "MANIFEST-*", "*.sst"])
def test_a_directory_from_which_files_are_gone_is_unreadable(tmp_path: Path, gone: str) -> None:
    path = tmp_path / "journal-0"
    store = RocksDBStore(path)
    store.write([(b"anna", a_value(10))], 42)
    store.close()
    RocksDBStore(path).close()
    for file in path.glob(gone):
        file.unlink()
    with pytest.raises(StateUnreadable):
        RocksDBStore(path)


def test_a_directory_of_a_newer_format_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("state.rocksdb.FORMAT", 2)
    RocksDBStore(tmp_path / "journal-0").close()
    monkeypatch.undo()
    with pytest.raises(StateUnreadable, match="format 02; this release reads 1"):
        RocksDBStore(tmp_path / "journal-0")


def test_a_directory_in_use_is_not_called_unreadable(tmp_path: Path) -> None:
    first = RocksDBStore(tmp_path / "journal-0")
    with pytest.raises(Exception, match="lock") as refused:
        RocksDBStore(tmp_path / "journal-0")
    assert not isinstance(refused.value, StateUnreadable)
    first.close()


def test_a_destroyed_store_begins_anew(tmp_path: Path) -> None:
    store = RocksDBStore(tmp_path / "journal-0")
    store.write([(b"anna", a_value())], 3)
    store.close()
    destroy(tmp_path / "journal-0")
    again = RocksDBStore(tmp_path / "journal-0")
    assert (again.position, again.get(b"anna")) == (-1, None)
    again.close()
