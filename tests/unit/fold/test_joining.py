"""Two user ids that are one person: what moves, what is taken back, and who learns of it."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.journal import Absorbed, Link, Unlink
from schemas.outputs import Credit, Decision, ProfileMerged, ProfileView, Revocation, Trigger
from schemas.touchpoint import PREVIOUS_ID, Consent, Touchpoint
from streams.fold.attempt import Refused
from streams.fold.moment import Rejected
from streams.profiles.codec import encode_profile
from streams.profiles.joins import GONE, LINKED_MAX, USERS_OF_A_PERSON_MAX, waiting
from streams.profiles.profile import EMPTY, Profile
from tests.support.flows import a_bare_flow, a_flow
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_refund, a_touchpoint, an_add, an_order


def a_link(at_ms: int, user: str, previous: str) -> Touchpoint:
    return a_touchpoint("identity_linked", at_ms, user, properties={PREVIOUS_ID: previous})


def a_page(at_ms: int, user: str, **fields: Any) -> Touchpoint:
    return a_touchpoint("page_viewed", at_ms, user, **fields)


def linked_of(world: World, key: str) -> tuple[str, ...]:
    profile = world.profile(key)
    return () if profile is None else profile.linked


@pytest.mark.parametrize(("user", "previous"), [("1", "2"), ("2", "1")])
def test_the_smaller_id_survives_whoever_asked(user: str, previous: str) -> None:
    world = World()
    world.send(an_order(START_MS, user="1"), an_order(START_MS + 1, user="2"))
    world.send(a_link(START_MS + 2, user, previous), an_order(START_MS + 3, user="2"))
    assert world.emitted(ProfileView)[-1].orders == 3
    assert world.emitted(ProfileView)[-1].customer == "u:1"
    merged = world.emitted(ProfileMerged)
    assert [(one.customer, one.survivor, one.time_ms) for one in merged] == [("u:2", "u:1", START_MS + 2)]
    assert (world.total("customers_known"), world.total("new_customers")) == (1, 1)


def test_ids_are_compared_as_texts() -> None:
    world = World()
    world.send(a_page(START_MS, "10"), a_link(START_MS + 1, "9", "10"))
    assert linked_of(world, "u:9") == ("u:10",)


def test_an_id_that_is_linked_to_itself_or_again_changes_nothing() -> None:
    world = World()
    world.send(a_link(START_MS, "1", "1"), a_link(START_MS + 1, "2", "1"), a_link(START_MS + 2, "2", "1"))
    world.send(a_link(START_MS + 3, "1", "2"))
    assert len(world.emitted(ProfileMerged)) == 1
    assert linked_of(world, "u:2") == ("u:1",)


@pytest.mark.parametrize("previous", ["", "x" * 4_000, "é" * 400])
def test_an_id_that_no_key_can_have_is_ignored(previous: str) -> None:
    world = World()
    world.send(a_link(START_MS, "1", previous), an_order(START_MS + 1))
    assert not world.emitted(ProfileMerged)


def test_an_order_under_both_ids_counts_once_and_keeps_one_set_of_rows() -> None:
    world = World()
    world.send(an_order(START_MS, order_id="o", user="1"), an_order(START_MS + 1, order_id="o", user="2"))
    world.send(a_refund(START_MS + 2, "o", 1_200, user="2"))
    world.send(a_link(START_MS + 3, "1", "2"))
    assert (world.total("orders"), world.total("revenue_minor"), world.total("refunds_minor")) == (1, 4_200, 1_200)
    assert world.credit("order_id", model="linear") == {("o",): 3_000}
    assert any(row.amount_minor < 0 for row in world.emitted(Credit))


def test_a_message_that_is_out_and_not_due_is_taken_back() -> None:
    world = World(flows=[a_flow(wait={"for": "1h"}, send_time="best")], send_hour=10)
    world.send(an_add(START_MS + 11 * HOUR_MS, user="2"))
    world.pass_time(START_MS + 14 * HOUR_MS)
    (trigger,) = world.emitted(Trigger)
    assert trigger.due_ms > START_MS + 14 * HOUR_MS
    world.send(a_link(START_MS + 14 * HOUR_MS, "1", "2"))
    assert [one.trigger_id for one in world.emitted(Revocation, "u:2")] == [trigger.trigger_id]
    assert [one.outcome for one in world.emitted(Decision, "u:2")][-1] == "revoked"
    survivor = world.profile("u:1")
    assert survivor is not None
    assert (survivor.pending, survivor.messages) == ((), ())


def test_a_candidate_goes_on_for_the_survivor() -> None:
    world = World(flows=[a_flow()])
    world.send(a_page(START_MS, "1"), an_add(START_MS, user="2"), a_link(START_MS + 1, "2", "1"))
    world.pass_time(START_MS + DAY_MS)
    assert [(one.customer, one.user_id) for one in world.emitted(Trigger)] == [("u:1", "1")]


BEST = a_flow(wait={"for": "1h"}, send_time="best")


@pytest.mark.parametrize("hours", [2, 14])
def test_a_message_that_was_held_or_out_is_decided_again_for_the_survivor(hours: int) -> None:
    """The flow has one step, so no candidate was left."""
    world = World(flows=[BEST], send_hour=20)
    world.send(a_page(START_MS, "1"), an_add(START_MS, user="2"), a_page(START_MS + hours * HOUR_MS, "2"))
    if hours > 2:
        world.pass_time(START_MS + hours * HOUR_MS)
    assert len(world.emitted(Trigger)) == (hours > 2)
    world.send(a_link(START_MS + hours * HOUR_MS, "1", "2"))
    world.pass_time(START_MS + DAY_MS)
    last = world.emitted(Trigger)[-1]
    assert [(one.customer, one.user_id) for one in world.emitted(Trigger, "u:1")] == [("u:1", "1")]
    assert (last.due_ms, [item.sku for item in last.products]) == (START_MS + 20 * HOUR_MS, ["mug"])
    assert len(world.emitted(Trigger)) - len(world.emitted(Revocation)) == 1
    assert (world.total("candidates_unaccounted"), world.total("decisions_open")) == (0, 0)


def test_a_message_that_the_survivor_has_in_hand_too_is_decided_once() -> None:
    world = World(flows=[BEST], send_hour=20)
    for user in ("1", "2"):
        world.send(an_add(START_MS, user=user), a_page(START_MS + 2 * HOUR_MS, user))
    world.send(a_link(START_MS + 2 * HOUR_MS, "1", "2"))
    world.pass_time(START_MS + 2 * DAY_MS)
    assert [one.customer for one in world.emitted(Trigger)] == ["u:1"]
    assert (world.total("candidates_unaccounted"), world.total("decisions_open")) == (0, 0)


def test_a_message_taken_back_is_not_sent_where_an_order_has_ended_its_flow() -> None:
    world = World(flows=[BEST], send_hour=20)
    world.send(an_order(START_MS + HOUR_MS, user="1"), an_add(START_MS, user="2"), a_page(START_MS + 2 * HOUR_MS, "2"))
    world.send(a_link(START_MS + 2 * HOUR_MS, "1", "2"))
    world.pass_time(START_MS + 2 * DAY_MS)
    assert not world.emitted(Trigger)
    assert (world.total("candidates_unaccounted"), world.total("decisions_open")) == (0, 0)


def test_devices_addresses_and_earlier_ids_point_to_the_survivor_at_once() -> None:
    world = World()
    world.send(a_page(START_MS, "3", anonymous_id="phone", email_hash="ab" * 32))
    world.send(a_page(START_MS, "4"), a_page(START_MS, "1"))
    world.send(a_link(START_MS + 1, "3", "4"), a_link(START_MS + 2, "3", "2"), a_link(START_MS + 3, "2", "1"))
    for key in ("a:phone", f"e:{'ab' * 32}", "u:2", "u:3", "u:4"):
        assert linked_of(world, key) == ("u:1",)
    world.send(an_order(START_MS + 4, user=None, anonymous_id="phone"))
    view = world.emitted(ProfileView)[-1]
    assert (view.customer, view.orders, view.devices) == ("u:1", 1, ("a:phone",))


def test_a_withdrawal_of_either_id_holds_for_the_survivor() -> None:
    world = World()
    for user, granted in (("1", True), ("2", False)):
        said = Consent("sms", granted=granted)
        world.send(a_touchpoint("consent_changed", START_MS + int(user), user, consent=said))
    world.send(a_link(START_MS + 3, "1", "2"))
    assert world.emitted(ProfileView, "u:1")[-1].consent == {"sms": False}


def test_ten_ids_in_the_longest_way_lose_nothing() -> None:
    """Each is linked to the next smaller one, from the greatest on."""
    names = [f"{number:02}" for number in range(USERS_OF_A_PERSON_MAX)]
    world = World()
    for number in reversed(range(len(names) - 1)):
        world.send(a_link(START_MS + 20 - number, names[number], names[number + 1]))
    for name in names:
        world.send(an_order(START_MS + 100, user=name, order_id=f"o{name}"))
    assert world.emitted(ProfileView)[-1].orders == len(names)
    assert {linked_of(world, f"u:{name}") for name in names[1:]} == {("u:00",)}


def merged_and_refused(world: World, *links: Touchpoint) -> list[str]:
    """The reasons of dead letters of what the links lead to."""
    reasons = []
    for link in links:
        outcomes = list(world.partition.send(link))
        reasons += [outcome.reason for outcome in outcomes if isinstance(outcome, Refused)]
        for outcome in outcomes:
            if not isinstance(outcome, Refused):
                world.outputs += outcome.effects.outputs
    return reasons


@pytest.mark.parametrize("nobody", ["000", "zzz"])
def test_no_more_than_ten_ids_become_one_customer_and_the_rest_stay_apart(nobody: str) -> None:
    """An id that many were linked to by mistake, as the smallest and as the greatest one."""
    world, names = World(), [f"{number:02}" for number in range(30)]
    world.send(a_page(START_MS, nobody), *[an_order(START_MS, user=name, order_id=f"o{name}") for name in names])
    reasons = merged_and_refused(world, *[a_link(START_MS + 1, name, nobody) for name in names])
    assert set(reasons) == {"too_many_ids"}
    assert len(reasons) == 31 - USERS_OF_A_PERSON_MAX
    orders = [len(profile.orders) for name in (nobody, *names) if (profile := world.profile(f"u:{name}")) is not None]
    assert sum(orders) == 30
    assert sorted(orders)[-2:] == [1, USERS_OF_A_PERSON_MAX - 1]


def test_two_customers_of_many_ids_stay_apart_and_may_go_on_alone() -> None:
    world, names = World(), [f"{number:02}" for number in range(12)]
    first, second = names[:6], names[6:]
    world.send(*[an_order(START_MS, user=name) for name in names])
    for group in (first, second):
        world.send(*[a_link(START_MS + 1, group[0], name) for name in group])
    assert merged_and_refused(world, a_link(START_MS + 2, first[-1], second[-1])) == ["too_many_ids"]
    world.send(an_order(START_MS + 3, user="05"), an_order(START_MS + 3, user="11"))
    assert [len(profile.orders) for key in ("u:00", "u:06") if (profile := world.profile(key)) is not None] == [7, 7]


@pytest.mark.parametrize("previous", ["0b5e1c3a-77aa-4c0d-9d0a-1f2e3d4c5b6a", "z-device"])
def test_a_second_id_that_no_touchpoint_had_takes_nobody_in(previous: str) -> None:
    """A server's alias call may name a device, which it does not tell from a user."""
    world = World(flows=[a_flow()])
    world.send(an_order(START_MS, user="kate"), a_link(START_MS + 1, "kate", previous))
    world.send(an_order(START_MS + 2, user=None, anonymous_id=previous), an_add(START_MS + HOUR_MS, user="kate"))
    world.pass_time(START_MS + DAY_MS)
    assert not world.emitted(ProfileMerged)
    assert [(one.customer, one.user_id) for one in world.emitted(Trigger)] == [("u:kate", "kate")]
    assert world.total("customers_known") == 2


