"""The simulated shop keeps its promises: the truth is that of its touchpoints, and every order has its way."""

from collections import Counter, defaultdict
from functools import cache

import pytest
from pydantic import ValidationError

from schemas.touchpoint import Touchpoint
from schemas.units import DAY_MS, HOUR_MS
from streams.collect.checks import checked
from streams.collect.keys import key_of
from streams.shop.generator import Shop, ShopParameters
from streams.shop.parameters import Outage
from streams.shop.truth import REMINDER_MS, Truth

SMALL = ShopParameters(seed=11, days=8, orders_per_hour=12, customers=300, outages=(Outage(day=5, hour=10, hours=6),))


@cache
def run(parameters: ShopParameters = SMALL) -> tuple[list[Touchpoint], Truth]:
    shop = Shop(parameters)
    return list(shop.touchpoints()), shop.truth


def once(touchpoints: list[Touchpoint]) -> list[Touchpoint]:
    return list({touchpoint.event_id: touchpoint for touchpoint in touchpoints}.values())


def test_equal_parameters_give_equal_touchpoints_and_equal_truth_and_another_seed_gives_others() -> None:
    again = Shop(SMALL)
    assert list(again.touchpoints()) == run()[0]
    assert again.truth.to_json() == run()[1].to_json()
    other = Shop(SMALL.model_copy(update={"seed": 12}))
    assert list(other.touchpoints()) != run()[0]


def test_touchpoints_come_in_the_order_of_time_and_pass_the_door() -> None:
    touchpoints, _ = run()
    times = [touchpoint.time_ms for touchpoint in touchpoints]
    assert times == sorted(times)
    assert all(checked(touchpoint, touchpoint.time_ms) is touchpoint for touchpoint in touchpoints)
    assert all(key_of(touchpoint) is not None for touchpoint in touchpoints)


def test_the_truth_is_what_a_count_of_the_touchpoints_gives() -> None:
    touchpoints, truth = run()
    single = once(touchpoints)
    orders = [touchpoint.order for touchpoint in single if touchpoint.type == "order_completed"]
    refunds = [touchpoint.order for touchpoint in single if touchpoint.type == "order_refunded"]
    assert truth.touchpoints == len(single)
    assert truth.repeats == len(touchpoints) - len(single) > 0
    assert truth.by_type == Counter(touchpoint.type for touchpoint in single)
    assert (truth.orders, truth.revenue_minor) == (len(orders), sum(order.total_minor for order in orders if order))
    assert (truth.refunds, truth.refunds_minor) == (len(refunds), sum(order.total_minor for order in refunds if order))
    assert sum(truth.orders_by_customer.values()) == truth.orders


def test_every_order_follows_adds_and_a_checkout_of_its_session() -> None:
    steps: dict[str, list[str]] = defaultdict(list)
    for touchpoint in once(run()[0]):
        if touchpoint.session_id is not None:
            steps[touchpoint.session_id].append(touchpoint.type)
    ordered = [kinds for kinds in steps.values() if "order_completed" in kinds]
    assert ordered
    for kinds in ordered:
        assert kinds.index("product_added") < kinds.index("checkout_started") < kinds.index("order_completed")


def test_refunds_are_of_earlier_orders_of_the_same_customer_and_not_above_them() -> None:
    bought: dict[tuple[str, str], int] = {}
    for touchpoint in once(run()[0]):
        if touchpoint.order is None or touchpoint.user_id is None:
            continue
        key = (touchpoint.user_id, touchpoint.order.order_id)
        if touchpoint.type == "order_completed":
            bought[key] = touchpoint.order.total_minor
        elif touchpoint.type == "order_refunded":
            assert touchpoint.order.total_minor <= bought[key]


