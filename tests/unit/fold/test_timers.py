"""What is due fires in its order, and all of it."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.outputs import Decision, Trigger
from tests.support.flows import a_flow
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, an_add, an_order


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"priority": 80}, {"priority": 90}),
        ({}, {"class": "transactional", "priority": 0}),
    ],
)
def test_of_messages_due_at_once_the_transactional_and_then_the_more_important_goes_out(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    world = World(flows=[a_flow(id="a", **first), a_flow(id="b", **second)])
    world.send(an_add(START_MS))
    world.pass_time(START_MS + DAY_MS)
    decided = [
        item for item in [(item.flow_id, item.outcome) for item in world.emitted(Decision)] if item[1] != "entered"
    ]
    assert decided[0] == ("b", "sent")
    assert decided[1] == ("a", "sent" if "class" in second else "deferred")


def test_a_timer_due_before_a_purchase_fires_before_it_though_both_come_at_once(
    flows: tuple[dict[str, object], ...],
) -> None:
    world = World(flows=flows)
    world.send(an_add(START_MS), an_order(START_MS + 5 * HOUR_MS))
    world.pass_time(START_MS + 5 * HOUR_MS)
    assert len(world.emitted(Trigger)) == 1


def test_more_timers_due_than_one_record_may_fire_are_worked_off_by_wakes() -> None:
    world = World()
    world.send(*(an_order(START_MS, user=f"{user}") for user in range(2_500)))
    world.commit()
    world.pass_time(START_MS + 7 * DAY_MS)
    assert len(world.panel) == 2_500
    assert world.fold.complete_to_ms() == START_MS + 7 * DAY_MS
