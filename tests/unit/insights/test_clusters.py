"""Clusters: start, learning online, snapshots, the challenger, numbers that stay and words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace
from scipy.special import comb

from schemas.insights import PanelRow
from streams.insights import kmeans
from streams.insights.clusters import (
    LIBRARY,
    WARMUP_ROWS,
    gathered,
    learnt,
    numbered,
    restored,
    started_on,
    vector_of,
    went_on,
)
from streams.insights.fold import fold_facts
from streams.insights.state import CLUSTERS, Clusters, InsightCodec, Warmup
from streams.insights.wording import describe
from streams.processors.insighting import GOING_ON
from streams.profiles.features import FEATURES_VERSION, ClusterModel, features, nearest
from tests.support.clusters import batch_centres, challenged, model_of, started
from tests.support.insights import (
    HOUR_MS,
    KINDS,
    WEEK_MS,
    a_partition,
    at,
    chunks_of,
    facts,
    fold_all,
    fold_to_end,
    some_rows,
    some_weeks,
    ticks_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streams.insights.state import Row


def a_start(chance: np.random.Generator, count: int = WARMUP_ROWS) -> Clusters:
    begun = started(gathered(None, some_rows(chance, count)), 0)
    assert begun is not None
    return begun


def labels(clusters: Clusters, rows: list[Row]) -> NDArray[np.int64]:
    model = model_of(clusters, rows, "clusters-x", 0)
    return np.array([nearest(model, vector_of(row)) for row in rows])


def adjusted_rand(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Agreement of two groupings (Hubert, Arabie 1985); 1: the same, 0: by chance."""
    table = np.array([[np.sum((one == a) & (other == b)) for b in np.unique(other)] for a in np.unique(one)])
    pairs, rows, columns = (float(comb(x, 2).sum()) for x in (table, table.sum(axis=1), table.sum(axis=0)))
    expected = rows * columns / comb(len(one), 2)
    return float((pairs - expected) / ((rows + columns) / 2 - expected))


def test_clusters_wait_for_five_hundred_rows() -> None:
    chance = np.random.default_rng(1)
    assert started(gathered(None, some_rows(chance, WARMUP_ROWS - 1)), 0) is None
    assert len(a_start(chance).centres) == len(KINDS)


def test_rows_that_are_all_alike_make_no_clusters() -> None:
    (row,) = some_rows(np.random.default_rng(1), 1)
    assert started(gathered(None, [row] * 600), 0) is None


def test_a_start_is_the_same_each_time_and_from_a_seed_of_its_hour() -> None:
    rows = some_rows(np.random.default_rng(2), 600)
    assert started(gathered(None, rows), 5) == started(gathered(None, rows), 5)


def test_a_feature_that_is_the_same_for_all_does_no_harm() -> None:
    rows = [replace(row, engagement=0.0) for row in some_rows(np.random.default_rng(3), 600)]
    begun = started(gathered(None, rows), 0)
    assert begun is not None
    assert np.isfinite(learnt(begun, rows).centres).all()


@pytest.mark.parametrize("seed", range(5))
def test_online_clusters_follow_a_drift_as_a_batch_run_would(seed: int) -> None:
    chance = np.random.default_rng(seed)
    clusters = a_start(chance)
    rows: list[Row] = []
    for week in range(1, 13):
        rows = some_rows(chance, 1_000, drift=0.05 * week)
        clusters = learnt(clusters, rows)
    raw = np.array([vector_of(row) for row in rows])
    points = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    batch = kmeans.labels_of(points, batch_centres(points, len(clusters.centres), seed))
    assert adjusted_rand(labels(clusters, rows), batch) >= 0.85


def test_a_snapshot_goes_on_bit_for_bit() -> None:
    chance = np.random.default_rng(4)
    clusters, rows = a_start(chance), some_rows(chance, 400)
    calm = restored(clusters)
    codec = InsightCodec()
    for start in range(0, 400, 50):
        for row in rows[start : start + 50]:
            point = (np.array(vector_of(row)) - clusters.mean) / np.array(clusters.scale)
            calm.learn_one(dict(enumerate(point.tolist())))  # type: ignore[no-untyped-call] # River types half of it
        decoded = codec.decode(CLUSTERS, codec.encode(CLUSTERS, clusters))
        assert isinstance(decoded, Clusters)
        clusters = learnt(decoded, rows[start : start + 50])
    assert clusters.centres == tuple(tuple(calm.centers[index].values()) for index in calm.centers)
    assert (clusters.library, clusters.features_version) == (LIBRARY, FEATURES_VERSION)


def test_clusters_far_worse_than_a_batch_run_are_restarted_from_it() -> None:
    chance = np.random.default_rng(5)
    clusters, rows = a_start(chance), some_rows(chance, 800)
    assert not challenged(learnt(clusters, rows), rows, 0).restarted
    astray = replace(clusters, centres=tuple(clusters.centres[:1]) * len(clusters.centres))
    better, restarted = challenged(astray, rows, 0)
    assert restarted
    assert adjusted_rand(labels(better, rows), labels(clusters, rows)) > 0.9