@pytest.mark.parametrize(("user", "previous"), [("1", "2"), ("2", "1")])
def test_a_link_waits_until_both_ids_are_known(user: str, previous: str) -> None:
    world = World()
    world.send(an_order(START_MS, user=user), a_link(START_MS + 1, user, previous))
    world.send(a_link(START_MS + 2, user, previous))
    assert not world.emitted(ProfileMerged)
    assert world.total("links_waiting") == 1
    world.send(an_order(START_MS + 3, user=previous))
    assert [(one.customer, one.survivor) for one in world.emitted(ProfileMerged)] == [("u:2", "u:1")]
    assert world.emitted(ProfileView, "u:1")[-1].orders == 2
    assert linked_of(world, "u:1") == ("u:2",)
    assert world.total("links_waiting") == 0


def test_so_many_links_wait_for_an_id_and_the_rest_are_dead_letters() -> None:
    world, names = World(), [f"{number:02}" for number in range(30)]
    reasons = merged_and_refused(world, *[a_link(START_MS, name, "nobody") for name in names])
    assert reasons == ["too_many_ids"] * (30 - USERS_OF_A_PERSON_MAX)
    assert waiting(linked_of(world, "u:nobody")) == tuple([f"u:{name}" for name in names[-USERS_OF_A_PERSON_MAX:]])


