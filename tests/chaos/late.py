"""Requests of transactions that reach the broker late: behind their repeats, within a later transaction."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from tests.support.late_requests import ENDS, STEPS

if TYPE_CHECKING:
    from tests.chaos.faults import Stage
    from tests.support.late_requests import Manner

HANGING_MS = 1_500
"""After so long a worker gives up a request that hangs: half of what its transactions may last."""
_SHARE = 0.3
_MANNERS: tuple[Manner, ...] = ("reset", "hang", "any")


def late_requests(stage: Stage) -> float:
    """For a while all workers' requests are late now and then; the workers go on with a new producer each time."""
    proxy = stage.proxy
    before = Counter(proxy.counts)
    proxy.manner = stage.chance.choice(_MANNERS)
    proxy.holdable = stage.chance.choice((ENDS, ENDS, STEPS))
    proxy.share = _SHARE
    stage.crew.pause(stage.chance.uniform(3, 8))
    proxy.share = 0.0
    for what, name in (("late requests", "held"), ("late requests within a later transaction", "within")):
        stage.notes[what] += proxy.counts[name] - before[name]
    return time.time()
