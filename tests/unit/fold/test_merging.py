"""Devices and users that turn out to be one customer."""

from __future__ import annotations

import pytest

from schemas.journal import RULES, Absorbed, Configured, Link
from schemas.outputs import Decision, ProfileView, Trigger
from schemas.touchpoint import Consent
from streams.fold.moment import Rejected
from streams.profiles.codec import decode_profile, encode_profile
from streams.profiles.entered import Entered
from streams.profiles.orders import window_sums
from tests.support.flows import a_flow
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, World, a_refund, a_touchpoint, an_add, an_order


def test_a_device_brings_its_zone_and_its_earlier_entries_to_its_user() -> None:
    world = World(flows=[a_flow(reentry="30d", wait={}, channel="push")])
    world.send(an_add(START_MS, user=None, anonymous_id="phone", time_zone="Europe/Oslo"))
    world.send(a_touchpoint("page_viewed", START_MS + HOUR_MS, anonymous_id="phone"))
    profile = world.profile("u:1")
    assert profile is not None
    assert (profile.time_zone, profile.entries) == ("Europe/Oslo", (Entered("abandoned_cart", START_MS),))
    world.send(an_add(START_MS + DAY_MS))
    assert [(item.flow_id, item.outcome) for item in world.emitted(Decision)] == [
        ("abandoned_cart", "entered"),
        ("abandoned_cart", "sent"),
    ]


def test_a_device_that_names_an_address_goes_on_and_still_forwards_to_its_user() -> None:
    world = World()
    world.send(a_touchpoint("page_viewed", START_MS, None, anonymous_id="phone", email_hash="ab" * 32))
    world.send(an_add(START_MS + 1, user=None, anonymous_id="phone"))
    device = world.profile("a:phone")
    assert device is not None
    assert device.cart is not None
    world.send(a_touchpoint("page_viewed", START_MS + 2, anonymous_id="phone"))
    world.send(an_add(START_MS + 3, sku="cup", user=None, anonymous_id="phone"))
    user = world.profile("u:1")
    assert user is not None
    assert user.cart is not None
    assert [item.sku for item in user.cart.items] == ["mug", "cup"]


def test_of_two_candidates_that_become_one_the_wait_counts_from_the_later_entry() -> None:
    world = World(flows=[a_flow()])
    world.send(an_add(START_MS, user=None, anonymous_id="phone"), an_add(START_MS + HOUR_MS))
    world.send(a_touchpoint("page_viewed", START_MS + HOUR_MS + 1, anonymous_id="phone"))
    (run,) = world.profile("u:1").runs  # type: ignore[union-attr]
    assert (run.entered_ms, run.last_entry_ms, run.due_ms) == (START_MS, START_MS + HOUR_MS, START_MS + 3 * HOUR_MS)


def test_an_empty_user_id_is_none_so_that_no_device_is_its_own_user() -> None:
    world = World()
    world.send(a_touchpoint("page_viewed", START_MS, "", anonymous_id="d"))
    device = world.profile("a:d")
    assert device is not None
    assert (device.linked, device.user_id) == ((), None)
    # the record of a device that is its own user would be forwarded for ever
    said = Consent(channel="email", granted=False)
    world.send(a_touchpoint("consent_changed", START_MS + 1, "", anonymous_id="d", email_hash="0" * 64, consent=said))
    address = world.profile("e:" + "0" * 64)
    assert address is not None
    assert [item.granted for item in address.consents] == [False]


def test_a_device_becomes_its_user_at_the_first_event_with_both_ids(flows: tuple[dict[str, object], ...]) -> None:
    world = World(flows=flows)
    world.send(
        an_add(START_MS, "mug", user=None, anonymous_id="phone", channel="paid_search", session_id="s1"),
        a_touchpoint("page_viewed", START_MS + MINUTE_MS, user="7", anonymous_id="phone", session_id="s1"),
        an_add(START_MS + 2 * MINUTE_MS, "cup", user=None, anonymous_id="phone", session_id="s1"),
    )
    user = world.profile("u:7")
    assert user is not None
    assert user.cart is not None
    assert {item.sku for item in user.cart.items} == {"mug", "cup"}
    assert [touch.channel for touch in user.touches] == ["paid_search"]
    assert world.total("forwards_sent") == world.total("forwards_received") == 1
    world.pass_time(START_MS + DAY_MS)
    (trigger,) = world.emitted(Trigger)
    assert trigger.customer == "u:7"
    assert ("a:phone", None) in world.outputs


