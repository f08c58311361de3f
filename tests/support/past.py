"""A shop that runs, and the past that an import brings into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.settings import Cuts
from tests.support.world import DAY_MS, START_MS, World, an_order

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.profiles.profile import Profile

CUTS = Cuts(
    recency_ms=(10 * DAY_MS, 20 * DAY_MS, 40 * DAY_MS, 80 * DAY_MS),
    frequency=(2, 3, 4, 5),
    monetary_minor=(5_000, 10_000, 15_000, 20_000),
)


def a_world(**given: Any) -> World:
    """A partition that has run up to START_MS."""
    world = World(**{"cuts_fixed": CUTS, **given})
    world.pass_time(START_MS)
    return world


def a_past(count: int = 6, until_ms: int = START_MS - 100 * DAY_MS, **fields: Any) -> list[Touchpoint]:
    """Orders a month apart, the last one at `until_ms`."""
    return [an_order(until_ms - (count - 1 - number) * 30 * DAY_MS, 5_000, **fields) for number in range(count)]


def a_profile(world: World, key: str = "u:1") -> Profile:
    profile = world.profile(key)
    assert profile is not None
    return profile