@pytest.mark.parametrize("customer", ["new customer", "a customer"])
def test_links_that_wait_for_an_id_do_not_keep_out_a_later_one(customer: str) -> None:
    """Of more links than may wait, the last has the first say when the id becomes known."""
    world, names = World(), [f"b{number}" for number in range(USERS_OF_A_PERSON_MAX)]
    merged_and_refused(world, *[a_link(START_MS, name, customer) for name in names])
    assert merged_and_refused(world, a_link(START_MS + 1, "c", customer)) == ["too_many_ids"]
    merged_and_refused(world, a_page(START_MS + 2, customer))
    pairs = {(one.customer, one.survivor) for one in world.emitted(ProfileMerged)}
    assert ("u:new customer", "u:c") in pairs or ("u:c", "u:a customer") in pairs


def test_a_link_that_had_to_go_may_be_sent_again_once_the_id_is_known() -> None:
    world, names = World(), [f"{number:02}" for number in range(USERS_OF_A_PERSON_MAX + 1)]
    merged_and_refused(world, *[a_link(START_MS, name, "new") for name in names])
    gone = Link("u:00", START_MS, "a link that had to go", GONE)
    with pytest.raises(Rejected, match="'u:00'"):
        world.append("u:new", gone)
    assert len(waiting(linked_of(world, "u:new"))) == USERS_OF_A_PERSON_MAX
    world = World()
    world.send(a_page(START_MS, "00"), a_page(START_MS, "new"))
    world.append("u:new", gone)
    assert [(one.customer, one.survivor) for one in world.emitted(ProfileMerged)] == [("u:new", "u:00")]