def test_a_cart_filled_as_a_device_is_bought_by_the_order_that_tells_whose_the_device_is(
    flows: tuple[dict[str, object], ...],
) -> None:
    world = World(flows=flows)
    world.send(an_add(START_MS, user=None, anonymous_id="phone"))
    world.send(an_order(START_MS + HOUR_MS, user="1", anonymous_id="phone"))
    world.pass_time(START_MS + DAY_MS)
    assert world.emitted(Trigger) == []
    assert [decision.outcome for decision in world.emitted(Decision)] == ["entered", "exited"]
    user = world.profile("u:1")
    assert user is not None
    assert user.cart is None
    assert (world.total("carts_opened"), world.total("carts_ordered"), world.total("decisions_open")) == (1, 1, 0)


def test_of_two_carts_that_turn_out_to_be_one_customers_the_later_add_begins_the_wait(
    flows: tuple[dict[str, object], ...],
) -> None:
    world = World(flows=flows)
    world.send(an_add(START_MS, user="1"), an_add(START_MS + HOUR_MS, user=None, anonymous_id="phone"))
    world.send(a_touchpoint("signed_up", START_MS + HOUR_MS + MINUTE_MS, "1", anonymous_id="phone"))
    world.pass_time(START_MS + DAY_MS)
    (trigger,) = world.emitted(Trigger)
    assert trigger.decided_ms == START_MS + 3 * HOUR_MS
    assert [d.outcome for d in world.emitted(Decision)] == ["entered", "entered", "exited", "sent"]


def test_two_carts_that_turn_out_to_be_one_customers_were_opened_once_at_the_earlier_hour() -> None:
    world = World()
    world.send(an_add(START_MS + HOUR_MS, user="1"))
    world.append("a:phone", an_add(START_MS, user=None, anonymous_id="phone"), received_ms=START_MS + 2 * HOUR_MS)
    world.send(a_touchpoint("signed_up", START_MS + 3 * HOUR_MS, "1", anonymous_id="phone"))
    opened = {hour_ms: count for (name, hour_ms, _), count in world.counts.items() if name == "carts_opened"}
    assert opened == {START_MS: 1, START_MS + HOUR_MS: 0}
    world.send(an_order(START_MS + 4 * HOUR_MS))
    assert (world.total("carts_opened"), world.total("carts_ordered")) == (1, 1)


def test_a_user_whose_rules_are_not_raised_yet_absorbs_a_device_of_newer_rules() -> None:
    newer, earlier = World(), World(rules=2)
    newer.send(an_add(START_MS, user=None, anonymous_id="phone"))
    newer.send(a_refund(START_MS + 1, "gone", 700, user=None, anonymous_id="phone"))
    device = newer.profile("a:phone")
    assert device is not None
    earlier.append("u:1", Absorbed("a:phone", encode_profile(device), device.clock_ms))
    user = earlier.profile("u:1")
    assert user is not None
    assert decode_profile(encode_profile(user)) == user
    assert (user.cart is not None, window_sums(user, START_MS + 2, DAY_MS).minor) == (True, -700)
    earlier.append("", Configured(earlier.settings.model_dump_json(), 0, RULES))
    earlier.send(an_order(START_MS + HOUR_MS))
    user = earlier.profile("u:1")
    assert user is not None
    assert (user.cart, earlier.emitted(ProfileView, "u:1")[-1].monetary_minor) == (None, 3_500)


def test_a_cart_filled_as_a_device_after_the_order_is_left_to_the_reminder(
    flows: tuple[dict[str, object], ...],
) -> None:
    world = World(flows=flows)
    world.send(an_order(START_MS, user="1"), an_add(START_MS + HOUR_MS, user=None, anonymous_id="phone"))
    world.send(a_touchpoint("signed_up", START_MS + 2 * HOUR_MS, "1", anonymous_id="phone"))
    world.pass_time(START_MS + DAY_MS)
    assert [trigger.customer for trigger in world.emitted(Trigger)] == ["u:1"]


