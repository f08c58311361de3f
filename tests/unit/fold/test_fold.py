"""What the journal's fold makes of a customer's story."""

from __future__ import annotations

import pytest

from schemas.journal import Link
from schemas.outputs import Credit, Decision, ProfileView, SegmentChanged, Trigger
from schemas.touchpoint import Consent
from streams.fold.moment import Rejected
from streams.settings import Cuts
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, World, a_refund, a_touchpoint, an_add, an_order

CUTS = Cuts(
    recency_ms=(10 * DAY_MS, 20 * DAY_MS, 40 * DAY_MS, 80 * DAY_MS),
    frequency=(2, 3, 4, 5),
    monetary_minor=(5_000, 10_000, 15_000, 20_000),
)


@pytest.fixture
def flows(abandoned_cart: dict[str, object]) -> tuple[dict[str, object], ...]:
    return ({**abandoned_cart, "holdout_percent": 0},)


def test_a_repeated_event_id_is_folded_once() -> None:
    world = World()
    order = an_order(START_MS)
    world.send(order, order)
    assert world.total("orders") == 1
    assert world.total("folded") == 1
    assert world.total("duplicates") == 1


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


def test_an_order_id_counts_once_whatever_its_event_id() -> None:
    world = World()
    world.send(an_order(START_MS, order_id="o1"), an_order(START_MS + 1, order_id="o1"))
    profile = world.profile("u:1")
    assert profile is not None
    assert len(profile.orders) == 1
    assert world.total("orders") == 1


def test_a_champion_who_stops_buying_moves_by_time_alone_each_on_the_day_its_cut_is_crossed() -> None:
    world = World(cuts_fixed=CUTS)
    orders = [an_order(START_MS + day * DAY_MS, 5_000) for day in range(5)]
    world.send(*orders)
    last_ms = orders[-1].time_ms
    world.pass_time(last_ms + 100 * DAY_MS)
    moves = [(m.before, m.after, m.time_ms - last_ms) for m in world.emitted(SegmentChanged)][-2:]
    assert moves == [
        ("Champions", "Loyal", 10 * DAY_MS + 1),
        ("Loyal", "Can't Lose", 40 * DAY_MS + 1),
    ]


