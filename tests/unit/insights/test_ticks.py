"""Ticks: when, in which order, and what they say of each model."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec
import pytest

from schemas.insights import Count, PanelRow
from schemas.journal import ModelChunk, ModelTick
from schemas.limits import ENGAGEMENT_MAX, LONG_MAX, LONG_MIN, MODEL_BYTES_MAX, TIME_MS_MAX
from schemas.units import WEEK_MS
from streams.insights.effects import LATE_ROW
from streams.insights.fold import versions
from streams.insights.state import slot_key
from streams.insights.ticking import pieces_of
from streams.profiles.features import CLUSTERS_KIND, ClusterModel
from streams.profiles.scores import CUTS_KIND, CutsModel
from streams.settings import Cuts
from tests.support.clusters import panel_cuts
from tests.support.insights import (
    DAY_MS,
    HOUR_MS,
    a_partition,
    a_row,
    as_row,
    at,
    chunks_of,
    facts,
    fold_all,
    fold_to_end,
    ticks_of,
)
from tests.support.world import World

if TYPE_CHECKING:
    from streams.insights.effects import InsightEffects

MONDAY = at("2024-01-01T00:00")
NEXT = MONDAY + WEEK_MS


def a_panel(tick_ms: int, rows: int = 100, faster: int = 1) -> list[PanelRow]:
    """Customers with 1, 2, 3 ... orders, whose slots fill the week up to and including the tick."""
    return [
        a_row(
            index,
            tick_ms - index * WEEK_MS // rows,
            recency_ms=index * DAY_MS,
            orders=faster * (index + 1),
            monetary_minor=1_000 * index,
            gap_ms=DAY_MS * index if index else 0,
        )
        for index in range(rows)
    ]


def the_cuts(chunks: list[ModelChunk]) -> CutsModel:
    body = b"".join(chunk.body for chunk in chunks if chunk.kind == "cuts")
    return msgspec.json.decode(body, type=CutsModel)


def test_the_first_tick_is_the_first_monday_from_when_time_was_first_told() -> None:
    state = a_partition(reporting_time_zone="Europe/Berlin")
    monday = at("2024-04-01T00:00", "Europe/Berlin")
    effects = fold_all(state, [facts(to=monday + 1), facts(to=monday + WEEK_MS - 1), facts(to=monday + WEEK_MS)])
    assert [len(ticks_of([one])) for one in effects] == [0, 0, 1]
    assert ticks_of(effects)[0].time_ms == at("2024-04-08T00:00", "Europe/Berlin")


def test_a_replay_first_heard_of_at_its_barrier_gets_the_tick_that_it_waits_for() -> None:
    state = a_partition()
    assert [tick.time_ms for tick in ticks_of(fold_all(state, [facts(to=MONDAY)]))] == [MONDAY]


def test_a_week_with_a_change_of_the_clocks_has_its_own_length() -> None:
    state = a_partition(reporting_time_zone="Europe/Berlin")
    effects = fold_all(state, [facts(to=at("2024-03-20T00:00")), facts(to=at("2024-04-10T00:00"))])
    assert [tick.time_ms for tick in ticks_of(effects)] == [
        at(f"{day}T00:00", "Europe/Berlin") for day in ("2024-03-25", "2024-04-01", "2024-04-08")
    ]


def test_every_tick_names_each_kind_and_why_there_is_none() -> None:
    state = a_partition()
    effects = fold_all(state, [facts(to=MONDAY + 1), facts(to=NEXT, panel=a_panel(NEXT, rows=40))])
    (tick,) = ticks_of(effects)
    assert [(model.kind, model.version, model.reason) for model in tick.models] == [
        ("cuts", None, "the panel has 40 rows, 100 are needed"),
        ("clusters", None, "40 panel rows were gathered, 500 that differ are needed"),
    ]
    assert not chunks_of(effects)
    assert not effects[-1].models


def test_models_come_in_chunks_before_the_tick_that_names_them() -> None:
    state = a_partition()
    effects = fold_all(state, [facts(to=MONDAY + 1), facts(to=NEXT, panel=a_panel(NEXT))])
    chunk, tick = effects[-1].broadcast
    assert isinstance(chunk, ModelChunk)
    assert isinstance(tick, ModelTick)
    assert (chunk.kind, chunk.version, chunk.index, chunk.count) == ("cuts", "cuts-2024-01-08", 0, 1)
    assert tick.models[0].version == "cuts-2024-01-08"
    assert not tick.models[0].reason
    (model,) = effects[-1].models
    assert (model.kind, model.version, model.body) == ("cuts", "cuts-2024-01-08", chunk.body)
    assert versions(state) == {"cuts": "cuts-2024-01-08", "clusters": None}


@pytest.mark.parametrize(("size", "pieces"), [(1, 1), (MODEL_BYTES_MAX, 1), (MODEL_BYTES_MAX + 1, 2), (350_000, 4)])
def test_a_large_model_comes_in_pieces_that_the_fold_takes(size: int, pieces: int) -> None:
    body = bytes(range(250)) * (size // 250) + bytes(size % 250)
    chunks = pieces_of("clusters", "clusters-2024-01-08", body)
    assert [(chunk.index, chunk.count) for chunk in chunks] == [(index, pieces) for index in range(pieces)]
    world = World()
    for chunk in chunks:
        world.append("", chunk)
    assert b"".join(chunk.body for chunk in chunks) == body


def test_cuts_are_those_of_the_rows_of_the_last_168_hours() -> None:
    state = a_partition(cuts_dead_band=0)
    rows = [
        *a_panel(NEXT - WEEK_MS, rows=150, faster=7),
        *a_panel(NEXT),
        a_row(999, NEXT + 1, orders=500),
    ]
    fold_to_end(state, facts(to=MONDAY - DAY_MS))
    effects = fold_all(state, [facts(to=NEXT, panel=rows)])
    ticks = ticks_of(effects)
    assert [tick.time_ms for tick in ticks] == [MONDAY, NEXT]
    last = [chunk for chunk in chunks_of(effects) if chunk.version == "cuts-2024-01-08"]
    assert the_cuts(last) == panel_cuts("cuts-2024-01-08", NEXT, [as_row(row) for row in a_panel(NEXT)])


def test_cuts_within_the_dead_band_keep_their_version() -> None:
    state = a_partition()
    records = [facts(to=MONDAY + 1), facts(to=NEXT, panel=a_panel(NEXT))]
    records += [facts(to=NEXT + WEEK_MS, panel=a_panel(NEXT + WEEK_MS, rows=101))]
    records += [facts(to=NEXT + 2 * WEEK_MS, panel=a_panel(NEXT + 2 * WEEK_MS, faster=2))]
    told = [tick.models[0] for tick in ticks_of(fold_all(state, records))]
    assert [model.version for model in told] == ["cuts-2024-01-08", "cuts-2024-01-08", "cuts-2024-01-22"]
    assert told[1].reason == "every cut is within the dead band"


def test_a_panel_too_small_keeps_the_cuts_that_hold() -> None:
    state = a_partition()
    records = [facts(to=MONDAY + 1), facts(to=NEXT, panel=a_panel(NEXT)), facts(to=NEXT + WEEK_MS)]
    told = ticks_of(fold_all(state, records))[-1].models[0]
    assert (told.version, told.reason) == ("cuts-2024-01-08", "the panel has 0 rows, 100 are needed")


def test_fixed_cuts_are_published_once() -> None:
    fixed = Cuts(recency_ms=(1, 2, 3, 4), frequency=(1, 2, 3, 4), monetary_minor=(1, 2, 3, 4))
    state = a_partition(cuts_fixed=fixed)
    effects = fold_all(state, [facts(to=MONDAY + 1), facts(to=NEXT, panel=a_panel(NEXT)), facts(to=NEXT + WEEK_MS)])
    assert the_cuts(chunks_of(effects)) == CutsModel("cuts-fixed", NEXT, (1, 2, 3, 4), (1, 2, 3, 4), (1, 2, 3, 4), 0)
    assert [tick.models[0].version for tick in ticks_of(effects)] == ["cuts-fixed", "cuts-fixed"]


@pytest.mark.parametrize(("customers", "share"), [(100, 1_000_000), (400, 250_000), (0, 1_000_000)])
def test_the_panels_share_keeps_about_as_many_as_settings_allow(customers: int, share: int) -> None:
    state = a_partition(panel_customers_max=100)
    fold_to_end(state, facts(Count("customers_ordered", 0, "", customers), to=MONDAY))
    assert ticks_of([fold_to_end(state, facts(to=NEXT))])[0].panel_share_ppm == share


def test_rows_of_an_hour_that_was_learnt_are_counted() -> None:
    state = a_partition()
    fold_to_end(state, facts(to=MONDAY + HOUR_MS, panel=[a_row(1, MONDAY + HOUR_MS)]))
    effects = fold_to_end(state, facts(panel=[a_row(2, MONDAY + HOUR_MS), a_row(3, MONDAY + HOUR_MS + 1)]))
    assert effects.left_out[LATE_ROW] == 1


def test_rows_are_forgotten_when_no_panel_can_need_them() -> None:
    state = a_partition()
    fold_to_end(state, facts(to=MONDAY, panel=[a_row(1, NEXT), a_row(2, NEXT + 1)]))
    fold_to_end(state, facts(to=NEXT - 1))
    assert state.get(slot_key(NEXT)) is not None
    fold_to_end(state, facts(to=NEXT + DAY_MS))
    assert state.get(slot_key(NEXT)) is None
    assert state.get(slot_key(NEXT + HOUR_MS)) is not None


@pytest.mark.parametrize("seed", range(3))
def test_rows_at_the_limits_make_models_of_finite_numbers(seed: int) -> None:
    chance = random.Random(seed)
    state = a_partition()
    fold_to_end(state, facts(to=MONDAY))
    numbers = (0, 1, DAY_MS, TIME_MS_MAX)
    told: list[InsightEffects] = []
    for week in range(3):
        panel = [
            a_row(
                chance.getrandbits(62),
                MONDAY + week * WEEK_MS + chance.randrange(1, WEEK_MS),
                recency_ms=chance.choice((*numbers, -TIME_MS_MAX)),
                orders=chance.choice((0, 1, 7, LONG_MAX)),
                monetary_minor=chance.choice((0, 100, LONG_MAX, LONG_MIN)),
                gap_ms=chance.choice(numbers),
                engagement=chance.choice((0.0, 1e-9, 3.5, ENGAGEMENT_MAX)),
            )
            for _ in range(800)
        ]
        told += fold_all(state, [facts(panel=panel), facts(to=MONDAY + (week + 1) * WEEK_MS)])
    models = [model for one in told for model in one.models]
    assert {model.kind for model in models} == {CUTS_KIND, CLUSTERS_KIND}
    assert not [model.version for model in models if b"null" in model.body]
    for model in models:
        kind = CutsModel if model.kind == CUTS_KIND else ClusterModel
        assert msgspec.json.encode(msgspec.json.decode(model.body, type=kind)) == model.body
    state.freeze()