def test_a_device_of_more_than_five_users_is_shared_and_forwards_to_none() -> None:
    world = World()
    for user in range(6):
        world.send(a_touchpoint("page_viewed", START_MS + user, user=f"{user}", anonymous_id="kiosk"))
    before = world.total("forwards_sent")
    world.send(a_touchpoint("page_viewed", START_MS + 100, user=None, anonymous_id="kiosk"))
    assert world.total("forwards_sent") == before
    assert world.profile("a:kiosk") is not None


def test_a_record_forwarded_in_circles_is_a_dead_letter() -> None:
    world = World()
    world.append("a:x", Link(target="a:y", time_ms=START_MS, cause="c"))
    world.append("a:y", Link(target="a:x", time_ms=START_MS, cause="c"))
    with pytest.raises(Rejected, match="identity_loop"):
        world.send(a_touchpoint("page_viewed", START_MS, user=None, anonymous_id="x"))


def test_a_device_follows_the_last_login_also_of_a_user_who_comes_back(flows: tuple[dict[str, object], ...]) -> None:
    world = World(flows=flows)
    for number, user in enumerate(("1", "2", "1")):
        world.send(a_touchpoint("page_viewed", START_MS + number, user, anonymous_id="d", session_id=f"s{number}"))
    world.send(an_add(START_MS + 10, user=None, anonymous_id="d"))
    world.pass_time(START_MS + DAY_MS)
    assert [trigger.customer for trigger in world.emitted(Trigger)] == ["u:1"]


def test_a_shared_device_is_one_known_customer() -> None:
    world = World()
    for user in range(9):
        world.send(a_touchpoint("page_viewed", START_MS + user, user=f"{user}", anonymous_id="kiosk"))
    assert world.total("customers_known") == 9


def test_an_order_on_device_and_user_is_one_order_of_one_new_customer() -> None:
    world = World()
    world.send(
        an_order(START_MS, user=None, anonymous_id="d", order_id="o"),
        an_order(START_MS + 1, user="1", order_id="o"),
        a_touchpoint("page_viewed", START_MS + 2, user="1", anonymous_id="d"),
    )
    assert (world.total("orders"), world.total("revenue_minor"), world.total("new_customers")) == (1, 4_200, 1)


def test_a_reload_of_a_users_order_on_their_device_leaves_the_cart_filled_since(
    flows: tuple[dict[str, object], ...],
) -> None:
    world = World(flows=flows)
    world.send(an_order(START_MS, order_id="o"), an_add(START_MS + 20 * HOUR_MS))
    world.send(an_order(START_MS + 20 * HOUR_MS + 1, user=None, order_id="o", anonymous_id="phone"))
    world.send(a_touchpoint("page_viewed", START_MS + 20 * HOUR_MS + 2, anonymous_id="phone"))
    world.pass_time(START_MS + DAY_MS)
    assert [(trigger.customer, len(trigger.products)) for trigger in world.emitted(Trigger)] == [("u:1", 1)]
    assert (world.total("orders"), world.total("carts_opened"), world.total("carts_ordered")) == (1, 1, 0)


@pytest.mark.parametrize(("older", "newer"), [("phone", None), (None, "phone")])
def test_a_cart_that_had_ended_before_the_other_one_began_is_not_reminded_of(
    older: str | None, newer: str | None, flows: tuple[dict[str, object], ...]
) -> None:
    world = World(flows=flows)
    now_ms = START_MS + 40 * DAY_MS
    for device, sku, time_ms in ((older, "coat", START_MS), (newer, "sandals", now_ms)):
        world.send(an_add(time_ms, sku, user=None if device else "1", anonymous_id=device))
    world.send(a_touchpoint("page_viewed", now_ms + 1, anonymous_id="phone"))
    world.pass_time(now_ms + DAY_MS)
    assert [item.sku for item in world.emitted(Trigger)[-1].products] == ["sandals"]
    assert world.total("carts_opened") == 2