def test_ids_of_a_person_are_not_forgotten_for_their_devices() -> None:
    world = World()
    world.send(a_page(START_MS, "2"), a_link(START_MS + 1, "1", "2"))
    world.send(*[a_page(START_MS + number, "1", anonymous_id=f"phone {number}") for number in range(2, 90)])
    assert len(linked_of(world, "u:1")) == LINKED_MAX
    assert linked_of(world, "u:1")[0] == "u:2"


def test_no_more_than_ten_ids_become_one_person_however_long_the_ids_of_their_devices_are() -> None:
    world, names = World(), [f"{number:02}" for number in range(2 * USERS_OF_A_PERSON_MAX)]
    world.send(*[a_page(START_MS, name) for name in names])
    reasons = []
    for number, name in enumerate(names[1:]):
        reasons += merged_and_refused(world, a_link(START_MS + number, names[0], name))
        phones = [f"{number} {phone} {'x' * 500}" for phone in range(24)]
        world.send(*[a_page(START_MS + number, names[0], anonymous_id=phone) for phone in phones])
    assert len(world.emitted(ProfileMerged)) == USERS_OF_A_PERSON_MAX - 1
    assert reasons == ["too_many_ids"] * USERS_OF_A_PERSON_MAX


def test_room_that_was_kept_and_is_not_needed_is_given_back() -> None:
    world = World()
    world.send(a_page(START_MS, "1"), a_page(START_MS, "2"), a_page(START_MS, "4"), a_link(START_MS, "2", "4"))
    world.append("u:1", Link("u:4", START_MS, "asked before 4 was merged into 2", 1))
    assert linked_of(world, "u:1") == ("u:2", "u:4")
    world.append("u:1", Link("u:4", START_MS, "asked again", 1))
    assert linked_of(world, "u:1") == ("u:2", "u:4")


