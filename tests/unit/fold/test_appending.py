"""What a record says of time is held against the clock of the broker that appended it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from schemas.journal import (
    AddressConsent,
    AddressNotice,
    CollectedTo,
    Link,
    ModelTick,
    PartitionProgress,
    Progress,
    Unlink,
)
from schemas.limits import TIME_AHEAD_MS_MAX
from schemas.outputs import Trigger
from streams.fold.moment import Rejected
from streams.fold.partition_state import PARTITION_KEY, PartitionState
from tests.support.wall_world import WallWorld
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, an_add

if TYPE_CHECKING:
    import msgspec


def of_time(kind: type, time_ms: int) -> msgspec.Struct:
    record: msgspec.Struct = ModelTick(time_ms, 1) if kind is ModelTick else kind((PartitionProgress(0, time_ms),))
    return record


@pytest.mark.parametrize("kind", [Progress, CollectedTo, ModelTick])
def test_what_moves_the_time_of_all_is_refused_beyond_five_seconds_ahead(kind: type) -> None:
    world = WallWorld()
    world.append("", of_time(kind, START_MS + TIME_AHEAD_MS_MAX))
    with pytest.raises(Rejected, match="ahead_of_time"):
        world.append("", of_time(kind, START_MS + TIME_AHEAD_MS_MAX + 1))


def test_a_refused_time_leaves_everything_as_it_was_and_later_ones_count() -> None:
    world = WallWorld()
    world.send(an_add(START_MS))
    with pytest.raises(Rejected):
        world.pass_time(START_MS + 400 * DAY_MS)
    assert world.fold.complete_to_ms() is None
    assert world.emitted(Trigger) == []
    world.at_ms = START_MS + 3 * HOUR_MS
    world.pass_time(START_MS + 3 * HOUR_MS)
    assert world.fold.complete_to_ms() == START_MS + 3 * HOUR_MS
    assert len(world.emitted(Trigger)) == 1


@pytest.mark.parametrize(
    "given", [{"rules": 1}, {"at_ms": 0}], ids=["rules of an earlier release", "no broker's stamp"]
)
def test_a_journal_of_an_earlier_release_folds_as_it_did(given: dict[str, int]) -> None:
    world = WallWorld()
    world.at_ms = given.get("at_ms", START_MS)
    if "rules" in given:
        state = world.overlay.get(PARTITION_KEY)
        assert isinstance(state, PartitionState)
        world.overlay.put(PARTITION_KEY, replace(state, **given), 0)
    world.pass_time(START_MS + 400 * DAY_MS)
    assert world.fold.complete_to_ms() == START_MS + 400 * DAY_MS


def test_a_replay_has_a_time_of_its_own() -> None:
    world = World()
    world.partition.appended_ms = START_MS
    world.pass_time(START_MS + 400 * DAY_MS)
    assert world.fold.complete_to_ms() == START_MS + 400 * DAY_MS


def test_a_touchpoint_of_a_time_to_come_is_kept_and_moves_its_customer_five_seconds() -> None:
    world = WallWorld()
    world.send(an_add(START_MS), received_ms=START_MS + 400 * DAY_MS)
    profile = world.profile("u:1")
    assert profile is not None
    assert profile.clock_ms == START_MS + TIME_AHEAD_MS_MAX
    assert profile.cart is not None
    assert [run.due_ms for run in profile.runs] == [START_MS + 2 * HOUR_MS]


@pytest.mark.parametrize(
    "record",
    [
        Link("u:1", START_MS + DAY_MS, "c"),
        Unlink("u:1", START_MS + DAY_MS, "c"),
        AddressConsent("email", time_ms=START_MS + DAY_MS, cause="c", granted=False),
        AddressNotice("withdrawn", "a" * 64, START_MS + DAY_MS, START_MS + DAY_MS, "c"),
        AddressNotice("withdrawn", "a" * 64, START_MS, START_MS + DAY_MS, "c"),
    ],
)
def test_no_record_of_a_customer_moves_them_into_the_future(record: msgspec.Struct) -> None:
    world = WallWorld()
    world.send(an_add(START_MS, user=None, anonymous_id="d"), received_ms=START_MS)
    world.append("a:d", record)
    for key in ("a:d", "u:1"):
        profile = world.profile(key)
        if profile is not None:
            assert profile.clock_ms <= START_MS + TIME_AHEAD_MS_MAX
            assert all(max(said.time_ms, said.received_ms) <= START_MS + TIME_AHEAD_MS_MAX for said in profile.consents)
