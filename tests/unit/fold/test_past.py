"""The past that an import brings: profiles and credit are right, and what goes on today is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.outputs import Credit, Decision, ProfileView, Revocation, SegmentChanged, Trigger
from schemas.touchpoint import Consent, Marketing, Touchpoint
from streams.profiles.seen import with_imported
from tests.support.flows import TEN, a_flow, a_flow_named
from tests.support.past import a_past, a_profile, a_world
from tests.support.world import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    START_MS,
    World,
    a_refund,
    a_touchpoint,
    a_view,
    an_add,
    an_order,
)

YEAR_MS = 365 * DAY_MS


def entered(world: World) -> list[tuple[str, str]]:
    """Who entered which flow."""
    return [(each.flow_id, each.customer) for each in world.emitted(Decision) if each.outcome == "entered"]


def test_profile_and_ledger_are_right_at_once() -> None:
    world, past = a_world(), a_past()
    world.bring(*past)
    view = world.emitted(ProfileView)[-1]
    assert (view.orders, view.monetary_minor) == (6, 30_000)
    assert (view.first_order_ms, view.last_order_ms) == (past[0].time_ms, past[-1].time_ms)
    assert world.credit("order_id", model="linear") == {(each.order.order_id,): 5_000 for each in past if each.order}


def test_an_order_is_credited_to_what_came_before_it_then_and_can_be_refunded_then() -> None:
    world, then = a_world(), START_MS - YEAR_MS
    world.bring(
        a_touchpoint("ad_clicked", then, marketing=Marketing(campaign_id="spring"), channel="ads"),
        an_order(then + DAY_MS, 1_000, order_id="o1"),
        a_refund(then + 100 * DAY_MS, "o1", 400),
    )
    assert world.credit("channel", model="last") == {("ads",): 600}
    assert {row.time_ms < START_MS - 200 * DAY_MS for row in world.emitted(Credit)} == {True}


def test_segment_and_lifecycle_are_as_of_now_and_known_to_others_once_the_import_has_left_the_customer() -> None:
    world = a_world()
    world.bring(*a_past())
    assert world.emitted(SegmentChanged) == []
    assert world.total("customers", "segment=Can't Lose") == 1
    world.land("u:1")
    (change,) = world.emitted(SegmentChanged)
    assert (change.before, change.after, change.cause) == ("none", "Can't Lose", "import:0123456789abcdef")
    assert a_profile(world).lifecycle == "lapsed"
    assert world.total("segment_changes") == 1


def test_an_import_in_one_go_and_with_time_between_its_parts_end_alike() -> None:
    past = a_past()

    def end(*, is_slow: bool) -> tuple[Any, ...]:
        world = a_world(flows=TEN)
        for number, order in enumerate(past, 1):
            world.bring(order)
            if is_slow:
                world.pass_time(START_MS + number * MINUTE_MS)
        world.pass_time(START_MS + HOUR_MS)
        world.land("u:1")
        profile = a_profile(world)
        assert profile.score is not None
        return profile.orders, profile.score.segment, profile.lifecycle, profile.entry_timers, profile.runs

    assert end(is_slow=True) == end(is_slow=False)


@pytest.mark.parametrize("flow", TEN, ids=lambda flow: str(flow["id"]))
def test_no_flow_of_the_product_is_entered_by_an_import(flow: dict[str, Any]) -> None:
    world = a_world(flows=[{**flow, "holdout_percent": 0, "quiet_hours": None}])
    world.begin(START_MS - 3 * YEAR_MS)
    for age in (1, 50, 100, 300):
        world.bring(
            a_touchpoint("signed_up", START_MS - (age + 200) * DAY_MS, f"{age}"),
            *a_past(4, START_MS - age * DAY_MS, user=f"{age}"),
            a_view(START_MS - age * DAY_MS // 2, f"{age}"),
            an_add(START_MS - age * DAY_MS // 2 + 1, user=f"{age}"),
        )
        world.land(f"u:{age}")
    assert world.emitted(Decision) == []
    world.pass_time(START_MS + MINUTE_MS)
    assert world.emitted(Trigger) == []


def test_who_orders_the_next_day_enters_what_they_should() -> None:
    world = a_world(flows=[a_flow_named("thanks", "order_completed", {"field": "orders", "at_least": 7})])
    world.bring(*a_past(6))
    world.land("u:1")
    world.send(an_order(START_MS + DAY_MS))
    assert entered(world) == [("thanks", "u:1")]


def test_who_moves_to_another_segment_after_the_import_enters_and_who_moved_by_it_does_not() -> None:
    flow = a_flow(id="lost", entry={"segment": ["Can't Lose"]}, exits=[])
    world = a_world(flows=[flow])
    world.bring(*a_past(user="gone"), *a_past(until_ms=START_MS - 30 * DAY_MS, user="going"))
    world.land("u:gone", "u:going")
    world.pass_time(START_MS + 30 * DAY_MS)
    assert entered(world) == [("lost", "u:going")]


def test_a_date_that_is_past_starts_nothing_and_one_to_come_does() -> None:
    flow = a_flow(id="again", entry={"date": "last_order", "after": "40d"}, exits=[])
    world = a_world(flows=[flow])
    world.bring(*a_past(until_ms=START_MS - 41 * DAY_MS, user="past"), *a_past(2, START_MS - 39 * DAY_MS, user="next"))
    # seven minutes before the import has all of them, what is known of one would let them in
    world.bring(an_order(START_MS - 40 * DAY_MS + 3 * MINUTE_MS, user="part"))
    world.pass_time(START_MS + 5 * MINUTE_MS)
    world.bring(an_order(START_MS - DAY_MS, user="part"))
    world.land("u:past", "u:next", "u:part")
    world.pass_time(START_MS + 2 * DAY_MS)
    assert {decision.customer for decision in world.emitted(Decision)} == {"u:next"}


def test_the_cart_and_the_candidate_of_today_are_left_alone() -> None:
    world = a_world(flows=[a_flow()])
    world.send(an_add(START_MS, sku="today"))
    before = a_profile(world)
    world.bring(
        an_add(START_MS - 9 * DAY_MS, sku="old"),
        a_touchpoint("product_removed", START_MS - 8 * DAY_MS, products=an_add(0, sku="today").products),
        *a_past(until_ms=START_MS - DAY_MS),
        a_touchpoint("ticket_opened", START_MS - HOUR_MS),
    )
    world.land("u:1")
    after = a_profile(world)
    assert (after.cart, after.runs) == (before.cart, before.runs)
    world.pass_time(START_MS + 3 * HOUR_MS)
    assert len(world.emitted(Trigger)) == 1


def test_an_order_that_turns_out_to_be_later_than_the_cart_ends_its_candidate() -> None:
    world = a_world(flows=[a_flow()])
    world.send(an_add(START_MS))
    world.bring(an_order(START_MS + HOUR_MS))
    world.pass_time(START_MS + 3 * HOUR_MS)
    assert world.emitted(Trigger) == []
    assert a_profile(world).cart is None


def test_a_message_on_its_way_stays_though_the_past_tells_another_story() -> None:
    needs = {"condition": {"field": "orders", "at_most": 1}}
    flow = a_flow_named("second", "order_completed", needs=needs, send_time="best")
    world = a_world(flows=[flow])
    world.send(an_order(START_MS + MINUTE_MS))
    world.pass_time(START_MS + 2 * MINUTE_MS)
    world.bring(*a_past())
    world.pass_time(START_MS + 3 * MINUTE_MS)
    assert world.emitted(Revocation) == []


def test_a_cart_of_the_past_is_counted_and_does_not_start_a_reminder() -> None:
    world = a_world(flows=[a_flow()])
    then = START_MS - 50 * DAY_MS
    world.bring(an_add(then), an_order(then + HOUR_MS), an_add(then + DAY_MS))
    assert (world.total("carts_opened"), world.total("carts_ordered")) == (2, 1)
    world.land("u:1")
    world.send(a_view(START_MS + 1))
    world.pass_time(START_MS + DAY_MS)
    assert a_profile(world).cart is None
    assert world.emitted(Trigger) == []


def test_a_withdrawal_of_the_past_holds_and_a_later_grant_wins() -> None:
    def said(at_ms: int, *, granted: bool) -> Touchpoint:
        return a_touchpoint("consent_changed", at_ms, consent=Consent("email", granted))

    world = a_world()
    world.send(said(START_MS + 1, granted=False))
    world.bring(said(START_MS - 9 * DAY_MS, granted=False), said(START_MS - 8 * DAY_MS, granted=True))
    assert world.emitted(ProfileView)[-1].consent == {"email": False}
    world = a_world()
    world.bring(said(START_MS - 9 * DAY_MS, granted=False), said(START_MS - 8 * DAY_MS, granted=True))
    assert world.emitted(ProfileView)[-1].consent == {"email": True}


def test_visits_of_the_past_do_not_push_out_the_visit_that_goes_on() -> None:
    world = a_world()
    for number in range(8):
        world.send(a_view(START_MS + number, session_id=f"live-{number}"))
    for number in range(20):
        then = START_MS - (30 - number) * DAY_MS
        world.bring(a_view(then, session_id=f"old-{number}"), a_view(then + 1, session_id=f"old-{number}"))
    world.send(a_view(START_MS + 100, session_id="live-7"))
    assert world.total("sessions") == 28


def test_a_customer_of_whom_the_import_brings_nothing_more_is_scored_by_their_next_order() -> None:
    flow = a_flow(id="best", entry={"segment": ["Champions"]}, exits=[])
    world = a_world(flows=[flow])
    world.bring(*a_past(6))
    world.land("u:1")
    world.send(an_order(START_MS + DAY_MS))
    changes = [(change.before, change.after) for change in world.emitted(SegmentChanged)]
    assert changes == [("none", "Can't Lose"), ("Can't Lose", "Champions")]
    assert a_profile(world).lifecycle == "reactivated"
    assert entered(world) == [("best", "u:1")]


def test_an_order_amid_the_import_starts_flows_on_it_but_is_no_news_of_a_segment() -> None:
    flows = [a_flow(id="best", entry={"segment": ["Champions", "New"]}, exits=[]), a_flow_named("t", "order_completed")]
    world = a_world(flows=flows)
    first, *rest = a_past(6)
    world.bring(first)
    world.send(an_order(START_MS + MINUTE_MS))
    world.bring(*rest)
    world.land("u:1")
    assert {decision.flow_id for decision in world.emitted(Decision)} == {"t"}
    assert [change.after for change in world.emitted(SegmentChanged)] == ["Champions"]
    assert a_profile(world).lifecycle == "active"


def test_events_of_today_stay_known_however_many_the_import_brings() -> None:
    seen = ((20_454, b"today---"),)
    grown: tuple[tuple[int, bytes], ...] = seen
    for number in range(2_000):
        after = with_imported(grown, b"%08d" % number)
        assert after is not None
        grown = after
    assert grown[-1] == seen[0]
    assert sum(len(hashes) for _, hashes in grown) == 8_000
    assert with_imported(grown, b"today---") is None
    assert with_imported(grown, b"%08d" % 1_999) is None
