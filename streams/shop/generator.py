"""A simulated shop about which everything is known: touchpoints in the order of time, and the truth."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from schemas.units import HOUR_MS
from streams.replay.files.mapped import MappedTouchpoint
from streams.shop.mail import Marketer
from streams.shop.parameters import ShopParameters
from streams.shop.people import People, stocked
from streams.shop.schedule import Schedule
from streams.shop.truth import OutageTruth, Truth
from streams.shop.visits import Visits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.touchpoint import Touchpoint

__all__ = ["Shop", "ShopParameters"]


class Shop:
    """A shop to run once, by `touchpoints` or `mapped`; `truth` is complete when they are exhausted.

    Equal parameters give equal touchpoints: every choice comes from one generator seeded with `seed`.
    """

    def __init__(self, parameters: ShopParameters) -> None:
        self._parameters = parameters
        self._random = Random(parameters.seed)
        self._schedule = Schedule(parameters.seed)
        self.truth = Truth(
            parameters=parameters.model_dump(mode="json"),
            outages=[OutageTruth(*outage) for outage in parameters.outages_ms],
        )
        self._people = People(parameters, self._random)
        stock = stocked(parameters, self._random)
        self._visits = Visits(parameters, self._random, self._people, stock, self._schedule, self.truth)
        self._marketer = Marketer(parameters, self._random, self._people, self._visits, self._schedule, self.truth)

    def touchpoints(self) -> Iterator[Touchpoint]:
        """Yield touchpoints in the order of time; a repeat follows its original directly, with the same event id."""
        for hour_ms in range(self._parameters.start_ms, self._parameters.end_ms, HOUR_MS):
            self._hour(hour_ms)
            yield from self._recorded(hour_ms + HOUR_MS)
        yield from self._recorded(self._parameters.end_ms + HOUR_MS * 24)
        for customer in self._people.everyone:
            if customer.seen:
                self.truth.customers[customer.user_id] = customer.hidden

    def mapped(self) -> Iterator[MappedTouchpoint]:
        """Yield touchpoints for a replay, each as one line of the account."""
        for touchpoint in self.touchpoints():
            yield MappedTouchpoint(touchpoint, 1)

    def _hour(self, hour_ms: int) -> None:
        """Plan the visits that begin in the hour, as a Poisson process."""
        self._marketer.work(hour_ms)
        visits_per_order = self._parameters.visits_per_order
        orders = self._parameters.orders_per_hour * self._parameters.busyness(hour_ms)
        gap_ms = HOUR_MS / (orders * (1 + visits_per_order))
        time_ms = hour_ms + self._random.expovariate(1 / gap_ms)
        while time_ms < hour_ms + HOUR_MS:
            if self._random.random() * (1 + visits_per_order) < 1:
                self._visits.buy(int(time_ms))
            else:
                self._visits.browse(int(time_ms))
            time_ms += self._random.expovariate(1 / gap_ms)

    def _recorded(self, before_ms: int) -> Iterator[Touchpoint]:
        for touchpoint in self._schedule.before(before_ms):
            self.truth.count(touchpoint)
            yield touchpoint
            if self._random.random() < self._parameters.duplicate_share:
                self.truth.repeats += 1
                yield touchpoint
