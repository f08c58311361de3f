"""A tick in parts publishes what a tick at once does, also if a worker ends between two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from schemas.limits import TIME_AHEAD_MS_MAX
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.insights import kmeans, ticking, ticks
from streams.insights.fold import fold_facts
from streams.insights.kmeans import labels_of
from streams.insights.state import CLOCK, SETTINGS, Clock, InsightCodec, Settings
from streams.insights.work import SAMPLE, WORK, Starting, Ticking, piece_key
from streams.processors.insighting import GOING_ON
from tests.support.insights import a_partition, at, facts, some_weeks, ticks_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from schemas.insights import Facts
    from streams.insights.effects import InsightEffects

WEEKS = 6


def some_records(seed: int) -> list[Facts]:
    return [*some_weeks(seed, WEEKS), facts(to=at("2024-03-01T00:00"))]


def said(effects: Iterable[InsightEffects]) -> list[list[object]]:
    """All that is published, by topic in order."""
    each = list(effects)
    return [
        [record for one in each for record in getattr(one, kind)]
        for kind in ("kpis", "anomalies", "models", "broadcast")
    ]


def ended_and_begun(state: Overlay[Any]) -> Overlay[Any]:
    """The state as the next owner of the partition restores it."""
    state.freeze()
    state.committed(state.store.position + 1)
    store = MemoryStore()
    store.write(list(state.store.items()), 1)
    return Overlay(store, InsightCodec())


def at_once(records: Iterable[Facts]) -> list[InsightEffects]:
    """By the first rules, which know no parts."""
    state = a_partition()
    held = state.get(SETTINGS)
    assert isinstance(held, Settings)
    state.put(SETTINGS, replace(held, rules=1), 0)
    effects = []
    for record in records:
        effects.append(fold_facts(state, record))
        assert state.get(WORK) is None
        while effects[-1].is_behind:
            effects.append(fold_facts(state, GOING_ON))
            assert state.get(WORK) is None
    return effects


def small_parts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ticking, "PIECE_ROWS_MAX", 60)
    patch.setattr(ticking, "_FEW_ROWS", 1)
    for module in (ticking, ticks):
        patch.setattr(module, "DISTANCES_MAX", 4_000)


def test_parts_publish_what_is_published_at_once_and_a_worker_may_end_between_any_two(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = some_records(seed)
    expected = said(at_once(records))
    small_parts(monkeypatch)
    state, effects, kinds = a_partition(), [], []
    for record in records:
        effects.append(fold_facts(state, record))
        while effects[-1].is_behind:
            state = ended_and_begun(state)
            kinds.append(type(state.get(WORK)))
            effects.append(fold_facts(state, GOING_ON))
    assert said(effects) == expected
    assert len(ticks_of(effects)) > WEEKS
    assert kinds.count(Starting) > 10
    assert kinds.count(Ticking) > 50


def test_nothing_of_a_tick_is_left_behind(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    small_parts(monkeypatch)
    state = a_partition()
    for record in some_records(seed):
        effects = fold_facts(state, record)
        while effects.is_behind:
            effects = fold_facts(state, GOING_ON)
    state = ended_and_begun(state)
    assert [key for key, _ in state.store.items(b"work")] == []


def test_a_record_measures_no_more_distances_than_it_may(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = [0]

    def counted(points: Any, centres: Any) -> Any:
        measured[0] += len(points) * len(centres)
        return labels_of(points, centres)

    monkeypatch.setattr(kmeans, "labels_of", counted)
    small_parts(monkeypatch)
    state, most = a_partition(), 0
    for record in some_records(seed):
        effects = fold_facts(state, record)
        while effects.is_behind:
            measured[0] = 0
            had_work = state.get(WORK)
            effects = fold_facts(state, GOING_ON)
            if isinstance(had_work, Ticking) and had_work.fit is not None and had_work.fit.left:
                most = max(most, measured[0])
    # 400 points and 8 centres are one round
    assert 0 < most <= 4_000


def test_time_that_is_taken_back_within_a_tick_drops_it_and_does_it_again(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_parts(monkeypatch)
    state = a_partition(clock="wall")
    *_, last = records = some_weeks(seed, 2)
    appended_ms = (last.complete_to_ms or 0) - 3 * TIME_AHEAD_MS_MAX
    for record in records[:-1]:
        effects = fold_facts(state, record)
        while effects.is_behind:
            effects = fold_facts(state, GOING_ON)
    fold_facts(state, last)
    while not isinstance(state.get(WORK), Ticking) or state.get(piece_key(1)) is None:
        fold_facts(state, GOING_ON)
    fold_facts(state, GOING_ON, appended_ms)
    assert state.get(WORK) is None
    assert [state.get(key) for key in (piece_key(0), piece_key(1), SAMPLE)] == [None] * 3
    clock = state.get(CLOCK)
    assert isinstance(clock, Clock)
    assert clock.tick_ms == last.complete_to_ms
    again = [fold_facts(state, replace(last, counts=(), panel=()))]
    while again[-1].is_behind:
        again.append(fold_facts(state, GOING_ON))
    assert [tick.time_ms for tick in ticks_of(again)] == [last.complete_to_ms]
