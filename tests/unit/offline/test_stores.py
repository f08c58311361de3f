"""A store that differs from what a worker should run on is found, whatever it differs in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from state.codec import frame, open_frame
from state.memory import MemoryStore
from streams.offline.stores import StoreReport, compare_store

if TYPE_CHECKING:
    from streams.offline.stores import Changes


class Lengths:
    """A codec whose values are lengths: other bytes may mean the same."""

    def encode(self, key: bytes, value: int) -> bytes:  # noqa: ARG002 - of the protocol
        return a_value(b"x" * value)

    def decode(self, key: bytes, value: bytes) -> int:  # noqa: ARG002 - of the protocol
        return len(open_frame(value)[2])


class Journal(NamedTuple):
    path: str = "state/shop.journal-1"
    topic: str = "journal"
    partition: int = 1


def a_value(payload: bytes, due_ms: int = 0) -> bytes:
    return frame(1, due_ms, payload)


def compared(held: dict[bytes, bytes], expected: dict[bytes, bytes], changes: Changes | None = None) -> StoreReport:
    store = MemoryStore()
    store.write(held.items(), len(held))
    return compare_store(Journal(), store, changes or [], expected, Lengths())


def test_a_store_with_the_state_that_is_right_holds() -> None:
    state = {b"u:1": a_value(b"one"), b"u:2": a_value(b"two", 7)}
    assert compared(state, state) == StoreReport("state/shop.journal-1", "journal", 1, 2, 0, 0, 0, ())
    assert compared(state, state).holds


def test_another_value_a_missing_key_and_a_superfluous_one_are_named() -> None:
    held = {b"u:1": a_value(b"one"), b"u:2": a_value(b"second"), b"u:4": a_value(b"four")}
    report = compared(held, {b"u:1": a_value(b"one"), b"u:2": a_value(b"two"), b"u:3": a_value(b"three")})
    assert not report.holds
    assert (report.different, report.examples) == (3, ("u:2", "u:3", "u:4"))


def test_other_bytes_of_the_same_value_are_no_difference() -> None:
    assert compared({b"u:1": a_value(b"one")}, {b"u:1": a_value(b"two")}).holds


def test_a_store_that_is_behind_is_completed_first() -> None:
    expected = {b"u:1": a_value(b"first"), b"u:3": a_value(b"three")}
    changes: Changes = [
        (b"u:1", a_value(b"x")),
        (b"u:1", a_value(b"first")),
        (b"u:2", None),
        (b"u:3", a_value(b"three")),
    ]
    report = compared({b"u:1": a_value(b"one"), b"u:2": a_value(b"two")}, expected, changes)
    assert report.holds
    assert report.caught_up == 4


def test_a_timer_that_is_not_in_the_index_is_found() -> None:
    state = {b"u:1": a_value(b"one", 5), b"u:2": a_value(b"two", 7)}
    store = MemoryStore()
    store.write(state.items(), 2)
    store.write([], 2, [(7, b"u:2")])
    report = compare_store(Journal(), store, [], state, Lengths())
    assert (report.different, report.untimed, report.examples) == (0, 1, ("u:2",))


def test_a_timer_left_over_in_the_index_does_no_harm() -> None:
    store = MemoryStore()
    store.write([(b"u:1", a_value(b"one", 5))], 1)
    store.write([(b"u:1", a_value(b"one", 9))], 2)
    assert compare_store(Journal(), store, [], {b"u:1": a_value(b"one", 9)}, Lengths()).holds


def test_a_value_that_cannot_be_read_differs() -> None:
    report = compared({b"u:1": b"short"}, {b"u:1": a_value(b"one")})
    assert report.different == 1
