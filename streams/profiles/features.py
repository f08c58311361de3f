"""Features by which customers are clustered, and the assignment of a customer to a published cluster."""

from __future__ import annotations

from math import log, log1p
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from schemas.units import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

CLUSTERS_KIND = "clusters"
# raise with any change of `features`: a model learnt on other features is not continued
FEATURES_VERSION = 1
FEATURES = ("log1p_recency_days", "log_orders", "log1p_spend", "log1p_gap_days", "engagement")

# the unit only moves the curve's bend, so currencies without cents are treated alike
_MINOR = 100

Vector: TypeAlias = tuple[float, float, float, float, float]


class ClusterModel(msgspec.Struct, frozen=True, gc=False):
    """Body of a model of kind `clusters`.

    `centres` are in standardised units, (feature - mean) / scale, one for each cluster. `names` has its description,
    `numbers` its lasting number, and `size` its rows of the week's panel.
    """

    version: str
    time_ms: int
    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    centres: tuple[tuple[float, ...], ...]
    names: tuple[str, ...]
    numbers: tuple[int, ...]
    size: tuple[int, ...]


def features(recency_ms: int, orders: int, monetary_minor: int, gap_ms: int, engagement: float) -> Vector:
    """Return the logs of last order's age in days, orders, spend in major units, mean gap in days; and engagement.

    A gap of 0 means that there is none yet: one order.
    """
    return (
        log1p(max(recency_ms, 0) / DAY_MS),
        log(max(orders, 1)),
        log1p(max(monetary_minor, 0) / _MINOR),
        log1p(max(gap_ms, 0) / DAY_MS),
        engagement,
    )


def standardised(vector: Sequence[float], mean: Sequence[float], scale: Sequence[float]) -> tuple[float, ...]:
    """Return (feature - mean) / scale for each feature."""
    return tuple((value - m) / s for value, m, s in zip(vector, mean, scale, strict=True))


def nearest(model: ClusterModel, vector: Sequence[float]) -> int:
    """Return the lasting number of the cluster whose centre is nearest; the first of two equally near."""
    point = standardised(vector, model.mean, model.scale)
    distances = [
        sum((value - at) * (value - at) for value, at in zip(point, centre, strict=True)) for centre in model.centres
    ]
    return model.numbers[distances.index(min(distances))]
