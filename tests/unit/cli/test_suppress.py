"""What is on the suppression list is shown as it is, and who writes on it is named."""

from __future__ import annotations

import getpass

import pytest

from streams.profiles.listings import entries_of
from tests.support.memory_worker import MemoryWorker, configured
from tests.support.opened import asked

A = "aa" * 32


@pytest.fixture
def worker() -> MemoryWorker:
    found = MemoryWorker(configured(clock="marks", touchpoint_partitions=1, journal_partitions=1))
    found.commit()
    return found


def test_without_a_name_it_is_the_user_of_the_machine(monkeypatch: pytest.MonkeyPatch, worker: MemoryWorker) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "robin")
    done = asked(monkeypatch, worker, "suppress", "add", A, "--why", "asked")
    assert "put on the list: 1" in done.stdout
    assert "robin" in asked(monkeypatch, worker, "suppress", "list").stdout


def test_where_the_machine_has_no_name_one_has_to_be_given(
    monkeypatch: pytest.MonkeyPatch, worker: MemoryWorker
) -> None:
    def nobody() -> str:
        raise KeyError

    monkeypatch.setattr(getpass, "getuser", nobody)
    done = asked(monkeypatch, worker, "suppress", "add", A, "--why", "asked")
    assert done.exit_code == 2
    assert "say who wants it" in done.stderr


def test_an_empty_list_says_so(monkeypatch: pytest.MonkeyPatch, worker: MemoryWorker) -> None:
    assert "the suppression list is empty" in asked(monkeypatch, worker, "suppress", "list").stdout
    assert asked(monkeypatch, worker, "suppress", "export").stdout == "address,scope,who,why,when\n"


def test_a_foreign_reason_moves_nothing_on_the_screen(monkeypatch: pytest.MonkeyPatch, worker: MemoryWorker) -> None:
    from streams.fold.addressing import listing_notice  # noqa: PLC0415 - only here

    (entry,) = entries_of(is_on=True, is_all=False, time_ms=1, who="[/bold]", why="\x1b]0;title\x07")
    worker.append(f"e:{A}".encode(), listing_notice(entry, A, "x"))
    worker.commit()
    done = asked(monkeypatch, worker, "suppress", "list")
    assert done.exit_code == 0, done.output
    assert all(letter.isprintable() or letter == "\n" for letter in done.stdout)
    assert "[/bold]" in done.stdout
