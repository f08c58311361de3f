"""Clusters of customers: warm start, online learning with River, the weekly challenger, lasting numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from msgspec.structs import replace
from river import __version__ as river_version  # type: ignore[attr-defined] # it exports nothing by name
from river import cluster
from xxhash import xxh3_64_intdigest

from streams.insights import kmeans
from streams.insights.state import Clusters, Warmup
from streams.insights.wording import describe
from streams.insights.work import Starting
from streams.profiles.features import FEATURES, FEATURES_VERSION, ClusterModel, features, standardised

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from streams.insights.kmeans import Points
    from streams.insights.state import Row
    from streams.insights.work import Fit

Whole: TypeAlias = "NDArray[np.int64]"
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


class Scaled(NamedTuple):
    """Features of rows with mean 0 and standard deviation 1, and what they were before."""

    mean: Points
    scale: Points
    points: Points


def vector_of(row: Row) -> tuple[float, ...]:
    return features(row.recency_ms, row.orders, row.monetary_minor, row.gap_ms, row.engagement)


def gathered(warmup: Warmup | None, rows: Sequence[Row]) -> Warmup:
    """Add rows for a start; keep the last ones if there are too many."""
    vectors = (warmup.vectors if warmup else ()) + tuple(vector_of(row) for row in rows)
    return Warmup(vectors[-_WARMUP_ROWS_MAX:])


def started_on(warmup: Warmup, time_ms: int) -> Starting | None:
    """Begin to start clusters; None: there are too few different rows."""
    raw = _first_rows(warmup)
    if len(raw) < WARMUP_ROWS:
        return None
    k_max = min(K_MAX, len(np.unique(raw, axis=0)) - 1)
    if k_max < K_MIN:
        return None
    return Starting(time_ms, k_max, kmeans.begun(_scaled(raw).points, K_MIN, _seed(time_ms)))


def went_on(warmup: Warmup, starting: Starting, distances_max: int) -> Starting:
    """Measure about so many distances, or how well one number of clusters does; of two as good the smaller wins."""
    fit = starting.fit
    if fit is None:
        return starting
    points = _scaled(_first_rows(warmup)).points
    if fit.left:
        return replace(starting, fit=kmeans.worked(points, fit, distances_max))
    centres = kmeans.fitted(fit)
    score = kmeans.silhouette(points, kmeans.labels_of(points, centres))
    if score > starting.silhouette:
        starting = replace(starting, best=centres.tobytes(), silhouette=score)
    if fit.k == starting.k_max:
        return replace(starting, fit=None)
    return replace(starting, fit=kmeans.begun(points, fit.k + 1, _seed(starting.time_ms)))


def clusters_of(warmup: Warmup, starting: Starting) -> Clusters:
    """Return the clusters that a start has found."""
    raw = _first_rows(warmup)
    mean, scale, _ = _scaled(raw)
    centres = np.frombuffer(starting.best, np.float64).reshape(-1, len(FEATURES))
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


def sampled(hashes: Whole, slots_ms: Whole, vectors: Points) -> Points:
    """Return the challenger's rows: the lowest hashes are a random sample that is the same in every run."""
    chosen: Points = vectors[np.lexsort((slots_ms, hashes))[:_CHALLENGER_ROWS_MAX]]
    return chosen


def challenge(raw: Points, k: int, time_ms: int) -> Fit:
    """Begin the challenger's run on the sample."""
    return kmeans.begun(_scaled(raw).points, k, _seed(time_ms))


def challenge_on(raw: Points, fit: Fit, distances_max: int) -> Fit:
    """Go on with the challenger's run."""
    return kmeans.worked(_scaled(raw).points, fit, distances_max)


def challenged(clusters: Clusters, raw: Points, fit: Fit) -> Challenged:
    """Compare with the challenger, in the sample's own units; restart from it if it is much better."""
    mean, scale, points = _scaled(raw)
    batch = kmeans.fitted(fit)
    online = (_raw_centres(clusters) - mean) / scale
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


def model_of(clusters: Clusters, pieces: Iterable[Points], version: str, time_ms: int) -> ClusterModel:
    """Return the model to publish, with the week's panel counted by cluster; its features come in pieces."""
    size = [0] * len(clusters.centres)
    centres, scale = np.array(clusters.centres), np.array(clusters.scale)
    for vectors in pieces:
        labels = kmeans.labels_of((vectors - clusters.mean) / scale, centres)
        size = (np.bincount(labels, minlength=len(size)) + size).tolist()
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


def _first_rows(warmup: Warmup) -> Points:
    return np.array(warmup.vectors[-_SILHOUETTE_ROWS_MAX:])


def _scaled(raw: Points) -> Scaled:
    mean, scale = raw.mean(axis=0), raw.std(axis=0)
    # a feature that is the same for all has no effect, whatever it is divided by
    scale = np.where(scale > 1e-9, scale, 1.0)  # noqa: PLR2004 - rounding
    return Scaled(mean, scale, (raw - mean) / scale)


def _raw_centres(clusters: Clusters) -> Points:
    raw: Points = np.array(clusters.centres) * np.array(clusters.scale) + np.array(clusters.mean)
    return raw


def _floats(values: Points) -> tuple[float, ...]:
    return tuple(values.tolist())


def _rows(values: Points) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in values.tolist())


def _seed(time_ms: int) -> int:
    return xxh3_64_intdigest(b"clusters|%d" % time_ms)
