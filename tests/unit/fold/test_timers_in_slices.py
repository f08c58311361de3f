"""One record fires a bounded number of timers; what comes too early for the rest waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.journal import Link
from schemas.limits import FIRES_MAX
from schemas.outputs import Decision
from tests.support.flows import a_flow
from tests.support.kept import KeptWorld
from tests.support.world import DAY_MS, START_MS, a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from streams.fold.record import Record
    from streams.profiles.effects import Effects

# the worlds here put a function of their own in the place of the fold
pytestmark = pytest.mark.interpreted

YEARS_MS = 50 * 365 * DAY_MS
WEEKS = YEARS_MS // (7 * DAY_MS)


class Counted(KeptWorld):
    """A world that notes the most timers that one record fires."""

    def __init__(self, **given: object) -> None:
        super().__init__(clock="marks", **given)
        self.fires_max = 0
        fold = self.partition.fold

        def counted(record: Record) -> Effects:
            effects = fold(record)
            self.fires_max = max(self.fires_max, effects.fires)
            return effects

        self.partition.fold = counted  # type: ignore[assignment]


@pytest.mark.parametrize("is_idle", [False, True], ids=["a record far ahead", "time that jumps"])
def test_decades_of_weekly_slots_fire_in_slices_and_give_what_they_give_week_by_week(*, is_idle: bool) -> None:
    calm, jumping = Counted(), Counted()
    later = a_touchpoint("page_viewed", START_MS + YEARS_MS)
    for world in (calm, jumping):
        world.send(an_order(START_MS, order_id="o", event_id="e"))
    for week in range(WEEKS):
        calm.pass_time(START_MS + week * 7 * DAY_MS)
    for world in (calm, jumping):
        if is_idle:
            world.pass_time(START_MS + YEARS_MS)
        world.send(later)
    assert jumping.fires_max == FIRES_MAX
    assert jumping.panel == calm.panel
    assert len(jumping.panel) >= WEEKS
    assert jumping.total("folded") == calm.total("folded") == 2
    assert jumping.profile("u:1") == calm.profile("u:1")


def test_a_record_that_waits_is_folded_after_the_timers_due_before_it_and_once() -> None:
    world = Counted(flows=[a_flow()], consent_default="granted")
    world.send(an_order(START_MS), an_add(START_MS + DAY_MS))
    far = an_order(START_MS + YEARS_MS)
    world.send(far, far)
    assert world.total("orders") == 2
    assert world.total("duplicates") == 1
    outcomes = [decision.outcome for decision in world.emitted(Decision)]
    assert outcomes == ["entered", "sent"]


def test_a_forwarded_record_that_waits_counts_as_received_once() -> None:
    world = Counted()
    world.send(an_order(START_MS), a_touchpoint("page_viewed", START_MS + 1, anonymous_id="phone"))
    world.send(a_touchpoint("page_viewed", START_MS + YEARS_MS, None, anonymous_id="phone"))
    assert (world.total("forwards_sent"), world.total("forwards_received")) == (1, 1)


def test_a_profile_absorbed_far_ahead_waits_for_the_timers_of_its_user() -> None:
    world = Counted()
    world.send(an_order(START_MS))
    world.send(an_order(START_MS + YEARS_MS, user=None, anonymous_id="phone"))
    world.append("a:phone", Link(target="u:1", time_ms=START_MS + YEARS_MS, cause="c"))
    profile = world.profile("u:1")
    assert profile is not None
    assert len(profile.orders) == 2
    assert len(world.panel) >= WEEKS
    assert world.fires_max == FIRES_MAX
