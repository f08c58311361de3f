"""What the journal's fold makes of a customer's story."""

from __future__ import annotations

import pytest

from schemas.journal import RULES, RULES_3
from schemas.outputs import Decision, ProfileView, Trigger
from schemas.touchpoint import Consent
from tests.support.flows import a_flow
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, World, a_touchpoint, an_add, an_order


def test_a_repeated_event_id_is_folded_once() -> None:
    world = World()
    order = an_order(START_MS)
    world.send(order, order)
    assert world.total("orders") == 1
    assert world.total("folded") == 1
    assert world.total("duplicates") == 1


def test_an_order_id_counts_once_whatever_its_event_id() -> None:
    world = World()
    world.send(an_order(START_MS, order_id="o1"), an_order(START_MS + 1, order_id="o1"))
    profile = world.profile("u:1")
    assert profile is not None
    assert len(profile.orders) == 1
    assert world.total("orders") == 1


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


def test_a_flow_without_a_wait_triggers_with_the_touchpoint_itself() -> None:
    world = World(flows=[a_flow(wait={"for": "0s"})])
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


def test_an_add_that_arrives_after_the_order_it_led_to_reminds_nobody(flows: tuple[dict[str, object], ...]) -> None:
    world = World(flows=flows)
    world.send(an_order(START_MS + HOUR_MS), an_add(START_MS + 59 * MINUTE_MS))
    world.pass_time(START_MS + DAY_MS)
    user = world.profile("u:1")
    assert user is not None
    assert user.cart is None
    assert world.emitted(Decision) == []
    assert world.total("adds") == 1


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


def test_a_guests_order_counts_once_whatever_its_event_id() -> None:
    world = World()
    world.send(an_order(START_MS, user=None, order_id="g"), an_order(START_MS + 1, user=None, order_id="g"))
    assert (world.total("orders"), world.total("revenue_minor")) == (1, 4_200)


@pytest.mark.parametrize(("rules", "expected"), [(RULES, 1), (RULES_3, 0)])
def test_what_comes_in_again_is_counted_by_its_source_from_rules_4_on(rules: int, expected: int) -> None:
    world = World(rules=rules)
    event = a_touchpoint("page_viewed", START_MS, source="shop")
    world.send(event, event)
    assert world.total("duplicates") == 1
    assert world.total("source_duplicates", "source=shop") == expected
