"""Planned touchpoints, returned in the order of time."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from schemas.touchpoint import Touchpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = "simulated shop"


class Schedule:
    """Planned touchpoints, with event ids in the order of planning."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._planned: list[tuple[int, int, Touchpoint]] = []
        self._count = 0

    def plan(self, kind: str, time_ms: int, **fields: Any) -> None:  # noqa: ANN401 - fields of a touchpoint
        """Plan a touchpoint of that type at that time."""
        self._count += 1
        event_id = f"shop-{self._seed}-{self._count}"
        touchpoint = Touchpoint(event_id=event_id, source=SOURCE, type=kind, time_ms=time_ms, **fields)
        heapq.heappush(self._planned, (time_ms, self._count, touchpoint))

    def before(self, time_ms: int) -> Iterator[Touchpoint]:
        """Yield touchpoints earlier than that, each once."""
        while self._planned and self._planned[0][0] < time_ms:
            yield heapq.heappop(self._planned)[2]
