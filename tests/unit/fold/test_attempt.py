"""The guarded step: a record that cannot be folded leaves no trace, and nothing else is blamed on a record."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, cast

import pytest

from schemas.limits import LETTER_DETAIL_MAX, OUTPUT_BYTES_MAX
from schemas.outputs import ProfileView
from schemas.wire import SINGLE_OBJECT, RegistryUnusable, WireError, encode
from state.codec import NewerState
from state.memory import MemoryStore
from state.overlay import Overlay
from state.store import StateUnreadable
from streams.fold.attempt import RAISED, Folded, Refused, attempt, nothing_to_undo, raised_detail
from streams.fold.fold import Fold
from streams.fold.partition_state import JournalCodec
from streams.kafka.journal import read_record
from tests.support.flows import TEN
from tests.support.months import lived

if TYPE_CHECKING:
    from confluent_kafka import Message

    from streams.fold.record import Record
    from streams.profiles.effects import Effects

EVENTS_PER_COMMIT = 25


class Faulty:
    """State and encoder of a fold that fail from the n-th use on, at each try of a record."""

    def __init__(self, overlay: Overlay[Any]) -> None:
        self._overlay = overlay
        self.uses_left: int | None = None
        """None: it does not fail."""
        self.fails_at: int | None = None
        self.tries = 0
        self.failing_tries = 2

    def savepoint(self) -> None:
        self.tries += 1
        self.uses_left = self.fails_at if self.tries <= self.failing_tries else None
        self._overlay.savepoint()

    def encode(self, record: Any) -> bytes:
        self._use()
        return encode(record)

    def _use(self) -> None:
        if self.uses_left is None:
            return
        self.uses_left -= 1
        if self.uses_left < 0:
            raise ZeroDivisionError("the release has a bug")

    def get(self, key: bytes) -> Any:
        self._use()
        return self._overlay.get(key)

    def put(self, key: bytes, value: Any, due_ms: int) -> None:
        self._use()
        self._overlay.put(key, value, due_ms)
        self._use()

    def delete(self, key: bytes) -> None:
        self._use()
        self._overlay.delete(key)

    def due(self, until_ms: int, limit: int) -> list[tuple[int, bytes]]:
        return self._overlay.due(until_ms, limit)

    def later(self, after: tuple[int, bytes], limit: int) -> list[tuple[int, bytes]]:
        return self._overlay.later(after, limit)

    def first_due_ms(self) -> int | None:
        return self._overlay.first_due_ms()

    def changes(self) -> int:
        return self._overlay.changes()

    def roll_back(self, to: int = 0) -> None:
        self._overlay.roll_back(to)


class Folding:
    """A fold over state in memory, and all that it gave."""

    def __init__(self) -> None:
        self.overlay: Overlay[Any] = Overlay(MemoryStore(), JournalCodec())
        self.faulty = Faulty(self.overlay)
        self.fold = Fold(self.faulty, encode=self.faulty.encode)
        self.given: list[Any] = []

    def attempt(self, message: Any, fails_at: int | None = None) -> Folded[Record, Effects] | Refused:
        self.faulty.tries, self.faulty.fails_at = 0, fails_at
        outcome = attempt(self.fold, read, message, self.fold.undo)
        if isinstance(outcome, Folded):
            effects = outcome.effects
            self.given.append((effects.values, effects.journal_values, effects.counts, effects.panel))
        return outcome

    def commit(self) -> list[tuple[bytes, bytes | None]]:
        self.faulty.uses_left = None
        frozen = self.overlay.freeze()
        self.overlay.committed(0)
        return frozen


def read(message: Any) -> Record:
    return read_record(cast("Message", message), SINGLE_OBJECT)


def a_journal(seed: int) -> list[Any]:
    return list(lived(seed, TEN).journal)


@pytest.mark.interpreted
def test_records_that_raise_at_any_point_leave_no_trace(seed: int) -> None:
    """State, timers, facts and outputs are those of the journal without these records."""
    chance, tried, calm = random.Random(seed), Folding(), Folding()
    refused = 0
    for number, message in enumerate(a_journal(seed)):
        fails_at = chance.randrange(12) if number and chance.random() < 0.3 else None
        outcome = tried.attempt(message, fails_at)
        if isinstance(outcome, Refused):
            refused += 1
            assert (outcome.reason, tried.faulty.tries) == (RAISED, 2)
            assert "the release has a bug" in outcome.detail
        else:
            assert isinstance(calm.attempt(message), Folded)
        if number % EVENTS_PER_COMMIT == 0:
            assert tried.commit() == calm.commit()
            assert tried.fold.complete_to_ms() == calm.fold.complete_to_ms()
    assert tried.commit() == calm.commit()
    assert tried.given == calm.given
    assert refused > 20


@pytest.mark.interpreted
def test_what_raises_once_is_folded_at_the_second_try(seed: int) -> None:
    chance, tried, calm = random.Random(seed), Folding(), Folding()
    tried.faulty.failing_tries = 1
    for message in a_journal(seed)[:300]:
        assert isinstance(tried.attempt(message, chance.randrange(8)), Folded)
        calm.attempt(message)
    assert tried.given == calm.given
    assert tried.commit() == calm.commit()


@pytest.mark.parametrize(
    "error",
    [OSError("no descriptor"), MemoryError(), TimeoutError(), NewerState("v"), StateUnreadable(), RegistryUnusable()],
    ids=repr,
)
def test_the_machine_the_disk_and_a_later_release_are_not_the_fault_of_a_record(error: Exception) -> None:
    def fold(_: Any) -> None:
        raise error

    with pytest.raises(type(error)):
        attempt(fold, lambda message: message, b"", nothing_to_undo)


def test_a_record_that_cannot_be_read_undoes_nothing_of_the_one_before() -> None:
    def unreadable(_: Any) -> Record:
        raise WireError("malformed", "no record of ours")

    undone: list[int] = []
    outcome = attempt(lambda _: None, unreadable, b"", lambda: undone.append(1))
    assert isinstance(outcome, Refused)
    assert (outcome.record, outcome.reason, undone) == (None, "malformed", [])


@pytest.mark.interpreted
def test_a_record_that_leads_to_one_that_is_too_large_is_refused_at_once() -> None:
    folding = Folding()
    large = b"x" * OUTPUT_BYTES_MAX
    folding.fold = Fold(
        folding.overlay, encode=lambda record: large if isinstance(record, ProfileView) else encode(record)
    )
    reasons = {getattr(folding.attempt(message), "reason", None) for message in a_journal(7)}
    assert reasons == {None, "too_large"}
    assert not any(value is large for values, *_ in folding.given for value in values)


def test_a_traceback_can_be_written_whatever_the_exception_says() -> None:
    detail = raised_detail(ValueError("\ud800 half a pair" + "x" * 10_000))
    assert detail.encode()
    assert len(detail) <= LETTER_DETAIL_MAX
