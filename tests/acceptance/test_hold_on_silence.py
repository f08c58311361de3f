"""A shop stops sending its orders: cart and browse messages wait until they come in again, and then go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from schemas.outputs import Decision, Trigger
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS, WEEK_MS
from streams.insights.silent import BACK_MS
from tests.support.arrivals import MONDAY_MS, ORDERS, always, live, office_hours
from tests.support.flows import UNCAPPED, a_bare_flow, a_flow
from tests.support.watched_shop import WatchedShop
from tests.support.world import a_view, an_add, an_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.touchpoint import Touchpoint

pytestmark = pytest.mark.acceptance

RELIES: dict[str, Any] = {"relies_on": {"source": "shop", "types": ["order_completed"]}, "on_silence": "hold"}
CART = a_flow(wait={"for": "1h"}, quiet_hours=None, expires_after="2h", caps=UNCAPPED, **RELIES)
BROWSE = a_bare_flow(
    "browse", "product_viewed", products="entry", wait={"for": "1h"}, expires_after="2h", caps=UNCAPPED, **RELIES
)
WELCOME = a_bare_flow("welcome", "signed_up", caps=UNCAPPED)
DAY = MONDAY_MS + 3 * WEEK_MS
STOPPED_MS = DAY + 12 * HOUR_MS
AGAIN_MS = DAY + 17 * HOUR_MS
CLOSED_MS = DAY + 20 * HOUR_MS
RATE = 60.0
SEED = 17


def a_day(seed: int) -> list[Touchpoint]:
    """Each minute somebody fills a cart, somebody looks, and each ten minutes somebody signs up; orders as usual."""
    chance, events = np.random.default_rng(seed), []
    for minute in range(8 * 60, 20 * 60):
        at_ms = DAY + minute * MINUTE_MS + int(chance.integers(MINUTE_MS))
        events.append(an_add(at_ms, user=f"cart-{minute}", source="web"))
        events.append(a_view(at_ms, user=f"view-{minute}", source="web"))
        if minute % 10 == 0:
            event = an_add(at_ms, user=f"new-{minute}", source="web")
            events.append(
                type(event)(event_id=f"s{minute}", type="signed_up", time_ms=at_ms, source="web", user_id=f"n{minute}")
            )
        if not STOPPED_MS <= at_ms < AGAIN_MS:
            events += [
                an_order(at_ms, user=f"buyer-{minute}-{number}", source="shop")
                for number in range(int(chance.poisson(RATE / 60)))
            ]
    return events


@pytest.fixture(scope="module")
def shop() -> WatchedShop:
    shop = WatchedShop(flows=[CART, BROWSE, WELCOME])
    live(
        shop.watch,
        {ORDERS: lambda at_ms: office_hours(at_ms, RATE)},
        MONDAY_MS,
        DAY,
        np.random.default_rng(SEED),
        10 * MINUTE_MS,
    )
    shop.live(a_day(SEED), DAY + 8 * HOUR_MS, CLOSED_MS)
    return shop


def sent(shop: WatchedShop, flows: Sequence[str] = ("abandoned_cart", "browse")) -> list[int]:
    """When messages of these flows were decided."""
    return [each.decided_ms for each in shop.world.emitted(Trigger) if each.flow_id in flows]


def test_the_hold_is_in_the_journal_within_a_quarter_of_an_hour_after_20_were_due(shop: WatchedShop) -> None:
    on = [each for each in shop.watch.holds if each.is_on]
    assert sorted(each.flow_id for each in on) == ["abandoned_cart", "browse"]
    due_ms = STOPPED_MS + int(20 * HOUR_MS / RATE)
    assert all(due_ms - 10 * MINUTE_MS <= each.time_ms <= due_ms + 15 * MINUTE_MS for each in on)


def test_no_cart_or_browse_message_goes_out_after_it_and_all_go_on_afterwards(shop: WatchedShop) -> None:
    on_ms = max(each.time_ms for each in shop.watch.holds if each.is_on)
    off_ms = min(each.time_ms for each in shop.watch.holds if not each.is_on)
    assert AGAIN_MS + BACK_MS <= off_ms <= AGAIN_MS + BACK_MS + 15 * MINUTE_MS
    times = sent(shop)
    assert not [at_ms for at_ms in times if on_ms < at_ms < off_ms]
    assert len([at_ms for at_ms in times if at_ms <= on_ms]) > 300
    assert len([at_ms for at_ms in times if at_ms >= off_ms]) > 500


def test_nobody_who_waited_is_lost_or_expired(shop: WatchedShop) -> None:
    decisions = shop.world.emitted(Decision)
    held = {each.candidate_id for each in decisions if each.outcome == "held_by_silence"}
    final = {each.candidate_id: each.outcome for each in decisions if each.candidate_id in held}
    assert len(held) > 400
    assert shop.world.total("decisions", "outcome=held_by_silence") == len(held)
    assert set(final.values()) == {"sent"}
    assert not [each for each in decisions if each.outcome == "expired"]
    assert shop.world.total("candidates_unaccounted") == 0


def test_a_flow_that_does_not_rely_on_orders_goes_on_all_the_time(shop: WatchedShop) -> None:
    times = sent(shop, ["welcome"])
    assert len([at_ms for at_ms in times if STOPPED_MS + HOUR_MS < at_ms < AGAIN_MS]) >= 20


def test_the_night_after_holds_nothing(shop: WatchedShop) -> None:
    holds = len(shop.watch.holds)
    shop.live([], CLOSED_MS, DAY + DAY_MS + 7 * HOUR_MS)
    assert len(shop.watch.holds) == holds


def test_the_end_of_a_replay_holds_nothing() -> None:
    shop = WatchedShop(flows=[CART, BROWSE], clock="marks")
    live(shop.watch, {ORDERS: always(RATE)}, MONDAY_MS, DAY, np.random.default_rng(SEED), HOUR_MS)
    shop.live([an_add(DAY, user="1", source="web")], DAY, DAY + 6 * HOUR_MS)
    assert (shop.watch.holds, len(sent(shop))) == ([], 1)