def test_devices_are_anonymous_first_and_then_linked_to_the_users_that_the_truth_names() -> None:
    touchpoints, truth = run()
    users: dict[str, set[str]] = defaultdict(set)
    anonymous_first = set()
    for touchpoint in touchpoints:
        device = touchpoint.anonymous_id
        if device is None:
            continue
        if touchpoint.user_id is None and device not in users:
            anonymous_first.add(device)
        elif touchpoint.user_id is not None:
            users[device].add(touchpoint.user_id)
    assert {device: sorted(known) for device, known in users.items()} == {
        device: sorted(known) for device, known in truth.devices.items()
    }
    assert len(anonymous_first & set(users)) > len(users) / 2
    assert any(len(known) > 1 for known in users.values())


def test_an_abandoned_cart_has_adds_no_order_and_says_whether_its_owner_ordered_soon() -> None:
    touchpoints, truth = run()
    added = {touchpoint.session_id for touchpoint in touchpoints if touchpoint.type == "product_added"}
    ordered = {touchpoint.session_id for touchpoint in touchpoints if touchpoint.type == "order_completed"}
    assert {cart.session_id for cart in truth.abandoned} == added - ordered
    orders = [touchpoint for touchpoint in touchpoints if touchpoint.type == "order_completed"]
    for cart in truth.abandoned:
        soon = any(
            0 < order.time_ms - cart.last_add_ms <= REMINDER_MS
            and (order.user_id == cart.user_id or order.anonymous_id == cart.device)
            for order in orders
        )
        assert cart.ordered_soon == soon, cart


def test_in_an_outage_a_tenth_of_the_orders_is_recorded_and_the_views_go_on() -> None:
    touchpoints, truth = run()
    (outage,) = truth.outages

    def count(kind: str, shift_ms: int) -> int:
        begin, end = outage.start_ms + shift_ms, outage.end_ms + shift_ms
        return sum(begin <= each.time_ms < end for each in touchpoints if each.type == kind)

    assert outage.end_ms - outage.start_ms == 6 * HOUR_MS
    assert count("order_completed", 0) < 0.3 * count("order_completed", -DAY_MS)
    assert count("product_viewed", 0) > 0.7 * count("product_viewed", -DAY_MS)
    assert truth.orders_lost == sum(cart.lost_order for cart in truth.abandoned) > 30


def test_mails_go_to_those_who_consented_and_never_after_an_unsubscribe() -> None:
    consent: dict[str, bool] = {}
    delivered = 0
    for touchpoint in run()[0]:
        user = touchpoint.user_id or ""
        if touchpoint.consent is not None:
            consent[user] = touchpoint.consent.granted
        elif touchpoint.type == "email_delivered":
            delivered += 1
            assert consent[user]
    assert delivered > 50


def test_money_for_advertising_is_spent_once_a_day_and_channel() -> None:
    spent = Counter(
        (touchpoint.channel, touchpoint.properties["day"])
        for touchpoint in once(run()[0])
        if touchpoint.type == "spend_recorded"
    )
    assert set(spent.values()) == {1}
    assert len(spent) == 3 * SMALL.days


def test_the_shop_as_it_comes_has_sixty_orders_an_hour_by_day_and_at_most_250_000_touchpoints() -> None:
    parameters = ShopParameters()
    hours: Counter[int] = Counter()
    touchpoints = 0
    for touchpoint in Shop(parameters).touchpoints():
        touchpoints += 1
        if touchpoint.type == "order_completed":
            hours[(touchpoint.time_ms - parameters.start_ms) // HOUR_MS] += 1
    assert touchpoints < 250_000
    by_day = [sum(hours[day * 24 + hour] for hour in range(10, 21)) / 11 for day in range(21)]
    assert all(mean > 60 for day, mean in enumerate(by_day) if day != 17), by_day
    assert sum(hours[17 * 24 + hour] for hour in range(13, 17)) / 4 < 15


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"days": 0}, "days"),
        ({"colour": "red"}, "colour"),
        ({"time_zone": "Berlin"}, "not an IANA time zone"),
        ({"days": 3, "outages": [{"day": 3, "hour": 1, "hours": 1}]}, "the shop has only days 0 to 2"),
    ],
)
def test_impossible_parameters_are_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ShopParameters.model_validate(given)
