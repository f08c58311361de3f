"""A tick in parts publishes what a tick at once does, also if a worker ends between two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from schemas.journal import RULES, Configured
from schemas.limits import TIME_AHEAD_MS_MAX
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.insights import kmeans, ticking, ticks
from streams.insights.fold import configured, fold_facts
from streams.insights.kmeans import labels_of
from streams.insights.state import CLOCK, SETTINGS, Clock, InsightCodec, Settings
from streams.insights.work import SAMPLE, WORK, Starting, Ticking, piece_key
from streams.processors.insighting import GOING_ON
from streams.settings import DomainSettings
from tests.support.insights import a_partition, a_row, at, chunks_of, facts, fold_all, fold_to_end, some_weeks, ticks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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


def use_rules(state: Overlay[Any], rules: int) -> None:
    """Rules 1 know no parts."""
    held = state.get(SETTINGS)
    assert isinstance(held, Settings)
    state.put(SETTINGS, replace(held, rules=rules), 0)


def at_once(records: Iterable[Facts], **settings: Any) -> list[InsightEffects]:
    state = a_partition(**settings)
    use_rules(state, 1)
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
        patch.setattr(module, "DISTANCES_MAX", 5_000)


def test_parts_publish_what_is_published_at_once_and_a_worker_may_end_between_any_two(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = some_records(seed)
    expected = said(at_once(records))
    small_parts(monkeypatch)
    state, effects, kinds = a_partition(), [], []
    use_rules(state, 2)  # by rules 3 an anomaly ends otherwise
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
    fold_all(state, some_records(seed))
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
            if isinstance(had_work, Ticking | Starting) and had_work.fit is not None and had_work.fit.left:
                most = max(most, measured[0])
    # 501 points and 8 centres are one round
    assert 0 < most <= 5_000


def test_time_that_is_taken_back_within_a_tick_drops_it_and_does_it_again(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_parts(monkeypatch)
    state = a_partition(clock="wall")
    *_, last = records = some_weeks(seed, 2)
    appended_ms = (last.complete_to_ms or 0) - 3 * TIME_AHEAD_MS_MAX
    fold_all(state, records[:-1])
    fold_facts(state, last)
    while not isinstance(state.get(WORK), Ticking) or state.get(piece_key(1)) is None:
        fold_facts(state, GOING_ON)
    fold_facts(state, GOING_ON, appended_ms)
    assert state.get(WORK) is None
    assert [state.get(key) for key in (piece_key(0), piece_key(1), SAMPLE)] == [None] * 3
    clock = state.get(CLOCK)
    assert isinstance(clock, Clock)
    assert clock.tick_ms == last.complete_to_ms
    again = fold_to_end(state, replace(last, counts=(), panel=()))
    assert [tick.time_ms for tick in ticks_of([again])] == [last.complete_to_ms]


def within_the_last_tick(records: list[Facts], **settings: Any) -> Iterator[tuple[Overlay[Any], list[InsightEffects]]]:
    """The state after each part of the last record's tick but the last part, and all that was said, as copies."""
    state, parts = a_partition(**settings), 0
    effects = fold_all(state, records[:-1])
    effects.append(fold_facts(state, records[-1]))
    while effects[-1].is_behind:
        if isinstance(state.get(WORK), Ticking):
            parts += 1
            yield ended_and_begun(state), effects[:]
        effects.append(fold_facts(state, GOING_ON))
    assert parts > 3


@pytest.mark.parametrize("weeks", [2, 3])
def test_a_tick_names_only_models_that_were_sent_wherever_time_is_taken_back(
    seed: int, weeks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_parts(monkeypatch)
    records = some_weeks(seed, weeks)
    monday = records[-1].complete_to_ms or 0
    back = monday - 2 * TIME_AHEAD_MS_MAX
    for state, effects in within_the_last_tick(records, clock="wall"):
        effects.append(fold_facts(state, facts(to=back), back))
        assert state.get(WORK) is None
        effects.append(fold_to_end(state, facts(to=monday)))
        named = {model.version for tick in ticks_of(effects) for model in tick.models if model.version is not None}
        assert named <= {chunk.version for chunk in chunks_of(effects)}
        assert [tick.time_ms for tick in ticks_of(effects)][-1] == monday


@pytest.mark.parametrize(
    "changed",
    [
        {"panel_rows_min": 100_000},
        {"cuts_dead_band": 0.1},
        {"reporting_time_zone": "Europe/Berlin"},
        {"cuts_fixed": {"recency_ms": [1, 2, 3, 4], "frequency": [1, 2, 3, 4], "monetary_minor": [1, 2, 3, 4]}},
        {"panel_customers_max": 100},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_settings_that_change_within_a_tick_hold_from_the_next_one_on(
    seed: int, changed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = some_weeks(seed, 3)
    *_, expected = said(at_once(records))
    small_parts(monkeypatch)
    for state, effects in within_the_last_tick(records):
        settings = DomainSettings(**{"journal_partitions": 1, "grace_ms": 0, **changed})
        configured(state, Configured(settings.model_dump_json(), 0, RULES))
        while isinstance(state.get(WORK), Ticking):
            effects.append(fold_facts(state, GOING_ON))
        assert said(effects)[-1] == expected


def test_a_row_of_the_hour_that_a_tick_divides_comes_too_late_once_it_has_begun(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = "Asia/Kolkata"
    monday = at("2024-01-22T00:00", zone)
    records = [*(each for each in some_weeks(seed, 4) if (each.complete_to_ms or 0) < monday), facts(to=monday)]
    *_, expected = said(at_once(records, reporting_time_zone=zone))
    small_parts(monkeypatch)
    for state, effects in within_the_last_tick(records, reporting_time_zone=zone):
        effects.append(fold_to_end(state, facts(panel=[a_row(4, monday - 1, orders=500)])))
        assert said(effects)[-1] == expected


def test_a_tick_that_a_release_with_other_features_began_begins_again(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = some_weeks(seed, 3)
    *_, expected = said(at_once(records))
    small_parts(monkeypatch)
    for state, effects in within_the_last_tick(records):
        state.put(WORK, replace(state.get(WORK), features_version=0), 0)  # type: ignore[type-var] # it is a tick
        effects.append(fold_to_end(state, GOING_ON))
        assert said(effects)[-1] == expected


def test_by_the_first_rules_nothing_of_the_work_is_ever_stored(seed: int) -> None:
    state, written = a_partition(), set[bytes]()
    use_rules(state, 1)
    for record in some_records(seed):
        is_behind = fold_facts(state, record).is_behind
        while is_behind:
            is_behind = fold_facts(state, GOING_ON).is_behind
        written |= {key for key, _ in state.freeze()}
        state.committed(state.store.position + 1)
    assert len(written) > 100
    assert [key for key in written if key.startswith(WORK)] == []
