"""What a customer's statements hold is shown as it is, whatever it would mean to a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.touchpoint import Consent
from tests.support.memory_worker import MemoryWorker, configured
from tests.support.opened import asked
from tests.support.world import START_MS, a_touchpoint

if TYPE_CHECKING:
    from click.testing import Result


def shown(monkeypatch: pytest.MonkeyPatch, source: str, *arguments: str) -> Result:
    worker = MemoryWorker(configured(clock="marks", touchpoint_partitions=1, journal_partitions=1))
    said = Consent("email", granted=True, at_most=2, only_flow="news")
    worker.send(a_touchpoint("consent_changed", START_MS, source=source, consent=said))
    worker.commit()
    return asked(monkeypatch, worker, "consent", "1", *arguments)


@pytest.mark.parametrize("source", ["[/bold]", "\x1b]0;title\x07", "\u202egnp", "\nemail: yes"])
def test_a_source_moves_nothing_on_the_screen(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    done = shown(monkeypatch, source)
    assert done.exit_code == 0, done.output
    assert all(letter.isprintable() or letter == "\n" for letter in done.stdout)
    assert source.encode("unicode_escape").decode() in done.stdout


def test_limits_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said = shown(monkeypatch, "shop").stdout
    assert "The customer wants at most 2 in seven days and only of the flow news." in said
    assert "at most 2 in seven days, only news, by shop" in said


def test_a_time_may_have_a_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No statement is known." in shown(monkeypatch, "shop", "--at", "2026-01-01T00:59+01:00").stdout
    assert "by shop" in shown(monkeypatch, "shop", "--at", "2026-01-01T01:00+01:00").stdout