def test_a_record_goes_where_the_profile_went_until_that_has_moved_on() -> None:
    """Else it would overtake the profile: a repeated order would end the cart of the survivor as a new one."""
    world = World()
    world.send(an_order(START_MS, user="3", order_id="o"), a_link(START_MS + 1, "2", "3"), an_add(START_MS + 2))
    outcomes = world.partition.append("u:3", Link("u:1", START_MS + 3, "link"))
    next(outcomes)
    assert linked_of(world, "u:3") == ("u:2",)
    world.send(an_order(START_MS + 4, user="3", order_id="o"))
    assert not any(isinstance(outcome, Refused) for outcome in outcomes)
    assert linked_of(world, "u:3") == ("u:1",)
    survivor = world.profile("u:1")
    assert survivor is not None
    assert survivor.cart is not None
    assert len(survivor.orders) == 1


def test_a_record_that_overtakes_the_profile_of_a_merged_user_does_not_name_the_survivor() -> None:
    world = World()
    world.append("u:1", an_order(START_MS, user="2"), START_MS, 2)
    assert [view.user_id for view in world.emitted(ProfileView)] == ["1"]


def test_a_foreign_link_of_a_user_to_what_is_none_is_refused() -> None:
    world = World()
    with pytest.raises(Rejected, match="bad_link"):
        world.append("u:1", Link("a:phone", START_MS, "foreign"))
    with pytest.raises(Rejected, match="bad_link"):
        world.append("u:1", Unlink("u:2", START_MS, "foreign", "a:phone"))
    for users in (GONE - 1, USERS_OF_A_PERSON_MAX + 1):
        with pytest.raises(Rejected, match="bad_link"):
            world.append("u:1", Link("u:2", START_MS, "foreign", users))


@pytest.mark.parametrize("key", ["u:2", "u:1", "a:phone", "e:hash"])
def test_a_foreign_profile_of_a_user_is_refused_where_it_does_not_belong(key: str) -> None:
    world = World()
    with pytest.raises(Rejected, match="bad_link"):
        world.append(key, Absorbed("u:1", encode_profile(EMPTY), START_MS))


def test_a_foreign_profile_whose_links_name_a_smaller_id_does_not_move_the_survivor() -> None:
    world = World()
    world.send(an_order(START_MS, user="1"))
    hostile = Profile(linked=("u:0", "u:3"), rules=4)
    world.append("u:1", Absorbed("u:2", encode_profile(hostile), START_MS))
    world.send(an_order(START_MS + 1, user="1"))
    assert linked_of(world, "u:1") == ("u:2", "u:3")
    assert world.emitted(ProfileView)[-1].orders == 2