@pytest.mark.parametrize(("rows", "restarts"), [(99, 0), (100, 1)])
def test_a_small_panel_challenges_nobody(rows: int, restarts: int) -> None:
    chance, monday = np.random.default_rng(5), at("2024-01-01T00:00")
    clusters, state = a_start(chance), a_partition()
    fold_to_end(state, facts(to=monday))
    for row in some_rows(chance, rows):
        given = msgspec.structs.asdict(row) | {"slot_ms": monday + HOUR_MS}
        fold_to_end(state, facts(panel=[PanelRow(**given)]))
    fold_to_end(state, facts(to=monday + WEEK_MS - 1))
    astray = replace(clusters, centres=tuple(clusters.centres[:1]) * len(clusters.centres))
    state.put(CLUSTERS, astray, 0)
    effects = [fold_facts(state, facts(to=monday + WEEK_MS))]
    while effects[-1].is_behind:
        effects.append(fold_facts(state, GOING_ON))
    assert sum(each.cluster_restarts for each in effects) == restarts


@pytest.mark.parametrize("seed", range(3))
def test_a_cluster_keeps_its_number_when_centres_change_places(seed: int) -> None:
    chance = np.random.default_rng(seed)
    clusters, rows = a_start(chance), some_rows(chance, 300)
    order = chance.permutation(len(clusters.centres)).tolist()
    shuffled = numbered(replace(clusters, centres=tuple(clusters.centres[index] for index in order)))
    assert shuffled.numbers == tuple(clusters.numbers[index] for index in order)
    assert (labels(shuffled, rows) == labels(clusters, rows)).all()


def test_numbers_survive_a_restart_in_other_units() -> None:
    chance = np.random.default_rng(6)
    clusters, rows = a_start(chance), some_rows(chance, 800, drift=0.1)
    astray = replace(clusters, centres=tuple(clusters.centres[:1]) * len(clusters.centres))
    restarted = numbered(challenged(astray, rows, 0).clusters)
    assert (labels(restarted, rows) == labels(numbered(learnt(clusters, rows)), rows)).mean() > 0.95


def test_a_new_cluster_gets_a_number_that_was_never_used() -> None:
    clusters = a_start(np.random.default_rng(7))
    more = numbered(replace(clusters, centres=(*clusters.centres, (9.0,) * 5)))
    assert more.numbers == (*clusters.numbers, len(KINDS) + 1)
    assert more.number_next == len(KINDS) + 2


def test_clusters_are_described_by_what_sets_them_apart() -> None:
    words = describe(
        [(-1.0, 1.2, 0.9, 0.0, 0.0), (1.0, -1.0, -1.0, -1.0, 0.0), (0.0,) * 5, (-1.0, 1.2, 0.9, -0.3, 0.0)],
        (3.0, 1.0, 4.0, 2.0, 1.0),
        (1.0, 1.0, 1.0, 1.0, 1.0),
    )
    assert words == (
        "recent, frequent, high spend",
        "lapsed, few orders, low spend",
        "average",
        "recent, frequent, high spend, short gaps",
    )


def test_features_are_finite_for_any_customer() -> None:
    for vector in (features(-5, 0, -100, -1, 0.0), features(10**13, 10**6, 10**12, 10**13, 1e3)):
        assert np.isfinite(vector).all()
    assert features(0, 1, 0, 0, 0.5) == (0.0, 0.0, 0.0, 0.0, 0.5)


def test_the_number_of_clusters_is_the_one_with_the_best_silhouette() -> None:
    chance = np.random.default_rng(8)
    spots = np.array([(0, 0), (9, 0), (0, 9), (9, 9), (20, 20), (-9, 5)])
    points = spots[chance.integers(len(spots), size=600)] + chance.normal(0, 0.5, (600, 2))
    warmup = Warmup(tuple(map(tuple, points.tolist())))
    starting = started_on(warmup, 1)
    assert starting is not None
    while starting.fit is not None:
        starting = went_on(warmup, starting, 10_000)
    assert len(np.frombuffer(starting.best).reshape(-1, 2)) == len(spots)
    assert kmeans.silhouette(points, np.zeros(600, dtype=np.int64)) == -1.0


def test_clusters_are_published_at_ticks_once_they_have_started() -> None:
    state = a_partition()
    effects = fold_all(state, some_weeks(9, 4))
    told = [tick.models[1].version for tick in ticks_of(effects)]
    assert told == [None, None, "clusters-2024-01-15", "clusters-2024-01-22", "clusters-2024-01-29"]
    models = [msgspec.json.decode(c.body, type=ClusterModel) for c in chunks_of(effects) if c.kind == "clusters"]
    assert [sum(model.size) for model in models] == [400, 400, 400]
    assert {frozenset(model.numbers) for model in models} == {frozenset(range(1, 6))}
    assert len({model.names for model in models}) == 1
    assert len(set(models[0].names)) == 5
    fold_to_end(state, facts(to=at("2024-02-04T00:00")))
    (tick,) = ticks_of([fold_to_end(state, facts(to=at("2024-02-05T00:00")))])
    assert (tick.models[1].version, tick.models[1].reason) == (
        "clusters-2024-01-29",
        "no panel rows since it was published",
    )


def test_clusters_learnt_on_other_features_start_again() -> None:
    state = a_partition()
    fold_all(state, some_weeks(9, 3))
    clusters: Clusters | None = state.get(CLUSTERS)
    assert clusters is not None
    state.put(CLUSTERS, replace(clusters, features_version=0), 0)
    (tick,) = ticks_of([fold_to_end(state, facts(to=at("2024-01-29T00:00")))])
    assert tick.models[1].version is None
