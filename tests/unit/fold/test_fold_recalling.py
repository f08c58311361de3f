"""A pause takes back what is out, a bounded number of customers a record, and each partition for itself."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from schemas.journal import RULES, RULES_3, Configured, Recall
from schemas.limits import KEY_BYTES_MAX, TIME_MS_MAX, WOKEN_MAX, WOKEN_OUTPUTS_MAX
from schemas.outputs import Revocation, Trigger
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS
from streams.fold.attempt import Refused
from streams.fold.moment import Rejected
from streams.settings import FlowState
from tests.support.out import BEST, VIEWED_MS, out
from tests.support.wall_world import WallWorld
from tests.support.world import World, a_view

if TYPE_CHECKING:
    from streams.profiles.effects import Effects

CUSTOMERS = 3 * WOKEN_MAX + 7
ALL_RECORDS = Recall(0, b"", TIME_MS_MAX, b"", TIME_MS_MAX)


def some_out(customers: int, rules: int = RULES) -> World:
    """Messages are out, and due the next morning; as many customers have none."""
    world = out(customers, rules)
    world.send(*(a_view(VIEWED_MS + HOUR_MS, f"later {number}") for number in range(customers)))
    return world


def one_out() -> tuple[WallWorld, Trigger]:
    """A message is out on wall time, and due the next morning."""
    world = WallWorld(flows=(BEST,), consent_default="granted")
    world.at_ms = VIEWED_MS
    world.pass_time(VIEWED_MS - 1)
    world.send(a_view(VIEWED_MS, "1"))
    world.at_ms = VIEWED_MS + HOUR_MS
    world.pass_time(world.at_ms)
    (trigger,) = world.emitted(Trigger)
    return world, trigger


def paused(world: World) -> Configured:
    return world.restated(browse=FlowState(paused_ms=1))


def effects_of(world: World, record: Configured) -> list[Effects]:
    """By record: the settings' own, and of each that they lead to."""
    outcomes = list(world.partition.append("", record))
    return [outcome.effects for outcome in outcomes if not isinstance(outcome, Refused)]


def test_each_record_takes_back_what_is_out_of_so_many_customers_and_the_next_one_goes_on_behind_them() -> None:
    world = some_out(CUSTOMERS)
    outcomes = effects_of(world, paused(world))
    assert max(len(effects.outputs) for effects in outcomes) <= WOKEN_OUTPUTS_MAX + 2
    assert sum(isinstance(record, Revocation) for one in outcomes for _, record in one.outputs) == CUSTOMERS
    recalls = [record for effects in outcomes for _, record, _ in effects.journal]
    assert len(recalls) >= CUSTOMERS // WOKEN_MAX
    assert all(isinstance(record, Recall) for record in recalls)
    for one, following in pairwise(recalls):
        assert (one.to_ms, one.to_key) >= (following.after_ms, following.after_key)
        assert (one.after_ms, one.after_key) < (following.after_ms, following.after_key)


def test_without_a_pause_and_before_rules_4_nothing_is_looked_for() -> None:
    world = some_out(3)
    resumed = Configured(world.settings.model_dump_json(), 0)
    assert [effects.journal for effects in effects_of(world, resumed)] == [[]]
    world = some_out(3, rules=RULES_3)
    assert [effects.journal for effects in effects_of(world, paused(world))] == [[]]


@pytest.mark.parametrize("rules", [RULES_3, RULES])
def test_a_recall_without_a_pause_or_by_earlier_rules_takes_nothing_back(rules: int) -> None:
    world = some_out(3, rules)
    world.append("", ALL_RECORDS)
    if rules < RULES:
        world.append("", paused(world))
        world.append("", ALL_RECORDS)
    assert world.emitted(Revocation) == []


def test_a_recall_that_someone_else_writes_ends_and_takes_back_no_more() -> None:
    world = some_out(2 * WOKEN_MAX)
    world.append("", paused(world))
    before = len(world.outputs)
    world.append("", ALL_RECORDS)
    assert len(world.outputs) == before
    with pytest.raises(Rejected, match="bad_key"):
        world.append("", Recall(0, b"k" * (KEY_BYTES_MAX + 1), 1, b"", 1))
    for wrong in (Recall(-1, b"", 1, b"", 1), Recall(0, b"", 1 << 62, b"", 1), Recall(0, b"", 1, b"", 1 << 62)):
        with pytest.raises(Rejected, match="bad_recall"):
            world.append("", wrong)


def test_a_search_ends_however_often_others_are_woken_meanwhile() -> None:
    world = some_out(3)
    records = 0
    for _ in world.partition.append("", paused(world)):
        records += 1
        now_ms = VIEWED_MS + HOUR_MS + records * 1_000
        world.pass_time(now_ms)
        world.send(a_view(now_ms, f"new {records}"))
        assert records < 10
    assert records == 2


def test_a_message_that_went_while_time_did_not_come_on_is_not_taken_back() -> None:
    world, trigger = one_out()
    for time_ms in range(world.at_ms, trigger.due_ms - 90 * MINUTE_MS, 10 * MINUTE_MS):
        world.at_ms = time_ms
        world.pass_time(time_ms)
    world.at_ms = trigger.due_ms + 20 * MINUTE_MS
    world.append("", paused(world))
    assert world.emitted(Revocation) == []
    profile = world.profile("u:1")
    assert profile is not None
    assert len(profile.messages) == 1


def test_what_was_due_when_the_flow_was_paused_went_out_though_time_has_not_come_so_far() -> None:
    """Time that has come is seconds behind the brokers' clock, and subscribers send by theirs."""
    found = {}
    for late_ms in (-1, 0, 1_000):
        world, trigger = one_out()
        world.at_ms = trigger.due_ms - 2_000
        world.pass_time(world.at_ms)
        world.at_ms = trigger.due_ms + late_ms
        world.append("", paused(world))
        world.at_ms += DAY_MS
        world.pass_time(world.at_ms)
        found[late_ms] = len(world.emitted(Revocation))
    assert found == {-1: 1, 0: 0, 1_000: 0}