def test_a_foreign_link_to_a_greater_id_makes_the_smaller_one_survive() -> None:
    world = World()
    world.send(an_order(START_MS, user="1"), an_order(START_MS, user="2"))
    world.append("u:1", Link("u:2", START_MS + 1, "foreign"))
    assert linked_of(world, "u:2") == ("u:1",)


def test_by_rules_3_two_ids_stay_apart() -> None:
    world = World(rules=3)
    world.send(an_order(START_MS, user="1"), an_order(START_MS + 1, user="2"), a_link(START_MS + 2, "1", "2"))
    assert not world.emitted(ProfileMerged)
    assert world.total("customers_ordered") == 2


@pytest.mark.parametrize(("key", "target"), [("u:2", "u:1"), ("u:1", "u:2")])
def test_a_link_from_a_partition_whose_rules_rose_earlier_is_followed_when_they_rise(key: str, target: str) -> None:
    """It must not stay as the mark of a merge: the records would go to the survivor, and the profile would not."""
    world = World(rules=3)
    world.send(an_order(START_MS, user="1"), an_order(START_MS + 1, user="2", anonymous_id="phone"))
    world.append(key, Link(target, START_MS + 2, "of rules 4"))
    for outcome in world.partition.configure(4):
        assert not isinstance(outcome, Refused)
    world.send(an_order(START_MS + 3, user="2"), an_order(START_MS + 4, user="1"))
    assert world.emitted(ProfileView, "u:1")[-1].orders == 4
    assert linked_of(world, "u:2") == ("u:1",)
    assert linked_of(world, "u:1") == ("a:phone", "u:2")


def test_a_withdrawal_that_names_only_the_address_reaches_the_survivor() -> None:
    world, address = World(), "ab" * 32
    world.send(a_touchpoint("page_viewed", START_MS, "2", email_hash=address), a_link(START_MS + 1, "1", "2"))
    world.send(a_touchpoint("email_unsubscribed", START_MS + 2, None, email_hash=address))
    assert world.emitted(ProfileView, "u:1")[-1].consent == {"email": False}


def test_what_either_id_got_counts_for_the_caps_of_the_survivor() -> None:
    def outcomes(*links: Touchpoint) -> list[str]:
        world = World(flows=[a_flow(reentry="1h")])
        world.send(an_add(START_MS, user="2"))
        world.pass_time(START_MS + 3 * HOUR_MS)
        world.send(*links, an_add(START_MS + 4 * HOUR_MS, user="1"))
        world.pass_time(START_MS + 7 * HOUR_MS)
        return [one.outcome for one in world.emitted(Decision) if one.outcome in {"sent", "capped"}]

    assert outcomes() == ["sent", "sent"]
    assert outcomes(a_link(START_MS + 4 * HOUR_MS - 1, "1", "2")) == ["sent", "capped"]


@pytest.mark.parametrize(("known", "other"), [("1", "2"), ("2", "1")])
@pytest.mark.parametrize("address", [None, "aa" * 32])
@pytest.mark.parametrize("withdrew", [True, False])
def test_the_event_that_makes_an_id_known_brings_no_message_before_the_other_id_has_answered(
    known: str, other: str, address: str | None, *, withdrew: bool
) -> None:
    at_once = a_bare_flow("at_once", "product_added", steps=[{"name": "message", "do": "trigger", "offer": "save_5"}])
    world = World(flows=(at_once,))
    world.pass_time(START_MS - 1)
    said = Consent("email", granted=False)
    world.send(a_touchpoint("consent_changed", START_MS, known, consent=said) if withdrew else a_page(START_MS, known))
    world.send(a_link(START_MS + 1, known, other))
    world.pass_time(START_MS + HOUR_MS)
    world.send(an_add(START_MS + HOUR_MS + 1, user=other, email_hash=address))
    assert world.emitted(Trigger) == []
    world.pass_time(START_MS + 2 * HOUR_MS)
    assert [each.customer for each in world.emitted(Trigger)] == ([] if withdrew else ["u:1"])
