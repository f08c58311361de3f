"""What a worker says about its brokers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from streams.engine.status import Status

if TYPE_CHECKING:
    import pytest


def test_brokers_are_silent_from_their_last_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("streams.engine.status.time", SimpleNamespace(monotonic=lambda: now_s))
    status = Status()
    assert status.silent_s == 0
    status.note_answer()
    now_s = 140.0
    assert status.silent_s == 40
    status.note_answer()
    assert status.silent_s == 0


def test_a_worker_without_partitions_goes_by_what_it_asks_of_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.engine.status.time", SimpleNamespace(monotonic=lambda: 140.0))
    status, topology = Status(), SimpleNamespace(asked_s=None)
    asker: Any = topology
    status.topology = asker
    status.note_answer()
    assert status.silent_s == 0
    topology.asked_s = 105.0
    assert status.silent_s == 35
    owned: Any = SimpleNamespace()
    status.partitions["shop.journal", 0] = owned
    assert status.silent_s == 0
