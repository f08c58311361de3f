"""The ledger of an order follows from all that happened to it."""

from __future__ import annotations

from schemas.limits import DATES_MAX
from schemas.outputs import Credit
from schemas.touchpoint import Order
from streams.profiles.profile import CONVERSIONS_MAX
from tests.support.world import DAY_MS, START_MS, World, a_refund, a_touchpoint, an_order


def balance(world: World, model: str = "linear") -> dict[str, int]:
    """Minor units by channel, those that are not 0."""
    return {channel: minor for (channel,), minor in world.credit("channel", model=model).items()}


def test_a_refund_is_unattributed_until_its_order_comes_in() -> None:
    world = World()
    world.send(a_refund(START_MS + 1, "o", 1_200))
    assert balance(world) == {"unattributed_refund": -1_200}
    world.send(an_order(START_MS, order_id="o", channel="cpc"))
    assert balance(world) == balance(world, "last") == {"cpc": 3_000}


def test_an_order_that_was_restored_is_credited_again() -> None:
    world = World()
    world.send(an_order(START_MS, order_id="o", channel="cpc"))
    world.send(a_touchpoint("order_cancelled", START_MS + 1, order=Order("o", "EUR", 0)))
    assert balance(world) == {}
    world.send(an_order(START_MS + 2, order_id="o", channel="ads"))
    assert balance(world) == {"cpc": 4_200}


def test_the_first_completion_dates_the_conversion_whenever_it_comes_in() -> None:
    world = World()
    world.send(an_order(START_MS + DAY_MS, 5_000, order_id="o", channel="ads"))
    world.send(an_order(START_MS, 4_200, order_id="o", channel="cpc"))
    assert balance(world) == {"cpc": 4_200}
    dated = [row.conversion_time_ms for row in world.emitted(Credit) if row.kind == "credit"]
    assert (dated[:2], dated[-2:]) == ([START_MS + DAY_MS] * 2, [START_MS] * 2)


def test_an_order_that_is_old_when_it_comes_in_is_credited_whole_and_its_refund_apart() -> None:
    def lived(*events: str) -> dict[str, int]:
        world = World()
        made = {"order": an_order(START_MS, order_id="o"), "refund": a_refund(START_MS + 1, "o", 9_000)}
        for event in events:
            world.send(made[event], received_ms=START_MS + 300 * DAY_MS)
        return balance(world)

    assert lived("order", "refund") == lived("refund", "order") == {"direct": 4_200, "unattributed_refund": -9_000}


def test_a_refund_in_another_currency_than_its_order_stays_unattributed() -> None:
    world = World()
    world.send(a_touchpoint("order_refunded", START_MS + 1, order=Order("o", "USD", 700)))
    world.send(an_order(START_MS, order_id="o"))
    assert balance(world) == {"unattributed_refund": -700, "direct": 4_200}


def test_an_order_after_very_many_refunds_writes_few_rows_with_the_same_sum() -> None:
    world = World()
    for number in range(DATES_MAX + 50):
        world.send(a_refund(START_MS + number, "o", 10))
    rows = len(world.emitted(Credit))
    world.send(an_order(START_MS - 1, order_id="o"))
    assert len(world.emitted(Credit)) - rows <= 4
    assert balance(world) == {"direct": 4_200 - 10 * (DATES_MAX + 50)}


def test_a_refund_of_the_oldest_order_reaches_its_credit_when_a_merge_opens_more_than_a_profile_keeps() -> None:
    world = World()
    world.send(an_order(START_MS, order_id="o", channel="cpc"))
    phone = {"anonymous_id": "phone"}
    world.send(*(an_order(START_MS + DAY_MS + number, 10, user=None, **phone) for number in range(CONVERSIONS_MAX)))
    world.send(a_refund(START_MS + 2 * DAY_MS, "o", 1_200, user=None, **phone))
    world.send(a_touchpoint("page_viewed", START_MS + 3 * DAY_MS, **phone))
    world.pass_time(START_MS + 4 * DAY_MS)
    assert balance(world) == {"cpc": 3_000 + 10 * CONVERSIONS_MAX}
    world.send(an_order(START_MS + 5 * DAY_MS, 10))
    profile = world.profile("u:1")
    assert profile is not None
    assert len(profile.conversions) == CONVERSIONS_MAX


def test_no_two_rows_have_the_same_id() -> None:
    world = World()
    # two currencies at one time
    world.send(a_refund(START_MS, "o", 50), a_touchpoint("order_refunded", START_MS, order=Order("o", "USD", 70)))
    for number in range(3):
        world.send(a_refund(START_MS + number, "o", 100), an_order(START_MS - number, order_id="o"))
        world.send(a_touchpoint("order_cancelled", START_MS + 9 + number, order=Order("o", "EUR", 0)))
    rows = world.emitted(Credit)
    assert len({row.credit_id for row in rows}) == len(rows)
