"""Peaks over threshold: how large a residual must be to be an alarm (SPOT, Siffer et al. 2017).

Excesses over a high quantile follow a generalised Pareto distribution. Its parameters come from their first two moments
(Hosking, Wallis 1987), which work better than likelihood with a few dozen peaks.
"""

from __future__ import annotations

from math import ceil, log
from typing import TYPE_CHECKING

from streams.insights.detector import Tail

if TYPE_CHECKING:
    from collections.abc import Sequence

# probability of an alarm at one observation, on one side
RISK = 1e-4
PEAK_SHARE = 0.1
PEAKS_MAX = 200
# fewer deviations are not worth anyone's attention, whatever the fit says
ALARM_MIN = 5.0
_SHAPE_MIN, _SHAPE_MAX = -0.3, 0.3
_SHAPE_FLAT = 1e-6


def started(values: Sequence[float]) -> Tail:
    """Return the tail of the greatest `values` (standardised residuals, the side of interest turned upwards)."""
    ordered = sorted(values)
    threshold = ordered[len(ordered) - ceil(PEAK_SHARE * len(ordered)) - 1]
    peaks = tuple(value - threshold for value in values if value > threshold)
    seen, peaks_seen = len(values), len(peaks)
    peaks = peaks[-PEAKS_MAX:]
    return Tail(threshold, peaks, peaks_seen, seen, _alarm(threshold, peaks, peaks_seen / seen))


def learnt(tail: Tail, value: float) -> Tail:
    """Take in a value that was not an alarm."""
    seen = tail.seen + 1
    if value <= tail.threshold:
        return Tail(tail.threshold, tail.peaks, tail.peaks_seen, seen, tail.alarm)
    peaks = (*tail.peaks, value - tail.threshold)[-PEAKS_MAX:]
    peaks_seen = tail.peaks_seen + 1
    return Tail(tail.threshold, peaks, peaks_seen, seen, _alarm(tail.threshold, peaks, peaks_seen / seen))


def _alarm(threshold: float, peaks: Sequence[float], share: float) -> float:
    """Return the quantile of probability RISK."""
    if len(peaks) < 2 or share <= RISK:  # noqa: PLR2004 - a variance needs two
        return max(threshold, ALARM_MIN)
    mean = sum(peaks) / len(peaks)
    variance = sum((peak - mean) ** 2 for peak in peaks) / (len(peaks) - 1)
    ratio = mean * mean / variance if variance > 0 else 1.0
    shape = min(max(0.5 * (1 - ratio), _SHAPE_MIN), _SHAPE_MAX)
    scale = mean * (1 - shape)
    rarity = RISK / share
    excess = -scale * log(rarity) if abs(shape) < _SHAPE_FLAT else scale / shape * (rarity**-shape - 1)
    return max(threshold + excess, ALARM_MIN)
