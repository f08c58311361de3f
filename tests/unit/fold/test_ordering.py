"""Orders that come in again, late, or after what takes them back."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from schemas.journal import RULES, Configured
from schemas.outputs import Credit, Decision, ProfileView, Trigger
from schemas.touchpoint import Order, Touchpoint
from tests.support.flows import TEN, a_flow
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, World, a_refund, a_touchpoint, an_add, an_order

BY_NAME: dict[str, dict[str, Any]] = {each["id"]: {**each, "holdout_percent": 0} for each in TEN}


def world_of(*names: str) -> World:
    world = World(flows=tuple(BY_NAME[name] for name in names))
    world.pass_time(START_MS - 1)
    return world


def a_cancellation(at_ms: int, order_id: str, minor: int = 0, **fields: Any) -> Touchpoint:
    return a_touchpoint("order_cancelled", at_ms, order=Order(order_id, "EUR", minor), **fields)


def shown(world: World) -> ProfileView:
    return world.emitted(ProfileView, "u:1")[-1]


def cart_of(world: World) -> list[str]:
    profile = world.profile("u:1")
    return [] if profile is None or profile.cart is None else [item.sku for item in profile.cart.items]


def sent(world: World) -> list[tuple[str, int]]:
    """(flow, whole days since the start) of every message."""
    return [(each.flow_id, (each.due_ms - START_MS) // DAY_MS) for each in world.emitted(Trigger)]


def test_a_checkout_page_that_is_opened_again_changes_nothing() -> None:
    world = world_of("abandoned_cart")
    world.send(an_order(START_MS, order_id="o"), an_add(START_MS + 20 * HOUR_MS))
    world.send(an_order(START_MS + 20 * HOUR_MS + MINUTE_MS, order_id="o"))
    assert (cart_of(world), shown(world).orders, world.total("orders")) == (["mug"], 1, 1)
    assert world.total("orders_repeated") == 1
    world.pass_time(START_MS + DAY_MS)
    assert sent(world) == [("abandoned_cart", 0)]


def test_a_repeat_of_an_order_reaches_no_goal() -> None:
    steps = [{"name": "check", "do": "check_goal"}, {"name": "reminder", "do": "trigger"}]
    world = World(flows=[a_flow(exits=[], steps=steps)])
    world.send(an_order(START_MS, order_id="o"), an_add(START_MS + 1), an_order(START_MS + 2, order_id="o"))
    (run,) = world.profile("u:1").runs  # type: ignore[union-attr]
    assert run.goal_ms == 0


def test_an_imported_order_of_last_year_leaves_the_cart_of_today() -> None:
    world = world_of("abandoned_cart")
    world.send(an_add(START_MS))
    world.send(an_order(START_MS - 365 * DAY_MS), received_ms=START_MS + HOUR_MS)
    assert cart_of(world) == ["mug"]
    world.pass_time(START_MS + 3 * HOUR_MS)
    assert sent(world) == [("abandoned_cart", 0)]


def test_a_late_order_takes_what_was_in_the_cart_and_leaves_what_came_later() -> None:
    world = world_of("abandoned_cart")
    world.send(an_add(START_MS, "mug"), an_add(START_MS + HOUR_MS, "cup"))
    world.send(an_order(START_MS + 1), received_ms=START_MS + HOUR_MS + 1)
    assert cart_of(world) == ["cup"]
    assert (world.total("carts_opened"), world.total("carts_ordered")) == (2, 1)
    world.send(an_order(START_MS + 2 * HOUR_MS))
    assert cart_of(world) == []


def test_an_order_that_comes_in_after_its_refund_starts_no_review() -> None:
    world = world_of("post_purchase")
    world.send(a_refund(START_MS + HOUR_MS, "o", 4_200))
    world.send(an_order(START_MS, order_id="o"), received_ms=START_MS + 2 * HOUR_MS)
    assert (shown(world).orders, shown(world).monetary_minor) == (0, 0)
    world.pass_time(START_MS + 40 * DAY_MS)
    assert sent(world) == []


def test_a_cancellation_that_a_slow_clock_dates_before_its_order_ends_the_review() -> None:
    for events in (
        (an_order(START_MS, order_id="o"), a_cancellation(START_MS - 5_000, "o")),
        (a_cancellation(START_MS - 5_000, "o"), an_order(START_MS, order_id="o")),
    ):
        world = world_of("post_purchase")
        for number, event in enumerate(events):
            world.send(event, received_ms=START_MS + number)
        profile = world.profile("u:1")
        assert profile is not None
        assert (profile.runs, shown(world).orders) == ((), 0)


def test_a_second_cancellation_does_not_end_the_review_of_the_next_order() -> None:
    world = World(flows=[{**BY_NAME["post_purchase"], "reentry": "always"}])
    world.send(an_order(START_MS, order_id="o"), a_cancellation(START_MS + HOUR_MS, "o"))
    world.send(an_order(START_MS + 2 * HOUR_MS, order_id="p"), a_cancellation(START_MS + 3 * HOUR_MS, "o"))
    world.pass_time(START_MS + 40 * DAY_MS)
    assert sent(world) == [("post_purchase", 14)]


def test_an_order_that_was_cancelled_by_mistake_counts_again() -> None:
    world = world_of()
    world.send(an_order(START_MS, order_id="o"), a_cancellation(START_MS + 1, "o"))
    assert (shown(world).orders, shown(world).monetary_minor) == (0, 0)
    world.send(an_order(START_MS + 2, order_id="o"))
    assert (shown(world).orders, shown(world).monetary_minor, shown(world).last_order_ms) == (1, 4_200, START_MS)
    facts = {name: world.total(name) for name in ("orders", "revenue_minor", "refunds", "refunds_minor")}
    assert facts == {"orders": 1, "revenue_minor": 4_200, "refunds": 1, "refunds_minor": 0}


def test_a_reload_gives_back_nothing_of_what_was_refunded_in_part() -> None:
    world = world_of()
    world.send(
        an_order(START_MS, order_id="o"), a_refund(START_MS + 1, "o", 1_200), an_order(START_MS + 2, order_id="o")
    )
    assert (shown(world).orders, shown(world).monetary_minor) == (1, 3_000)


def test_an_order_in_another_currency_that_was_cancelled_or_refunded_whole_does_not_count() -> None:
    for kind, minor in (("order_cancelled", 0), ("order_refunded", 4_200)):
        world = world_of()
        order = an_order(START_MS, order_id="o")
        world.send(replace(order, order=Order("o", "USD", 4_200)))
        assert shown(world).orders == 1
        world.send(a_touchpoint(kind, START_MS + 1, order=Order("o", "USD", minor)))
        assert shown(world).orders == 0


def test_who_has_no_order_that_counts_gets_no_idea_for_the_second_one() -> None:
    world = world_of("second_order")
    world.send(an_order(START_MS, order_id="o"), a_refund(START_MS + 5 * DAY_MS, "o", 4_200))
    world.pass_time(START_MS + 60 * DAY_MS)
    assert sent(world) == []


def test_thirty_days_count_from_the_only_order_that_counts() -> None:
    world = world_of("second_order")
    world.send(an_order(START_MS, order_id="o"), a_cancellation(START_MS + HOUR_MS, "o"))
    world.send(an_order(START_MS + 20 * DAY_MS, order_id="p"))
    world.pass_time(START_MS + 80 * DAY_MS)
    assert sent(world) == [("second_order", 50)]


def test_a_cart_ends_after_thirty_days_for_reminders_too() -> None:
    world = world_of("abandoned_cart")
    world.send(an_add(START_MS, "coat"))
    world.pass_time(START_MS + 300 * DAY_MS)
    world.send(an_add(START_MS + 300 * DAY_MS, "sandals"))
    world.pass_time(START_MS + 301 * DAY_MS)
    assert [item.sku for item in world.emitted(Trigger)[-1].products] == ["sandals"]


def test_a_cart_that_has_ended_silences_no_flow_for_those_without_one() -> None:
    world = World(flows=[{**BY_NAME["abandoned_browse"], "quiet_hours": None}])
    world.send(an_add(START_MS, "coat"))
    seen = a_touchpoint("product_viewed", START_MS + 40 * DAY_MS, products=an_add(0, "sandals").products)
    world.send(seen)
    world.pass_time(START_MS + 41 * DAY_MS)
    assert sent(world) == [("abandoned_browse", 40)]


def test_what_time_began_ends_with_an_order_that_is_newer_than_any_other() -> None:
    """The customer came in as someone who had not ordered for long; an older order changes nothing of that."""
    flow = a_flow(
        id="come_back",
        entry={"date": "last_order", "after": "60d"},
        wait={"for": "5d"},
        needs={},
        exits=["order_completed"],
    )
    for order_ms, outcomes in (
        (START_MS + 59 * DAY_MS, ["entered", "exited"]),
        (START_MS - 100 * DAY_MS, ["entered"]),
    ):
        world = World(flows=[flow])
        world.send(an_order(START_MS))
        world.pass_time(START_MS + 61 * DAY_MS)
        world.send(an_order(order_ms), received_ms=START_MS + 62 * DAY_MS)
        assert [each.outcome for each in world.emitted(Decision)] == outcomes


def test_a_refund_that_a_user_and_an_order_that_a_device_knows_meet_when_they_become_one() -> None:
    world = world_of("post_purchase")
    world.send(an_order(START_MS, user=None, anonymous_id="phone", order_id="o", channel="cpc"))
    world.send(a_refund(START_MS + HOUR_MS, "o", 4_200))
    world.send(a_touchpoint("page_viewed", START_MS + 2 * HOUR_MS, anonymous_id="phone"))
    profile = world.profile("u:1")
    assert profile is not None
    assert (profile.runs, shown(world).orders, shown(world).monetary_minor) == ((), 0, 0)
    credited = [value for (name, _, _), value in world.counts.items() if name == "credited_minor"]
    assert set(credited) == {0}


@pytest.mark.parametrize(
    ("kind", "minor", "left"),
    [("order_refunded", 2_000, 3_000), ("order_completed", 5_000, 5_000), ("order_cancelled", 0, 0)],
)
def test_an_order_in_another_currency_that_earlier_rules_credited_keeps_its_credit(
    kind: str, minor: int, left: int
) -> None:
    world = World(rules=2)
    dollars = Order("o", "USD", 5_000)
    world.send(a_touchpoint("order_completed", START_MS, order=dollars))
    world.append("", Configured(world.settings.model_dump_json(), 0, RULES))
    world.send(a_touchpoint(kind, START_MS + HOUR_MS, order=replace(dollars, total_minor=minor)))
    for model in ("linear", "last"):
        rows = [each for each in world.emitted(Credit) if each.model == model]
        assert {each.currency for each in rows} == {"USD"}
        assert sum(each.amount_minor for each in rows) == left
    assert world.total("revenue_minor", "currency=USD") - world.total("refunds_minor", "currency=USD") == left


def test_the_first_order_of_a_customer_is_the_earliest_whenever_it_comes_in() -> None:
    world = world_of()
    world.send(an_order(START_MS + DAY_MS), an_order(START_MS), an_order(START_MS + 2 * DAY_MS))
    new = {hour_ms: value for (name, hour_ms, _), value in world.counts.items() if name == "new_customers" and value}
    assert new == {START_MS: 1}


def test_an_imported_order_of_last_year_buys_the_cart_of_last_year() -> None:
    world = world_of("abandoned_cart")
    now_ms = START_MS + 400 * DAY_MS
    for event in (an_add(START_MS, "mug"), an_add(START_MS + 1, "cup"), an_order(START_MS + 2)):
        world.send(event, received_ms=now_ms)
    assert cart_of(world) == []
    assert (world.total("carts_opened"), world.total("carts_ordered")) == (1, 1)


def test_an_article_of_last_year_that_is_imported_is_not_in_the_cart_of_today() -> None:
    world = world_of("abandoned_cart")
    now_ms = START_MS + 400 * DAY_MS
    world.send(an_add(now_ms, "sandals"))
    world.send(an_add(START_MS, "coat"), received_ms=now_ms + 1)
    assert cart_of(world) == ["sandals"]
    world.send(an_order(now_ms + 2))
    world.send(an_add(START_MS + 1, "coat"), received_ms=now_ms + 3)
    world.send(an_add(now_ms + 4, "sandals"))
    assert cart_of(world) == ["sandals"]


def test_who_has_ordered_before_they_sign_up_gets_no_help_with_the_first_order() -> None:
    world = world_of("welcome")
    world.send(a_touchpoint("signed_up", START_MS + 9 * HOUR_MS))
    world.send(an_order(START_MS + 8 * HOUR_MS), received_ms=START_MS + 10 * HOUR_MS)
    world.pass_time(START_MS + 10 * DAY_MS)
    assert [each.step for each in world.emitted(Trigger)] == ["hello"]
