"""What becomes of entries: they are written once, and what holds is the last one by time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schemas.journal import RULES_3
from streams.operations import suppression
from streams.operations.suppression import CannotSuppress, Done, entries_on, put_on, take_off
from streams.operations.suppression_file import Entry, Given
from tests.support.memory_worker import MemoryWorker, configured
from tests.support.opened import MemoryPublisher, OpenedPrefix
from tests.support.world import DAY_MS, START_MS

if TYPE_CHECKING:
    from collections.abc import Callable

A, B = "aa" * 32, "bb" * 32
KIM = Given("Kim", "asked")


@pytest.fixture
def prefix(monkeypatch: pytest.MonkeyPatch) -> Any:
    worker = MemoryWorker(configured(clock="marks", touchpoint_partitions=1, journal_partitions=2))
    worker.commit()
    monkeypatch.setattr(suppression, "Publisher", lambda *_: MemoryPublisher(worker))
    return OpenedPrefix(worker)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def now(time_ms: int) -> None:
        monkeypatch.setattr("streams.operations.suppression.time.time", lambda: time_ms / 1_000)

    now(START_MS)
    return now


def an_entry(address: str = A, time_ms: int | None = None, *, is_all: bool = False) -> Entry:
    return Entry(address, is_all, "Kim", "asked", time_ms)


def test_an_entry_is_written_once(prefix: Any, at: Callable[[int], None]) -> None:
    assert put_on(prefix, [an_entry(), an_entry(B, is_all=True)]) == Done(2, 0)
    at(START_MS + DAY_MS)
    assert put_on(prefix, [an_entry(), an_entry(B, is_all=True)]) == Done(0, 2)
    assert sorted(entries_on(prefix)) == [an_entry(A, START_MS), an_entry(B, START_MS, is_all=True)]
    assert take_off(prefix, [A, B, A], KIM) == Done(2, 0)
    assert take_off(prefix, [A], KIM) == Done(0, 1)
    assert list(entries_on(prefix)) == []


def test_a_clock_that_is_behind_still_writes_what_holds(prefix: Any, at: Callable[[int], None]) -> None:
    put_on(prefix, [an_entry()])
    at(START_MS - DAY_MS)
    assert take_off(prefix, [A], KIM).written == 1
    assert list(entries_on(prefix)) == []
    assert put_on(prefix, [an_entry()]).written == 1
    assert list(entries_on(prefix)) == [an_entry(A, START_MS + 2)]


def test_of_entries_of_one_address_the_last_is_written(prefix: Any, at: Callable[[int], None]) -> None:
    at(START_MS)
    assert put_on(prefix, [an_entry(A, START_MS - 2), an_entry(), an_entry(A, START_MS - 1)]) == Done(1, 0)
    assert list(entries_on(prefix)) == [an_entry(A, START_MS)]
    # the list says since when, and an older date is no news
    assert put_on(prefix, [an_entry(A, START_MS - 5)]) == Done(0, 1)
    take_off(prefix, [A], KIM)
    assert put_on(prefix, [an_entry(A, START_MS - 5)]) == Done(0, 0, 1)


@pytest.mark.usefixtures("at")
def test_earlier_rules_have_no_list(prefix: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OpenedPrefix, "rules", RULES_3)
    with pytest.raises(CannotSuppress, match="update all workers"):
        put_on(prefix, [an_entry()])
