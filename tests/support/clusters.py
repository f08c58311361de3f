"""What insights do with clusters and cuts in parts, done at once for a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.insights import clusters as clustering
from streams.insights import kmeans
from streams.insights.clusters import challenge, sampled, started_on, vector_of, went_on
from streams.insights.cuts import cuts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.insights.clusters import Challenged
    from streams.insights.kmeans import Points
    from streams.insights.state import Clusters, Row, Warmup
    from streams.insights.work import Fit
    from streams.profiles.features import ClusterModel
    from streams.profiles.scores import CutsModel

AT_ONCE = 1 << 40


def started(warmup: Warmup, time_ms: int) -> Clusters | None:
    """Clusters of the rows gathered; None: too few different rows."""
    starting = started_on(warmup, time_ms)
    while starting is not None and starting.fit is not None:
        starting = went_on(warmup, starting, AT_ONCE)
    return None if starting is None else clustering.clusters_of(warmup, starting)


def done(points: Points, fit: Fit) -> Fit:
    while fit.left:
        fit = kmeans.worked(points, fit, AT_ONCE)
    return fit


def batch_centres(points: Points, k: int, seed: int) -> Points:
    return kmeans.fitted(done(points, kmeans.begun(points, k, seed)))


def challenged(clusters: Clusters, rows: Sequence[Row], time_ms: int) -> Challenged:
    hashes, slots_ms = np.array([(row.customer_hash, row.slot_ms) for row in rows]).T
    raw = sampled(hashes, slots_ms, vectors(rows))
    fit = challenge(raw, len(clusters.centres), time_ms)
    while fit.left:
        fit = clustering.challenge_on(raw, fit, AT_ONCE)
    return clustering.challenged(clusters, raw, fit)


def model_of(clusters: Clusters, rows: Sequence[Row], version: str, time_ms: int) -> ClusterModel:
    return clustering.model_of(clusters, [vectors(rows)], version, time_ms)


def vectors(rows: Sequence[Row]) -> Points:
    return np.array([vector_of(row) for row in rows])


def panel_cuts(version: str, time_ms: int, rows: Sequence[Row]) -> CutsModel:
    """The cuts of a first panel."""
    columns = [(row.recency_ms, row.orders, row.monetary_minor) for row in rows]
    return cuts_of(version, time_ms, np.array(columns, np.int64).T, None, 0.0)
