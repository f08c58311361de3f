"""One record's changes can be undone alone: everything is then as if it had not come."""

from __future__ import annotations

import random

import pytest

from state.codec import due_of
from state.memory import MemoryStore
from state.overlay import Overlay
from tests.support.overlays import TextCodec, Value, an_overlay, commit, put


def test_a_roll_back_brings_back_what_was_put_before_the_savepoint() -> None:
    overlay = Overlay(MemoryStore(), TextCodec())
    put(overlay, b"anna", "stored")
    commit(overlay)
    put(overlay, b"anna", "first")
    put(overlay, b"ben", "first")
    overlay.savepoint()
    put(overlay, b"anna", "second")
    overlay.delete(b"ben")
    put(overlay, b"cleo", "new")
    overlay.roll_back()
    assert [overlay.get(key) for key in (b"anna", b"ben", b"cleo")] == [("first", 0), ("first", 0), None]
    first = TextCodec().encode(b"", ("first", 0))
    assert overlay.freeze() == [(b"anna", first), (b"ben", first)]


def test_a_roll_back_can_stop_half_way() -> None:
    overlay = Overlay(MemoryStore(), TextCodec())
    overlay.savepoint()
    put(overlay, b"anna", "kept")
    kept = overlay.changes()
    put(overlay, b"anna", "undone")
    put(overlay, b"ben", "undone")
    overlay.roll_back(kept)
    assert (overlay.get(b"anna"), overlay.get(b"ben")) == (("kept", 0), None)
    overlay.roll_back()
    assert overlay.get(b"anna") is None
    assert not overlay.is_changed


def test_a_timer_that_was_passed_by_is_due_again_after_a_roll_back() -> None:
    store = MemoryStore()
    overlay = Overlay(store, TextCodec())
    put(overlay, b"anna", "stored", 10)
    commit(overlay)
    put(overlay, b"ben", "fresh", 20)
    overlay.savepoint()
    put(overlay, b"anna", "moved", 50)
    put(overlay, b"ben", "moved", 60)
    assert overlay.due(40, 5) == []
    overlay.roll_back()
    assert overlay.due(40, 5) == [(10, b"anna"), (20, b"ben")]
    commit(overlay)
    assert list(store.due()) == [(10, b"anna"), (20, b"ben")]


@pytest.mark.parametrize("chunk", [1, 3, 1_024])
def test_records_that_are_rolled_back_leave_no_trace(chunk: int, seed: int) -> None:
    """Two overlays get the same records; one of them gets others in between, which are rolled back."""
    chance = random.Random(seed)
    tried, calm = an_overlay(MemoryStore(), chunk), an_overlay(MemoryStore(), chunk)
    for _ in range(1_500):
        match chance.choices(["record", "fault", "commit", "drop"], [50, 30, 8, 4])[0]:
            case "record":
                steps = some_steps(chance)
                tried.savepoint()
                assert play(tried, steps) == play(calm, steps)
            case "fault":
                steps = some_steps(chance)
                tried.savepoint()
                play(tried, steps)
                tried.roll_back()
            case "commit":
                assert tried.freeze() == calm.freeze()
                commit(tried)
                commit(calm)
                assert list(tried.store.items()) == list(calm.store.items())
            case _:
                tried.drop()
                calm.drop()
        until_ms, limit = chance.randrange(70), chance.choice([1, 2, 1_000])
        assert tried.due(until_ms, limit) == calm.due(until_ms, limit)
        assert list(tried.items()) == list(calm.items())
    index = set(tried.store.due())
    assert {(due_of(value), key) for key, value in tried.store.items() if due_of(value)} <= index


Step = tuple[str, bytes, int]


def some_steps(chance: random.Random) -> list[Step]:
    """What one record does: puts, deletions, questions for what is due."""
    kinds = chance.choices(["put", "delete", "due"], [6, 1, 2], k=chance.randint(1, 5))
    return [(kind, b"%d" % chance.randrange(25), chance.choice([0, *range(1, 60)])) for kind in kinds]


def play(overlay: Overlay[Value], steps: list[Step]) -> list[list[tuple[int, bytes]]]:
    seen = []
    for kind, key, due_ms in steps:
        if kind == "put":
            put(overlay, key, f"{due_ms}", due_ms)
        elif kind == "delete":
            overlay.delete(key)
        else:
            seen.append(overlay.due(due_ms, 3))
    return seen
