"""The undo of a merge: who may ask for it, what goes back to whom, and who learns of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schemas.journal import UndoMerge, Unlink
from schemas.outputs import Credit, Decision, ProfileDivided, ProfileMerged, ProfileView, Revocation
from schemas.touchpoint import PREVIOUS_ID, Consent, Touchpoint
from streams.fold.keeping import UNDO_DAYS, kept_key
from streams.fold.moment import Rejected
from streams.profiles.keys import KEPT, KEPT_ABSORBED
from streams.profiles.links import forward_target
from tests.support.flows import a_flow
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_refund, a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from streams.profiles.profile import Profile

WHO = UndoMerge("they are two", "ann")


def a_link(at_ms: int, user: str, previous: str) -> Touchpoint:
    return a_touchpoint("identity_linked", at_ms, user, properties={PREVIOUS_ID: previous})


def a_merged_world(**settings: Any) -> World:
    """1 has two orders, 2 has one, and both are one since an hour later."""
    world = World(**settings)
    world.send(an_order(START_MS, user="1", order_id="o1"), an_order(START_MS + 1, user="1", order_id="o2"))
    world.send(an_order(START_MS + 2, user="2", order_id="o3", email_hash="ab" * 32, anonymous_id="phone"))
    world.send(a_link(START_MS + HOUR_MS, "1", "2"))
    return world


def a_profile(world: World, user: str) -> Profile:
    profile = world.profile(f"u:{user}")
    assert profile is not None
    return profile


def kept_of(world: World, kind: str) -> Profile | None:
    return world.profile(kept_key(kind, "u:1", "u:2").decode())


def undo(world: World, user: str) -> None:
    world.append(f"u:{user}", WHO)


def test_each_has_their_own_orders_again_and_subscribers_get_both_profiles() -> None:
    world = a_merged_world()
    undo(world, "2")
    views = {each.customer: each.orders for each in world.emitted(ProfileView)}
    assert views == {"u:1": 2, "u:2": 1}
    assert (world.total("customers_known"), world.total("new_customers"), world.total("orders")) == (2, 2, 3)
    (record,) = world.emitted(ProfileDivided)
    assert (record.customer, record.survivor, record.why, record.by) == ("u:2", "u:1", "they are two", "ann")
    assert record.divided == {"orders": 1, "touches": 0, "devices": 1, "addresses": 1, "candidates": 0}
    assert record.not_divided == {}


def test_records_and_devices_of_the_user_are_theirs_again() -> None:
    world = a_merged_world()
    undo(world, "2")
    world.send(an_order(START_MS + 2 * HOUR_MS, user="2"))
    world.send(an_order(START_MS + 3 * HOUR_MS, user=None, anonymous_id="phone"))
    assert [len(a_profile(world, user).orders) for user in ("1", "2")] == [2, 3]
    address = world.profile(f"e:{'ab' * 32}")
    assert address is not None
    assert address.linked == ("u:2",)


def test_what_came_in_since_stays_with_the_id_that_it_named() -> None:
    world = a_merged_world()
    world.send(an_order(START_MS + 2 * HOUR_MS, user="2", order_id="o4"))
    world.send(a_touchpoint("ad_clicked", START_MS + 3 * HOUR_MS, "2", event_id="ad"))
    world.send(an_order(START_MS + 4 * HOUR_MS, user="1", order_id="o5"))
    assert len(a_profile(world, "1").orders) == 5
    undo(world, "2")
    assert [len(a_profile(world, user).orders) for user in ("1", "2")] == [3, 2]
    assert [len(a_profile(world, user).touches) for user in ("1", "2")] == [0, 1]
    assert world.credit("order_id", "channel", model="last") == {
        (f"o{number}", "direct"): 4_200 for number in range(1, 6)
    }
    # sent again, it is known under either id
    world.send(a_touchpoint("ad_clicked", START_MS + 3 * HOUR_MS, "2", event_id="ad"))
    assert world.total("duplicates") == 1


def test_what_a_device_did_alone_since_stays_with_the_survivor() -> None:
    world = a_merged_world()
    world.send(an_order(START_MS + 2 * HOUR_MS, user=None, anonymous_id="phone"))
    undo(world, "2")
    assert [len(a_profile(world, user).orders) for user in ("1", "2")] == [3, 1]
    world.send(an_order(START_MS + 3 * HOUR_MS, user=None, anonymous_id="phone"))
    assert [len(a_profile(world, user).orders) for user in ("1", "2")] == [3, 2]


def test_a_touchpoint_that_is_sent_again_meanwhile_is_kept_once() -> None:
    world = a_merged_world()
    for _ in range(2):
        world.send(an_add(START_MS + 2 * HOUR_MS, user="2", event_id="add"))
    undo(world, "2")
    cart = a_profile(world, "2").cart
    assert cart is not None
    assert [item.quantity for item in cart.items] == [1]


def test_a_refund_that_came_in_since_goes_with_its_order() -> None:
    world = a_merged_world()
    world.send(a_refund(START_MS + 2 * HOUR_MS, "o3", 1_200, user="1"))
    undo(world, "2")
    assert [each.refunded_minor for each in a_profile(world, "2").orders] == [1_200]
    assert (world.total("refunds"), world.total("refunds_minor")) == (1, 1_200)
    assert world.credit("order_id", model="linear") == {("o1",): 4_200, ("o2",): 4_200, ("o3",): 3_000}


def test_credit_goes_to_the_survivor_and_back() -> None:
    world = a_merged_world()
    credit = world.credit("customer", "order_id", model="linear")
    assert credit == {("u:1", f"o{number}"): 4_200 for number in (1, 2, 3)}
    world.send(an_order(START_MS + 2 * HOUR_MS, user="2", order_id="o4"))
    undo(world, "2")
    both = {("u:1", "o1"), ("u:1", "o2"), ("u:2", "o3"), ("u:2", "o4")}
    assert world.credit("customer", "order_id", model="linear") == dict.fromkeys(both, 4_200)


def test_credit_that_touches_of_both_shared_is_each_ones_own_again() -> None:
    world = World()
    world.send(a_touchpoint("ad_clicked", START_MS, "1", channel="search"))
    world.send(an_order(START_MS + HOUR_MS, user="2", order_id="o"), a_link(START_MS + 2 * HOUR_MS, "1", "2"))
    assert world.credit("channel", model="linear") == {("search",): 4_200}
    undo(world, "2")
    world.pass_time(START_MS + 3 * HOUR_MS)
    assert world.credit("channel", model="linear") == {("direct",): 4_200}
    assert len({row.credit_id for row in world.emitted(Credit)}) == len(world.emitted(Credit))


def test_a_user_who_was_never_merged_is_told_so() -> None:
    world = World()
    world.send(an_order(START_MS, user="2"))
    with pytest.raises(Rejected, match="is not merged into another user"):
        undo(world, "2")
    with pytest.raises(Rejected, match="bad_key"):
        world.append("a:phone", WHO)


def test_a_second_undo_changes_nothing_and_says_why() -> None:
    world = a_merged_world()
    undo(world, "2")
    before = a_profile(world, "1"), a_profile(world, "2")
    with pytest.raises(Rejected, match="is not merged into another user"):
        undo(world, "2")
    assert (a_profile(world, "1"), a_profile(world, "2")) == before


@pytest.mark.parametrize("is_idle", [True, False])
def test_after_30_days_nothing_is_kept_and_the_merge_stays(*, is_idle: bool) -> None:
    world = a_merged_world()
    assert kept_of(world, KEPT) is not None
    assert kept_of(world, KEPT_ABSORBED) is not None
    until_ms = START_MS + HOUR_MS + UNDO_DAYS * DAY_MS
    (merged,) = world.emitted(ProfileMerged)
    assert merged.undo_until_ms == until_ms
    if is_idle:
        world.pass_time(until_ms + HOUR_MS)
        assert a_profile(world, "2").kept == b""
        assert kept_of(world, KEPT) is None
        assert kept_of(world, KEPT_ABSORBED) is None
    else:
        world.pass_time(until_ms - 1)
        world.append("u:2", Unlink("u:1", until_ms, "foreign", "u:1"))
        world.partition.overlay.put(b"u:2", a_profile(world, "2"), 0)
        world.pass_time(until_ms)
    with pytest.raises(Rejected, match="more than 30 days ago"):
        undo(world, "2")
    assert forward_target("u:2", a_profile(world, "2")) == "u:1"
    assert len(a_profile(world, "1").orders) == 3


def test_a_survivor_who_was_merged_since_is_freed_first() -> None:
    world = a_merged_world()
    world.send(an_order(START_MS + 2 * HOUR_MS, user="0"), a_link(START_MS + 3 * HOUR_MS, "0", "1"))
    with pytest.raises(Rejected, match="undo that first"):
        undo(world, "2")
    undo(world, "1")
    assert forward_target("u:2", a_profile(world, "2")) == "u:1"
    assert [len(a_profile(world, user).orders) for user in ("0", "1")] == [1, 3]
    undo(world, "2")
    assert [len(a_profile(world, user).orders) for user in ("0", "1", "2")] == [1, 2, 1]
    assert world.total("customers_known") == 3


def test_a_merge_can_be_made_again_after_its_undo_and_undone_again() -> None:
    world = a_merged_world()
    undo(world, "2")
    world.send(a_link(START_MS + 2 * HOUR_MS, "1", "2"))
    assert len(a_profile(world, "1").orders) == 3
    assert (world.total("customers_known"), world.total("orders")) == (1, 3)
    undo(world, "2")
    assert [len(a_profile(world, user).orders) for user in ("1", "2")] == [2, 1]
    assert world.credit("order_id", model="linear") == {(f"o{number}",): 4_200 for number in (1, 2, 3)}


def test_a_candidate_goes_back_to_whom_it_was_and_its_message_to_the_other_is_taken_back() -> None:
    world = World(flows=[a_flow(wait={"for": "2d"})])
    world.send(an_order(START_MS, user="1"), an_add(START_MS + HOUR_MS, user="2"))
    world.send(a_link(START_MS + 2 * HOUR_MS, "1", "2"))
    assert len(a_profile(world, "1").runs) == 1
    undo(world, "2")
    assert [len(a_profile(world, user).runs) for user in ("1", "2")] == [0, 1]
    assert a_profile(world, "2").cart is not None
    assert a_profile(world, "1").cart is None
    assert world.total("candidates_unaccounted") == 0


def test_a_message_that_waits_is_taken_back_from_the_survivor() -> None:
    world = World(flows=[a_flow(wait={"for": "1h"}, send_time="best")], send_hour=10)
    world.send(an_order(START_MS, user="1"), an_add(START_MS + 11 * HOUR_MS, user="2"))
    world.send(a_link(START_MS + 11 * HOUR_MS + 1, "1", "2"))
    world.pass_time(START_MS + 14 * HOUR_MS)
    undo(world, "2")
    assert [each.customer for each in world.emitted(Revocation)] == ["u:1"]
    assert world.emitted(Decision, "u:1")[-1].outcome == "revoked"
    assert a_profile(world, "1").pending == ()


def test_messages_count_for_both_and_withdrawals_hold_for_both_but_grants_go_back() -> None:
    world = World(flows=[a_flow(wait={"for": "1h"})])
    world.send(an_order(START_MS, user="1"), an_add(START_MS + HOUR_MS, user="2"))
    for user, granted, channel in (("2", True, "push"), ("2", False, "sms"), ("1", True, "sms")):
        consent = Consent(channel, granted=granted)
        world.send(a_touchpoint("consent_changed", START_MS + HOUR_MS + 1, user, consent=consent))
    world.send(a_link(START_MS + HOUR_MS + 2, "1", "2"))
    world.pass_time(START_MS + 5 * HOUR_MS)
    undo(world, "2")
    one, two = a_profile(world, "1"), a_profile(world, "2")
    assert len(one.messages) == 1
    assert one.messages == two.messages
    assert {(each.channel, each.granted) for each in one.consents} == {("sms", True), ("sms", False)}
    assert {(each.channel, each.granted) for each in two.consents} == {("push", True), ("sms", False)}
    assert world.emitted(ProfileDivided)[0].not_divided == {"messages": 1}


def test_a_profile_that_a_foreign_hand_sends_divides_nothing() -> None:
    world = a_merged_world()
    for key, record in {"u:1": UndoMerge("", "", "u:2"), "u:2": UndoMerge("", "", "a:phone", b"x")}.items():
        with pytest.raises(Rejected, match="not_undone"):
            world.append(key, record)
    with pytest.raises(Rejected, match="bad_profile"):
        world.append("u:1", UndoMerge("", "", "u:2", b"x"))
    own = a_profile(world, "2").kept
    with pytest.raises(Rejected, match="does not hold the profile of 'u:3'"):
        world.append("u:1", UndoMerge("", "", "u:3", own))
    world.append("u:2", WHO)
    with pytest.raises(Rejected, match="any more"):
        world.append("u:2", UndoMerge("", "", "u:1", own))


def test_before_rules_4_nothing_is_undone() -> None:
    world = World(rules=3)
    world.send(an_order(START_MS, user="2"))
    with pytest.raises(Rejected, match="not_undone"):
        undo(world, "2")


@pytest.mark.parametrize("channel", ["sms", "push", "all", "email"])
@pytest.mark.parametrize(
    "limits", [{}, {"at_most": 2}, {"only_flow": "news"}, {"purpose": "transactional"}], ids=lambda each: str(*each)
)
@pytest.mark.parametrize("first", ["1", "2"])
def test_what_both_granted_in_the_same_millisecond_since_stays_with_each(
    channel: str, limits: dict[str, Any], first: str
) -> None:
    world = World()
    for user in ("1", "2", "3"):
        world.send(a_touchpoint("page_viewed", START_MS, user, email_hash=user * 64))
    world.send(a_link(START_MS + HOUR_MS, "1", "2"), a_link(START_MS + HOUR_MS, "1", "3"))
    at_ms, consent = START_MS + 2 * HOUR_MS, Consent(channel, granted=True, **limits)
    for user in (first, "3", "1" if first == "2" else "2"):
        world.send(a_touchpoint("consent_changed", at_ms, user, consent=consent))
    for user in ("2", "3"):
        undo(world, user)
        assert [grants_of(world, each) for each in ("1", user)] == [{(channel, at_ms)}] * 2


def test_what_two_who_were_merged_granted_in_the_same_millisecond_stays_with_the_one_who_is_merged_still() -> None:
    world = World()
    world.send(*[a_touchpoint("page_viewed", START_MS, user) for user in ("1", "2", "3")])
    world.send(a_link(START_MS + HOUR_MS, "1", "2"), a_link(START_MS + HOUR_MS, "1", "3"))
    at_ms = START_MS + 2 * HOUR_MS
    for user in ("2", "3"):
        world.send(a_touchpoint("consent_changed", at_ms, user, consent=Consent("sms", granted=True)))
    undo(world, "3")
    assert [grants_of(world, user) for user in ("1", "3")] == [{("sms", at_ms)}] * 2
    undo(world, "2")
    assert [grants_of(world, user) for user in ("1", "2")] == [set(), {("sms", at_ms)}]


@pytest.mark.parametrize("channel", ["sms", "push", "all", "email"])
def test_of_a_grant_and_a_withdrawal_in_the_same_millisecond_since_only_the_withdrawal_is_of_both(channel: str) -> None:
    for granting, other in (("1", "2"), ("2", "1")):
        world = a_merged_world()
        at_ms = START_MS + 2 * HOUR_MS
        for user in (granting, other):
            consent = Consent(channel, granted=user == granting)
            world.send(a_touchpoint("consent_changed", at_ms, user, consent=consent))
        undo(world, "2")
        assert grants_of(world, granting) == {(channel, at_ms)}
        assert grants_of(world, other) == set()
        for user in (granting, other):
            assert any(not item.granted and item.channel == channel for item in a_profile(world, user).consents)


def grants_of(world: World, user: str) -> set[tuple[str, int]]:
    return {(item.channel, item.time_ms) for item in a_profile(world, user).consents if item.grants}