def test_how_often_progress_comes_changes_nothing() -> None:
    orders = an_order(START_MS), an_order(START_MS + DAY_MS)

    def story(steps: int) -> list[SegmentChanged]:
        world = World(cuts_fixed=CUTS)
        world.send(*orders)
        for step in range(1, steps + 1):
            world.pass_time(START_MS + 120 * DAY_MS * step // steps)
        return world.emitted(SegmentChanged)

    assert story(1) == story(7) == story(500)
    assert len(story(1)) > 2


def test_a_fully_refunded_order_does_not_count() -> None:
    world = World()
    world.send(an_order(START_MS, 1_000, order_id="o1"), a_refund(START_MS + 5, "o1", 1_000))
    view = world.emitted(ProfileView)[-1]
    assert (view.segment, view.orders, view.monetary_minor) == ("none", 0, 0)
    assert sum(row.amount_minor for row in world.emitted(Credit) if row.model == "linear") == 0


def test_an_abandoned_cart_is_reminded_of_two_hours_after_the_last_add(flows: tuple[dict[str, object], ...]) -> None:
    world = World(flows=flows)
    world.send(an_add(START_MS, "mug"), an_add(START_MS + 30 * MINUTE_MS, "cup"))
    world.pass_time(START_MS + 2 * HOUR_MS)
    assert world.emitted(Trigger) == []
    world.pass_time(START_MS + 3 * HOUR_MS)
    (trigger,) = world.emitted(Trigger)
    assert trigger.due_ms == trigger.decided_ms == START_MS + 30 * MINUTE_MS + 2 * HOUR_MS
    assert [product.sku for product in trigger.products] == ["mug", "cup"]
    assert [(d.outcome, d.final) for d in world.emitted(Decision)] == [("entered", False), ("sent", True)]
    assert world.total("decisions_open") == 0


def test_a_flow_without_a_wait_triggers_with_the_touchpoint_itself(abandoned_cart: dict[str, object]) -> None:
    at_once = {**abandoned_cart, "wait": {"for": "0s"}, "holdout_percent": 0}
    world = World(flows=(at_once,))
    world.pass_time(START_MS - 1)
    world.send(an_add(START_MS))
    (trigger,) = world.emitted(Trigger)
    assert trigger.due_ms == trigger.decided_ms == START_MS


def test_a_purchase_cancels_a_pending_cart_reminder(flows: tuple[dict[str, object], ...]) -> None:
    world = World(flows=flows)
    world.send(an_add(START_MS), an_order(START_MS + HOUR_MS))
    world.pass_time(START_MS + DAY_MS)
    assert world.emitted(Trigger) == []
    assert world.emitted(Decision)[-1].outcome == "exited"


def test_a_timer_due_before_a_purchase_fires_before_it_though_both_come_at_once(
    flows: tuple[dict[str, object], ...],
) -> None:
    world = World(flows=flows)
    world.send(an_add(START_MS), an_order(START_MS + 5 * HOUR_MS))
    world.pass_time(START_MS + 5 * HOUR_MS)
    assert len(world.emitted(Trigger)) == 1


def test_nobody_who_withdrew_consent_is_reminded(flows: tuple[dict[str, object], ...]) -> None:
    world = World(flows=flows)
    world.send(
        an_add(START_MS),
        a_touchpoint("consent_changed", START_MS + 1, consent=Consent(channel="email", granted=False)),
    )
    world.pass_time(START_MS + DAY_MS)
    assert world.emitted(Trigger) == []


def test_a_withdrawal_by_address_alone_reaches_the_profile_of_the_address(flows: tuple[dict[str, object], ...]) -> None:
    world = World(flows=flows)
    world.send(
        an_add(START_MS, email_hash="a" * 64),
        a_touchpoint("email_unsubscribed", START_MS + 1, user=None, email_hash="a" * 64),
    )
    world.pass_time(START_MS + DAY_MS)
    assert world.emitted(Trigger) == []
    assert world.emitted(Decision)[-1].outcome == "no_consent"


def test_a_withdrawal_known_of_an_address_holds_for_profiles_that_turn_up_later(
    flows: tuple[dict[str, object], ...],
) -> None:
    world = World(flows=flows)
    world.send(
        a_touchpoint("email_unsubscribed", START_MS, user=None, email_hash="b" * 64),
        an_add(START_MS + 1, user="late", email_hash="b" * 64),
    )
    world.pass_time(START_MS + DAY_MS)
    assert world.emitted(Trigger) == []


def test_history_imported_into_a_running_system_mails_nobody(flows: tuple[dict[str, object], ...]) -> None:
    world = World(flows=flows)
    world.send(an_add(START_MS), received_ms=START_MS + 300 * DAY_MS)
    world.pass_time(START_MS + 301 * DAY_MS)
    assert world.emitted(Trigger) == []
    assert [d.outcome for d in world.emitted(Decision)] == ["too_old"]


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


def test_an_add_that_arrives_after_the_order_it_led_to_reminds_nobody(flows: tuple[dict[str, object], ...]) -> None:
    world = World(flows=flows)
    world.send(an_order(START_MS + HOUR_MS), an_add(START_MS + 59 * MINUTE_MS))
    world.pass_time(START_MS + DAY_MS)
    user = world.profile("u:1")
    assert user is not None
    assert user.cart is None
    assert world.emitted(Decision) == []
    assert world.total("adds") == 1


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


def test_every_customer_with_an_order_is_on_the_panel_once_a_week() -> None:
    world = World()
    world.send(*(an_order(START_MS, user=f"{user}") for user in range(20)))
    world.pass_time(START_MS + 21 * DAY_MS)
    rows = [row.customer_hash for row in world.panel]
    assert sorted(rows) == sorted(list(set(rows)) * 3)
    assert len(set(rows)) == 20


def test_more_timers_due_than_one_record_may_fire_are_worked_off_by_wakes() -> None:
    world = World()
    world.send(*(an_order(START_MS, user=f"{user}") for user in range(2_500)))
    world.commit()
    world.pass_time(START_MS + 7 * DAY_MS)
    assert len(world.panel) == 2_500
    assert world.fold.complete_to_ms() == START_MS + 7 * DAY_MS


def test_the_sum_of_customers_by_segment_is_the_number_of_customers_with_an_order() -> None:
    world = World(cuts_fixed=CUTS)
    world.send(*(an_order(START_MS + user * HOUR_MS, 1_000 * user, user=f"{user % 7}") for user in range(1, 40)))
    world.pass_time(START_MS + 90 * DAY_MS)
    by_segment = sum(
        v for (name, _, by), v in world.counts.items() if name == "customers" and by.startswith("segment=")
    )
    assert by_segment == world.total("customers_ordered") == 7


def test_a_withdrawal_by_address_reaches_the_user_who_took_the_device_of_the_address_in(
    flows: tuple[dict[str, object], ...],
) -> None:
    world = World(flows=flows)
    world.send(
        an_add(START_MS, user=None, anonymous_id="d", email_hash="c" * 64),
        a_touchpoint("page_viewed", START_MS + 1, user="1", anonymous_id="d"),
        a_touchpoint("email_unsubscribed", START_MS + 2, user=None, email_hash="c" * 64),
    )
    world.pass_time(START_MS + DAY_MS)
    assert world.emitted(Trigger) == []
    assert world.emitted(ProfileView, "u:1")[-1].consent == {"email": False}


def test_a_grant_dated_ahead_does_not_outlive_a_later_withdrawal(flows: tuple[dict[str, object], ...]) -> None:
    world = World(flows=flows)
    ahead = a_touchpoint("consent_changed", START_MS + 20 * HOUR_MS, consent=Consent(channel="email", granted=True))
    world.send(ahead, received_ms=START_MS)
    world.send(a_touchpoint("email_unsubscribed", START_MS + HOUR_MS), an_add(START_MS + 2 * HOUR_MS))
    world.pass_time(START_MS + DAY_MS)
    assert world.emitted(Trigger) == []


def test_a_withdrawal_made_before_the_address_was_known_holds_for_all_who_have_the_address(
    flows: tuple[dict[str, object], ...],
) -> None:
    world = World(flows=flows)
    world.send(
        a_touchpoint("email_unsubscribed", START_MS, user="1"),
        a_touchpoint("page_viewed", START_MS + 1, user="1", email_hash="d" * 64),
        an_add(START_MS + 2, user="2", email_hash="d" * 64),
    )
    world.pass_time(START_MS + DAY_MS)
    assert world.emitted(Trigger) == []


def test_a_device_follows_who_logged_in_last_also_when_he_comes_back(flows: tuple[dict[str, object], ...]) -> None:
    world = World(flows=flows)
    for number, user in enumerate(("1", "2", "1")):
        world.send(a_touchpoint("page_viewed", START_MS + number, user, anonymous_id="d", session_id=f"s{number}"))
    world.send(an_add(START_MS + 10, user=None, anonymous_id="d"))
    world.pass_time(START_MS + DAY_MS)
    assert [trigger.customer for trigger in world.emitted(Trigger)] == ["u:1"]


def test_a_guests_order_counts_once_whatever_its_event_id() -> None:
    world = World()
    world.send(an_order(START_MS, user=None, order_id="g"), an_order(START_MS + 1, user=None, order_id="g"))
    assert (world.total("orders"), world.total("revenue_minor")) == (1, 4_200)


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
