"""Messages that are out and not due yet: customers were decided on, and wait for the best hour of the next day."""

from __future__ import annotations

from schemas.journal import RULES
from schemas.outputs import Trigger
from schemas.units import DAY_MS, HOUR_MS
from tests.support.flows import a_bare_flow
from tests.support.world import START_MS, World, a_view

BEST = a_bare_flow(
    "browse", "product_viewed", products="entry", send_time="best", wait={"for": "1h"}, expires_after="48h"
)
VIEWED_MS = START_MS + 12 * HOUR_MS
DUE_MS = START_MS + DAY_MS + 10 * HOUR_MS
"""It is decided at 13:00, when the next best hour is ten of the day after."""


def out(customers: int = 1, rules: int = RULES) -> World:
    """Messages are out, and due the next morning."""
    world = World(flows=(BEST,), rules=rules)
    world.pass_time(VIEWED_MS - 1)
    world.send(*(a_view(VIEWED_MS, str(number)) for number in range(customers)))
    world.pass_time(VIEWED_MS + HOUR_MS)
    assert [trigger.due_ms for trigger in world.emitted(Trigger)] == [DUE_MS] * customers
    return world
