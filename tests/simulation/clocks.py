"""The time of the brokers, and the clocks of workers that are apart from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from schemas.touchpoint import Mark, Touchpoint
from schemas.units import DAY_MS, HOUR_MS
from schemas.wire import SINGLE_OBJECT
from streams.processors.collecting import MARGIN_MS, PROGRESS_EVERY_MS
from tests.support.world import START_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from random import Random

    from tests.simulation.history import Sent
    from tests.simulation.scheduler import Scheduler

WALL_OFFSETS_S = (0.0, 7_200.0, 400 * 86_400.0, -86_400.0)
"""How far the wall clock of a worker's machine may be apart."""
_MARK, _EVENT = SINGLE_OBJECT.header(Mark), SINGLE_OBJECT.header(Touchpoint)
_HOUR_S = 0.1
"""How long an hour takes in the simulation, so that timers come due."""


def on_the_clock(sent: Iterable[Sent], chance: Random) -> Iterator[Sent]:
    """Give the touchpoints without marks; their times are about those at which brokers get them."""
    timed: dict[bytes, bytes] = {}
    for each in sent:
        if each.value.startswith(_MARK):
            continue
        if each.value.startswith(_EVENT) and each.value not in timed:
            event = SINGLE_OBJECT.decode_as(Touchpoint, each.value)
            apart_ms = chance.choice((0, 0, -HOUR_MS, -DAY_MS, DAY_MS // 2))
            time_ms = START_MS + int(each.at_s / _HOUR_S * HOUR_MS) + apart_ms
            timed[each.value] = SINGLE_OBJECT.encode(replace(event, time_ms=time_ms))
        yield each._replace(value=timed.get(each.value, each.value))


class BrokersTime:
    """Unix time of the brokers, which stops at its end, so that a run can be worked off."""

    def __init__(self, scheduler: Scheduler, end_s: float) -> None:
        self._scheduler = scheduler
        self._end_s = end_s
        self.told_to_ms = START_MS + int(end_s / _HOUR_S * HOUR_MS) - MARGIN_MS - PROGRESS_EVERY_MS
        """How far time has been told at least when all is worked off."""

    def now_ms(self) -> int:
        return START_MS + int(self.rising_s() * 1_000)

    def rising_s(self) -> float:
        """Give the seconds of any machine's clock that only rises."""
        return min(self._scheduler.now_s, self._end_s) / _HOUR_S * 3_600

    def wall_s(self, offset_s: float) -> float:
        """Give the unix time of a machine whose wall clock is `offset_s` ahead."""
        return self.now_ms() / 1_000 + offset_s
