"""Whether work grows with its input and no faster, measured by CPU time at several lengths."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TIMES = 8
"""How many times as long the long input is."""
FACTOR_MAX = 3 * TIMES
"""Linear work takes about TIMES as long, quadratic work 64 times; between them is room for a busy machine."""
_TRIES = 5
_LEAST_S = 0.000_2
"""Work that is shorter than this cannot be compared."""


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the least CPU time of this thread over a few tries."""
    taken = []
    for _ in range(_TRIES):
        begun = time.thread_time()
        work()
        taken.append(time.thread_time() - begun)
    return min(taken)


def growth(work: Callable[[int], Callable[[], object]], length: int) -> float:
    """Return how many times as long the work takes at TIMES the length; work(length) prepares it."""
    short, long = cpu_seconds(work(length)), cpu_seconds(work(TIMES * length))
    return long / max(short, _LEAST_S)
