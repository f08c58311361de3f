"""The uncommitted view of a partition: what is put is seen at once, and kept only if it is committed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from state.codec import due_of, frame
from state.memory import MemoryStore
from state.overlay import Overlay
from state.rocksdb import RocksDBStore
from tests.support.overlays import TextCodec, an_overlay, commit, put

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from state.store import Store


@pytest.fixture(params=["memory", "rocksdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else RocksDBStore(tmp_path / "journal-0")
    yield made
    made.close()


def test_a_put_is_seen_before_it_is_committed_and_stored_after(store: Store) -> None:
    overlay = Overlay(store, TextCodec())
    put(overlay, b"anna", "new")
    assert overlay.get(b"anna") == ("new", 0)
    assert store.get(b"anna") is None
    commit(overlay)
    assert store.get(b"anna") == frame(1, 0, b"new")
    assert overlay.get(b"anna") == ("new", 0)


def test_a_drop_brings_back_what_was_committed(store: Store) -> None:
    overlay = Overlay(store, TextCodec())
    put(overlay, b"anna", "first")
    put(overlay, b"ben", "ben")
    commit(overlay)
    put(overlay, b"anna", "second")
    overlay.delete(b"ben")
    assert overlay.get(b"ben") is None
    overlay.drop()
    assert overlay.get(b"anna") == ("first", 0)
    assert overlay.get(b"ben") == ("ben", 0)
    assert overlay.freeze() == []


def test_only_the_last_state_of_a_key_is_written(store: Store) -> None:
    overlay = Overlay(store, TextCodec())
    for text in ("one", "two", "three"):
        put(overlay, b"anna", text)
    put(overlay, b"ben", "gone")
    overlay.delete(b"ben")
    assert overlay.freeze() == [(b"anna", frame(1, 0, b"three")), (b"ben", None)]


def test_a_deleted_value_stays_deleted_after_the_commit(store: Store) -> None:
    overlay = Overlay(store, TextCodec())
    put(overlay, b"anna", "here", 10)
    commit(overlay)
    overlay.delete(b"anna")
    commit(overlay)
    assert overlay.get(b"anna") is None
    assert overlay.due(100, 10) == []


def test_a_small_cache_still_gives_right_values(store: Store) -> None:
    overlay = Overlay(store, TextCodec())
    overlay.cache.bytes_max = 40
    for number in range(50):
        put(overlay, b"%d" % number, f"v{number}")
        if number % 7 == 0:
            commit(overlay)
    commit(overlay)
    assert [overlay.get(b"%d" % number) for number in range(50)] == [(f"v{n}", 0) for n in range(50)]


def test_a_timer_that_moved_is_due_at_its_new_time_only(store: Store) -> None:
    overlay = Overlay(store, TextCodec())
    put(overlay, b"anna", "cart", 10)
    commit(overlay)
    put(overlay, b"anna", "cart", 50)
    assert overlay.due(40, 10) == []
    assert overlay.first_due_ms() == 50
    overlay.drop()
    assert overlay.due(40, 10) == [(10, b"anna")]


def test_a_timer_set_in_the_past_is_due_at_once(store: Store) -> None:
    overlay = Overlay(store, TextCodec())
    for number in range(5):
        put(overlay, b"%d" % number, "later", 1_000 + number)
    commit(overlay)
    assert overlay.first_due_ms() == 1_000
    put(overlay, b"late", "past", 3)
    commit(overlay)
    assert overlay.due(1_000, 10) == [(3, b"late"), (1_000, b"0")]


def test_a_timer_moved_away_and_back_survives_commit_and_reopening(store: Store) -> None:
    overlay = Overlay(store, TextCodec())
    put(overlay, b"anna", "cart", 10)
    commit(overlay)
    put(overlay, b"anna", "cart", 50)
    assert overlay.due(20, 1) == []
    put(overlay, b"anna", "cart", 10)
    assert overlay.due(20, 1) == [(10, b"anna")]
    commit(overlay)
    assert Overlay(store, TextCodec()).due(20, 1) == [(10, b"anna")]


def test_a_timer_asked_for_often_is_still_there_after_reopening(store: Store) -> None:
    overlay = Overlay(store, TextCodec())
    for text in ("one", "two", "three"):
        put(overlay, b"anna", text, 10)
        assert overlay.due(20, 5) == [(10, b"anna")]
        commit(overlay)
    assert overlay.due(20, 5) == [(10, b"anna")]
    commit(overlay)
    assert Overlay(store, TextCodec()).due(20, 5) == [(10, b"anna")]


def test_entries_passed_by_are_removed_from_the_store(store: Store) -> None:
    overlay = Overlay(store, TextCodec())
    for due_ms in (10, 20, 30):
        put(overlay, b"anna", "cart", due_ms)
        commit(overlay)
    assert overlay.first_due_ms() == 30
    commit(overlay)
    assert list(store.due()) == [(30, b"anna")]


def test_a_value_framed_with_another_due_time_is_refused(store: Store) -> None:
    overlay = Overlay(store, TextCodec())
    overlay.put(b"anna", ("cart", 10), 20)
    with pytest.raises(ValueError, match="due_ms 10, but was put with 20"):
        overlay.freeze()


def test_items_look_through_uncommitted_changes(store: Store) -> None:
    overlay = Overlay(store, TextCodec())
    for key in (b"w/1", b"w/2", b"x/1"):
        put(overlay, key, "old")
    commit(overlay)
    put(overlay, b"w/0", "new")
    overlay.delete(b"w/2")
    assert list(overlay.items(b"w/")) == [(b"w/0", ("new", 0)), (b"w/1", ("old", 0))]


@pytest.mark.parametrize("chunk", [1, 3, 1_024])
def test_due_agrees_with_a_search_through_all_values(store: Store, chunk: int, seed: int) -> None:
    chance = random.Random(seed)
    keys = [b"%d" % number for number in range(40)]
    committed: dict[bytes, int] = {}
    current: dict[bytes, int] = {}
    overlay = an_overlay(store, chunk)
    for _ in range(2_500):
        match chance.choices(["put", "delete", "due", "commit", "drop", "reopen"], [50, 5, 25, 12, 6, 2])[0]:
            case "put":
                key, due_ms = chance.choice(keys), chance.choice([0, *range(1, 60)])
                put(overlay, key, "v", due_ms)
                current[key] = due_ms
            case "delete":
                key = chance.choice(keys)
                overlay.delete(key)
                current.pop(key, None)
            case "due":
                until_ms, limit = chance.randrange(70), chance.choice([1, 2, 5, 1_000])
                expected = sorted((due, key) for key, due in current.items() if 0 < due <= until_ms)[:limit]
                assert overlay.due(until_ms, limit) == expected
                assert overlay.first_due_ms() == min((due for due in current.values() if due), default=None)
            case "commit":
                commit(overlay)
                committed = dict(current)
            case "drop":
                overlay.drop()
                current = dict(committed)
            case _:
                overlay = an_overlay(store, chunk)
                current = dict(committed)
    assert {key: due_of(value) for key, value in store.items()} == committed


def test_many_timers_due_at_once_are_each_given_once(store: Store) -> None:
    overlay = Overlay(store, TextCodec())
    expected = [b"%06d" % number for number in range(20_000)]
    for key in expected:
        put(overlay, key, "v", 10)
    commit(overlay)
    seen: list[bytes] = []
    while due := overlay.due(10, 1_000):
        for _, key in due:
            put(overlay, key, "fired", 0)
            seen.append(key)
        commit(overlay)
    commit(overlay)
    assert seen == expected
    assert list(store.due()) == []


@pytest.mark.parametrize("reads", range(5))
def test_timers_are_still_due_after_a_look_at_them_has_failed(
    store: Store, monkeypatch: pytest.MonkeyPatch, reads: int
) -> None:
    overlay = Overlay(store, TextCodec())
    for number in range(5):
        put(overlay, b"key %d" % number, f"{number}", number + 1)
    commit(overlay)
    due = overlay.due(10, 10)
    assert len(due) == 5
    read, left = store.get, reads

    def failing(key: bytes) -> bytes | None:
        nonlocal left
        if not left:
            raise OSError("the disk is gone")
        left -= 1
        return read(key)

    monkeypatch.setattr(store, "get", failing)
    with pytest.raises(OSError, match="gone"):
        overlay.due(10, 10)
    monkeypatch.setattr(store, "get", read)
    overlay.drop()
    assert overlay.due(10, 10) == due


def test_a_value_that_is_due_is_read_from_the_store_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Overlay(store, TextCodec())
    put(first, b"anna", "cart", 10)
    commit(first)
    reads: list[bytes] = []
    read = store.get

    def counted(key: bytes) -> bytes | None:
        reads.append(key)
        return read(key)

    monkeypatch.setattr(store, "get", counted)
    overlay = Overlay(store, TextCodec())
    assert [overlay.get(key) for _, key in overlay.due(10, 1)] == [("cart", 10)]
    assert reads == [b"anna"]


def test_a_value_that_was_due_and_changed_is_not_remembered_as_it_was(store: Store) -> None:
    overlay = Overlay(store, TextCodec())
    overlay.cache.bytes_max = 20
    put(overlay, b"anna", "cart", 10)
    for number in range(4):
        put(overlay, b"%d" % number, "other")
    commit(overlay)
    assert overlay.due(10, 1) == [(10, b"anna")]
    put(overlay, b"anna", "ordered", 20)
    commit(overlay)
    assert [overlay.get(b"%d" % number) for number in range(4)] == [("other", 0)] * 4
    assert overlay.get(b"anna") == ("ordered", 20)
