"""Clusters of customers: warm start, online learning with River, the weekly challenger, lasting numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from msgspec.structs import replace
from river import __version__ as river_version  # type: ignore[attr-defined] # it exports nothing by name
from river import cluster
from xxhash import xxh3_64_intdigest

from streams.insights import kmeans
from streams.insights.state import Clusters, Warmup
from streams.insights.wording import describe
from streams.profiles.features import FEATURES, FEATURES_VERSION, ClusterModel, features, standardised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.insights.kmeans import Points
    from streams.insights.state import Row

LIBRARY = f"river {river_version}"
HALFLIFE = 0.01
WARMUP_ROWS = 500
K_MIN, K_MAX = 4, 8
# if a batch run's inertia is this much lower, online learning went wrong
WORSE_MAX = 1.10
CHALLENGER_ROWS_MIN = 100

_SILHOUETTE_ROWS_MAX = 1_000
_CHALLENGER_ROWS_MAX = 5_000
_WARMUP_ROWS_MAX = 4 * WARMUP_ROWS


class Challenged(NamedTuple):
    """Clusters after the challenger's run, and whether they were restarted from it."""

    clusters: Clusters
    restarted: bool


def vector_of(row: Row) -> tuple[float, ...]:
    return features(row.recency_ms, row.orders, row.monetary_minor, row.gap_ms, row.engagement)


def gathered(warmup: Warmup | None, rows: Sequence[Row]) -> Warmup:
    """Add rows for a start; keep the last ones if there are too many."""
    vectors = (warmup.vectors if warmup else ()) + tuple(vector_of(row) for row in rows)
    return Warmup(vectors[-_WARMUP_ROWS_MAX:])


def started(warmup: Warmup, time_ms: int) -> Clusters | None:
    """Start clusters on at least WARMUP_ROWS rows, with a number chosen by silhouette; None: too few different rows."""
    raw = np.array(warmup.vectors[-_SILHOUETTE_ROWS_MAX:])
    if len(raw) < WARMUP_ROWS:
        return None
    k_max = min(K_MAX, len(np.unique(raw, axis=0)) - 1)
    if k_max < K_MIN:
        return None
    mean, scale = _scales(raw)
    centres = kmeans.choose_k((raw - mean) / scale, range(K_MIN, k_max + 1), _seed(time_ms))
    # number 1 spends most
    centres = centres[np.argsort(-centres[:, FEATURES.index("log1p_spend")], kind="stable")]
    return Clusters(
        library=LIBRARY,
        features_version=FEATURES_VERSION,
        mean=_floats(mean),
        scale=_floats(scale),
        centres=_rows(centres),
        reference=_rows(centres * scale + mean),
        numbers=tuple(range(1, len(centres) + 1)),
        number_next=len(centres) + 1,
        learnt=len(raw),
    )


def restored(clusters: Clusters) -> cluster.KMeans:
    """Return River's learner in the state of the snapshot, from which it continues bit for bit."""
    learner: cluster.KMeans = cluster.KMeans(n_clusters=len(clusters.centres), halflife=HALFLIFE, seed=0)
    for index, centre in enumerate(clusters.centres):
        # features are named by numbers: River sums over a set of names. The order of a set of strings differs from
        # process to process, and so would the sums
        learner.centers[index].update(enumerate(centre))
    return learner


def learnt(clusters: Clusters, rows: Sequence[Row]) -> Clusters:
    """Learn rows one by one, in the given order."""
    learner = restored(clusters)
    for row in rows:
        point = standardised(vector_of(row), clusters.mean, clusters.scale)
        learner.learn_one(dict(enumerate(point)))  # type: ignore[no-untyped-call] # River types half of it
    centres = tuple(
        tuple(learner.centers[index][at] for at in range(len(FEATURES))) for index in range(len(clusters.centres))
    )
    return replace(clusters, library=LIBRARY, centres=centres, learnt=clusters.learnt + len(rows))


def challenged(clusters: Clusters, rows: Sequence[Row], time_ms: int) -> Challenged:
    """Compare with a batch k-means on the week's panel, in its own units; restart from it if it is much better."""
    if len(rows) < CHALLENGER_ROWS_MIN:
        return Challenged(clusters, restarted=False)
    # the lowest hashes are a random sample that is the same in every run
    sample = sorted(rows, key=lambda row: (row.customer_hash, row.slot_ms))[:_CHALLENGER_ROWS_MAX]
    raw = np.array([vector_of(row) for row in sample])
    mean, scale = _scales(raw)
    points = (raw - mean) / scale
    online = (_raw_centres(clusters) - mean) / scale
    batch = kmeans.fit(points, len(online), _seed(time_ms))
    if kmeans.inertia_of(points, online) <= WORSE_MAX * kmeans.inertia_of(points, batch):
        return Challenged(clusters, restarted=False)
    fresh = replace(clusters, mean=_floats(mean), scale=_floats(scale), centres=_rows(batch))
    return Challenged(fresh, restarted=True)


def numbered(clusters: Clusters) -> Clusters:
    """Give each centre the number of the published centre that it came from."""
    mean, scale = np.array(clusters.mean), np.array(clusters.scale)
    pairs = kmeans.matched((np.array(clusters.reference) - mean) / scale, np.array(clusters.centres))
    numbers, number_next = [], clusters.number_next
    for index in range(len(clusters.centres)):
        if index in pairs:
            numbers.append(clusters.numbers[pairs[index]])
        else:
            numbers.append(number_next)
            number_next += 1
    return replace(clusters, numbers=tuple(numbers), number_next=number_next, reference=_rows(_raw_centres(clusters)))


def model_of(clusters: Clusters, rows: Sequence[Row], version: str, time_ms: int) -> ClusterModel:
    """Return the model to publish, with the week's panel counted by cluster."""
    size = [0] * len(clusters.centres)
    if rows:
        points = (np.array([vector_of(row) for row in rows]) - clusters.mean) / np.array(clusters.scale)
        size = np.bincount(kmeans.labels_of(points, np.array(clusters.centres)), minlength=len(size)).tolist()
    return ClusterModel(
        version=version,
        time_ms=time_ms,
        features=FEATURES,
        mean=clusters.mean,
        scale=clusters.scale,
        centres=clusters.centres,
        names=describe(clusters.centres, clusters.mean, clusters.scale),
        numbers=clusters.numbers,
        size=tuple(size),
    )


def _scales(raw: Points) -> tuple[Points, Points]:
    scale = raw.std(axis=0)
    # a feature that is the same for all has no effect, whatever it is divided by
    return raw.mean(axis=0), np.where(scale > 1e-9, scale, 1.0)  # noqa: PLR2004 - rounding


def _raw_centres(clusters: Clusters) -> Points:
    raw: Points = np.array(clusters.centres) * np.array(clusters.scale) + np.array(clusters.mean)
    return raw


def _floats(values: Points) -> tuple[float, ...]:
    return tuple(values.tolist())


def _rows(values: Points) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in values.tolist())


def _seed(time_ms: int) -> int:
    return xxh3_64_intdigest(b"clusters|%d" % time_ms)
