"""Batch k-means on small panels: the start of the online clusters, and their challenger.

Points are arrays of shape (rows, features), standardised by the caller. Distances avoid BLAS, whose sums depend on the
number of threads, so that the same points give the same centres.
"""

from __future__ import annotations

from typing import TypeAlias, cast

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from streams.insights.work import Fit

Points: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[np.int64]

_STARTS = 8
_ROUNDS_MAX = 100


def distances(points: Points, centres: Points, metric: str = "sqeuclidean") -> Points:
    """Return distances of shape (rows, centres), squared unless `metric` is "euclidean"."""
    return cast("Points", cdist(points, centres, metric))


def labels_of(points: Points, centres: Points) -> Labels:
    """Return the index of each row's nearest centre."""
    labels: Labels = distances(points, centres).argmin(axis=1)
    return labels


def inertia_of(points: Points, centres: Points) -> float:
    """Return the sum of squared distances to the nearest centre."""
    return float(distances(points, centres).min(axis=1).sum())


def begun(points: Points, k: int, seed: int) -> Fit:
    """Begin k-means++ (Arthur, Vassilvitskii 2007): draw where all starts begin; `worked` goes on from there."""
    chance = np.random.default_rng(seed)
    left = tuple([_plus_plus(points, k, chance).tobytes() for _ in range(_STARTS)])
    return Fit(k, left, left[0])


def worked(points: Points, fit: Fit, distances_max: int) -> Fit:
    """Do Lloyd's rounds of the start in work, of about so many distances; its end begins the next start.

    It is done when no start is left.
    """
    centres, labels, rounds = _centres(fit.centres, fit.k), np.frombuffer(fit.labels, np.uint8), fit.rounds
    for _ in range(max(1, distances_max // (len(points) * fit.k))):
        nearest = labels_of(points, centres).astype(np.uint8)
        if rounds == _ROUNDS_MAX or np.array_equal(nearest, labels):
            return _start_done(points, fit, centres)
        labels, rounds = nearest, rounds + 1
        # an empty cluster keeps its centre
        centres = np.stack(
            [
                points[labels == index].mean(axis=0) if (labels == index).any() else centre
                for index, centre in enumerate(centres)
            ]
        )
    return replace(fit, centres=centres.tobytes(), labels=labels.tobytes(), rounds=rounds)


def fitted(fit: Fit) -> Points:
    """Return the centres of the best start, of shape (k, features), in ascending order of their coordinates."""
    best = _centres(fit.best, fit.k)
    return best[np.lexsort(best.T[::-1])]


def _start_done(points: Points, fit: Fit, centres: Points) -> Fit:
    inertia, left = inertia_of(points, centres), fit.left[1:]
    is_better = not fit.best or inertia < fit.inertia
    return Fit(
        fit.k,
        left,
        left[0] if left else b"",
        best=centres.tobytes() if is_better else fit.best,
        inertia=inertia if is_better else fit.inertia,
    )


def _centres(stored: bytes, k: int) -> Points:
    return np.frombuffer(stored, np.float64).reshape(k, -1)


def silhouette(points: Points, labels: Labels, apart: Points | None = None) -> float:
    """Return the mean silhouette (Rousseeuw 1987), -1..1; quadratic in rows. `apart`: their distances, if known."""
    apart = distances(points, points, "euclidean") if apart is None else apart
    kinds, own = np.unique(labels, return_inverse=True)
    if len(kinds) == 1:
        return -1.0
    rows = np.arange(len(points))
    sums = np.stack([apart[:, labels == kind].sum(axis=1) for kind in kinds], axis=1)
    sizes = np.bincount(own)
    within = sums[rows, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[rows, own] = np.inf
    between = means.min(axis=1)
    greater = np.maximum(within, between)
    scores = np.divide(between - within, greater, out=np.zeros_like(greater), where=greater > 0)
    # a cluster of one is neither well nor badly placed
    return float(np.where(sizes[own] == 1, 0.0, scores).mean())


def matched(old: Points, new: Points) -> dict[int, int]:
    """Pair centres one to one (Kuhn 1955) with the least total distance: index in `new` -> index in `old`."""
    olds, news = linear_sum_assignment(distances(old, new))
    return {int(index): int(before) for before, index in zip(olds, news, strict=True)}


def _plus_plus(points: Points, k: int, chance: np.random.Generator) -> Points:
    centres = [points[int(chance.integers(len(points)))]]
    while len(centres) < k:
        nearest = distances(points, np.stack(centres)).min(axis=1)
        heap = np.cumsum(nearest)
        at = int(np.searchsorted(heap, chance.random() * heap[-1], side="right"))
        centres.append(points[min(at, len(points) - 1)])
    return np.stack(centres)
