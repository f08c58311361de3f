"""A person takes time back, after a wrong clock pushed it ahead."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas.journal import TimeReset
from schemas.limits import TIME_AHEAD_MS_MAX, WOKEN_MAX
from schemas.outputs import Trigger
from schemas.units import WEEK_MS
from streams.fold.moment import Rejected
from streams.fold.partition_state import PARTITION_KEY, PartitionState
from tests.support.wall_world import WallWorld
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, an_add, an_order

AHEAD_MS = 400 * DAY_MS


def set_rules(world: World, rules: int) -> None:
    state = world.overlay.get(PARTITION_KEY)
    assert isinstance(state, PartitionState)
    world.overlay.put(PARTITION_KEY, replace(state, rules=rules), 0)


def pushed_ahead(*users: str) -> WallWorld:
    """By a worker of an earlier release, whose clock was 400 days ahead; the customers have ordered and left a cart."""
    world = WallWorld()
    set_rules(world, 1)
    for user in users:
        order = an_order(START_MS, user=user, order_id=f"order-{user}", event_id=f"order-{user}")
        world.send(order, an_add(START_MS + 1, user=user, event_id=f"add-{user}"))
    world.pass_time(START_MS + AHEAD_MS)
    set_rules(world, 2)
    world.commit()
    world.at_ms = START_MS + HOUR_MS
    return world


def test_time_that_was_pushed_ahead_stays_there_without_a_person() -> None:
    world = pushed_ahead("1")
    world.pass_time(START_MS + HOUR_MS)
    assert world.fold.complete_to_ms() == START_MS + AHEAD_MS


def test_time_goes_back_to_the_append_of_the_reset_and_goes_on_from_there() -> None:
    world = pushed_ahead("1")
    world.append("", TimeReset("the clock of worker 0"))
    assert world.fold.complete_to_ms() == START_MS + HOUR_MS
    world.at_ms += HOUR_MS
    world.pass_time(START_MS + 2 * HOUR_MS)
    assert world.fold.complete_to_ms() == START_MS + 2 * HOUR_MS


def test_a_reset_moves_no_time_that_is_not_ahead_and_may_be_repeated() -> None:
    world = WallWorld()
    world.pass_time(START_MS - HOUR_MS)
    for _ in range(2):
        world.append("", TimeReset(""))
        assert world.fold.complete_to_ms() == START_MS - HOUR_MS


def test_afterwards_customers_are_reminded_again_and_early_messages_count_for_a_day() -> None:
    world = pushed_ahead("1", "2")
    early = len(world.emitted(Trigger))
    assert early == 2
    world.append("", TimeReset(""))
    world.at_ms = START_MS + DAY_MS
    world.send(an_add(world.at_ms, user="3"))
    world.at_ms += 3 * HOUR_MS
    world.pass_time(world.at_ms)
    assert [trigger.customer for trigger in world.emitted(Trigger)[early:]] == ["u:3"]
    world.at_ms = START_MS + 10 * DAY_MS
    world.send(an_add(world.at_ms, user="1"))
    world.at_ms += 3 * HOUR_MS
    world.pass_time(world.at_ms)
    assert [trigger.customer for trigger in world.emitted(Trigger)[early:]] == ["u:3", "u:1"]


def test_idle_customers_are_scored_each_week_again_however_many_they_are() -> None:
    users = [str(number) for number in range(2 * WOKEN_MAX + 5)]
    world = pushed_ahead(*users)
    world.append("", TimeReset(""))
    for user in users:
        profile = world.profile(f"u:{user}")
        assert profile is not None
        assert profile.clock_ms <= world.at_ms + TIME_AHEAD_MS_MAX
        assert profile.slot_ms <= world.at_ms + TIME_AHEAD_MS_MAX + WEEK_MS
    world.panel.clear()
    world.at_ms += WEEK_MS + DAY_MS
    world.pass_time(world.at_ms)
    assert len(world.panel) >= len(users)


def test_the_parts_of_a_reset_do_not_depend_on_commits() -> None:
    users = [str(number) for number in range(WOKEN_MAX + 5)]
    found = []
    for commits in (False, True):
        world = pushed_ahead(*users)
        if not commits:
            # what is not committed yet is found as what is in the store
            for user in users[::2]:
                profile = world.profile(f"u:{user}")
                assert profile is not None
                world.overlay.put(f"u:{user}".encode(), profile, profile.wake_ms)
        world.append("", TimeReset(""))
        found.append([world.profile(f"u:{user}") for user in users])
    assert found[0] == found[1]


def test_where_no_broker_says_when_there_is_nothing_to_go_back_to() -> None:
    world = WallWorld()
    world.at_ms = 0
    with pytest.raises(Rejected, match="no_append_time"):
        world.append("", TimeReset(""))
