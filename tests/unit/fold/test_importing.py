"""Records of an import: whose they are, what they wait for, and what becomes of an import that never ends."""

from __future__ import annotations

import msgspec
import pytest

from schemas.journal import Imported, Landed, Link
from schemas.outputs import Decision, SegmentChanged, Trigger
from schemas.touchpoint import Touchpoint
from schemas.units import WEEK_MS
from streams.fold.moment import Rejected
from streams.fold.partition_state import IMPORTS_MAX, PARTITION_KEY, PartitionState
from tests.support.flows import a_flow
from tests.support.past import CUTS, a_past, a_profile, a_world
from tests.support.wall_world import WallWorld
from tests.support.world import DAY_MS, HOUR_MS, IMPORT_ID, START_MS, World, a_touchpoint, a_view, an_add, an_order


def test_an_import_does_not_let_a_reminder_overtake_an_order_that_is_still_on_its_way() -> None:
    world = a_world(flows=[a_flow()])
    world.send(an_add(START_MS))
    # the wall is hours ahead of what is collected
    world.bring(*a_past())
    world.send(an_order(START_MS + HOUR_MS))
    world.pass_time(START_MS + DAY_MS)
    assert world.emitted(Trigger) == []


def test_before_a_partition_has_a_time_that_of_its_broker_holds() -> None:
    flow = a_flow(id="lost", entry={"segment": ["Can't Lose"]}, exits=[])
    world = WallWorld(cuts_fixed=CUTS, flows=[flow])
    world.bring(*a_past())
    assert a_profile(world).clock_ms == START_MS
    world.at_ms = START_MS + HOUR_MS
    world.pass_time(world.at_ms)
    world.land("u:1")
    world.at_ms = START_MS + 20 * DAY_MS
    world.pass_time(START_MS + 20 * DAY_MS)
    assert [change.after for change in world.emitted(SegmentChanged)] == ["Can't Lose"]
    assert world.emitted(Decision) == []


def test_an_event_that_came_in_already_is_a_duplicate_and_so_is_one_that_comes_again() -> None:
    world, order = a_world(), an_order(START_MS)
    world.send(order)
    world.bring(order, *a_past(1, order_id="o1", event_id="e1", source="shop"))
    world.bring(*a_past(1, order_id="o1", event_id="e1", source="shop"))
    world.bring(*a_past(1, order_id="o2", event_id="e1", source="other"))
    assert world.total("duplicates") == 2
    assert len(a_profile(world).orders) == 3


def test_the_past_of_a_device_goes_to_its_user_and_lands_there() -> None:
    world = a_world()
    world.send(a_view(START_MS, anonymous_id="phone"))
    world.bring(*[msgspec.structs.replace(each, user_id=None, anonymous_id="phone") for each in a_past()])
    assert len(a_profile(world).orders) == 6
    assert world.emitted(SegmentChanged) == []
    world.land("a:phone")
    assert [change.customer for change in world.emitted(SegmentChanged)] == ["u:1"]


def test_a_device_that_is_absorbed_amid_the_import_makes_its_user_wait_for_the_end() -> None:
    flow = a_flow(id="lost", entry={"segment": ["Can't Lose"]}, exits=[])
    world = a_world(flows=[flow])
    world.bring(*[msgspec.structs.replace(each, user_id=None, anonymous_id="phone") for each in a_past()])
    world.append("a:phone", Link("u:1", START_MS, "cause"))
    world.send(a_view(START_MS + 1))
    assert world.emitted(SegmentChanged, "u:1") == []
    world.land("a:phone")
    assert [change.after for change in world.emitted(SegmentChanged, "u:1")] == ["Can't Lose"]
    world.pass_time(START_MS + DAY_MS)
    assert world.emitted(Trigger) == []


def test_who_is_left_behind_by_an_import_that_never_ends_lands_at_their_weekly_slot() -> None:
    flow = a_flow(id="lost", entry={"segment": ["Can't Lose"]}, exits=[])
    world = a_world(flows=[flow])
    world.bring(*a_past())
    world.pass_time(START_MS + WEEK_MS)
    assert [change.after for change in world.emitted(SegmentChanged)] == ["Can't Lose"]
    assert a_profile(world).landing is None
    assert world.total("customers", "segment=Can't Lose") == 1
    assert world.emitted(Trigger) == []


def test_to_land_where_nothing_came_changes_nothing() -> None:
    world = a_world()
    world.land("u:1")
    assert world.profile("u:1") is None
    world.send(an_order(START_MS))
    before, outputs = world.profile("u:1"), len(world.outputs)
    world.land("u:1")
    assert (world.profile("u:1"), len(world.outputs)) == (before, outputs)


def test_a_guests_order_of_the_past_is_known_for_as_long_as_one_of_today() -> None:
    world, guest = a_world(), {"user": None, "order_id": "o1"}
    order = an_order(START_MS - 300 * DAY_MS, 900, **guest)
    world.bring(order)
    world.pass_time(START_MS + DAY_MS)
    world.bring(msgspec.structs.replace(order, event_id="another"))
    assert (world.total("orders"), world.total("orders_repeated")) == (1, 1)
    assert world.credit("order_id", model="linear") == {("o1",): 900}


def test_how_far_imports_have_come_is_kept_of_the_last_hundred() -> None:
    world = a_world()
    for number in range(IMPORTS_MAX + 5):
        world.append("", Imported(f"{number}", 10))
    world.append("", Imported("7", 20, 3, is_over=True))
    state = world.overlay.get(PARTITION_KEY)
    assert isinstance(state, PartitionState)
    assert len(state.imports) == IMPORTS_MAX
    assert state.imports[-1] == ("7", 20, 3, True)
    assert world.total("imports") == 1


@pytest.mark.parametrize("record", [Imported(IMPORT_ID, 1), Landed(IMPORT_ID)])
def test_earlier_rules_know_of_no_import(record: msgspec.Struct) -> None:
    with pytest.raises(Rejected, match="none of ours"):
        World(rules=3).append("u:1" if isinstance(record, Landed) else "", record)
    with pytest.raises(Rejected, match="before rules 4"):
        World(rules=3).bring(Touchpoint("e", "page_viewed", START_MS, user_id="1"))


@pytest.mark.parametrize(
    "record", [Imported("x" * 33, 1), Imported("", 1), Imported("x", -1), Imported("x", 1, 1 << 60)]
)
def test_what_no_import_of_ours_says_is_refused(record: Imported) -> None:
    with pytest.raises(Rejected, match="none of ours"):
        a_world().append("", record)


def test_a_link_and_a_logout_of_the_past_do_not_undo_what_holds_today() -> None:
    world, then = a_world(), START_MS - 50 * DAY_MS
    world.send(
        a_view(START_MS + 1, anonymous_id="phone"),
        a_touchpoint("identity_unlinked", START_MS + 2, anonymous_id="phone"),
    )
    world.bring(a_view(then, anonymous_id="phone"))
    world.send(a_view(START_MS + 3, None, anonymous_id="phone"))
    assert a_profile(world, "a:phone").first_ms == START_MS + 3
    world.send(a_view(START_MS + 4, "2", anonymous_id="tablet"))
    world.bring(a_touchpoint("identity_unlinked", then, "2", anonymous_id="tablet"))
    world.bring(a_touchpoint("identity_unlinked", then + 1, None, anonymous_id="tablet"))
    world.send(a_view(START_MS + 5, None, anonymous_id="tablet"))
    assert a_profile(world, "a:tablet").first_ms == 0
