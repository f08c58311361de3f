"""A journal partition on wall time, and the clock of the broker that appends to it."""

from __future__ import annotations

from typing import Any

from tests.support.flows import a_flow
from tests.support.world import START_MS, World


class WallWorld(World):
    """A partition on wall time, to which a broker appends at `at_ms`."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**{"clock": "wall", "flows": [a_flow()], **given})
        self.at_ms = START_MS

    @property
    def at_ms(self) -> int:
        return self.partition.appended_ms

    @at_ms.setter
    def at_ms(self, at_ms: int) -> None:
        self.partition.appended_ms = at_ms
