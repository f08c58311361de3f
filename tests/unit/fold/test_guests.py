"""Keys without a public profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.journal import RULES_3, RULES_4
from schemas.outputs import ProfileView
from schemas.touchpoint import Order
from streams.fold.guests import GUEST_KEPT_MS
from streams.fold.owning import ENTRY_KEPT_MS
from tests.support.world import DAY_MS, START_MS, World, a_touchpoint

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint


def an_event(
    kind: str, at_ms: int, total_minor: int = 5_000, currency: str = "EUR", channel: str | None = None
) -> Touchpoint:
    order = Order("g", currency, total_minor)
    return a_touchpoint(kind, at_ms, None, order=order, channel=channel)


def ledger(world: World, model: str = "last") -> dict[tuple[str, str], int]:
    """By currency and channel."""
    return world.credit("currency", "channel", model=model)


def test_a_guests_order_is_credited_to_its_own_touch() -> None:
    world = World()
    world.send(an_event("order_completed", START_MS, channel="ads"))
    assert ledger(world) == ledger(world, "linear") == {("EUR", "ads"): 5_000}
    assert not world.emitted(ProfileView)
    assert world.total("guest_orders") == 1
    assert world.total("new_customers") == 0


def test_without_a_touch_it_is_direct_until_the_browser_tells_of_one() -> None:
    world = World()
    world.send(an_event("order_completed", START_MS))
    assert ledger(world) == {("EUR", "direct"): 5_000}
    world.send(an_event("order_completed", START_MS, channel="ads"))
    assert ledger(world) == {("EUR", "ads"): 5_000}
    assert (world.total("orders"), world.total("orders_repeated"), world.total("guest_orders")) == (1, 1, 1)


@pytest.mark.parametrize("currency", ["EUR", "USD"])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_what_a_guest_gets_back_leaves_the_ledger_in_any_order_of_arrival(
    order: tuple[int, ...], currency: str
) -> None:
    world, by = World(), "" if currency == "EUR" else f"currency={currency}"
    events = (
        an_event("order_completed", START_MS, 5_000, currency, "ads"),
        an_event("order_refunded", START_MS + DAY_MS, 1_000, currency),
        an_event("order_cancelled", START_MS + 2 * DAY_MS, 0, currency),
    )
    world.send(*[events[number] for number in order], received_ms=START_MS + 3 * DAY_MS)
    assert ledger(world) == {}
    assert (world.total("revenue_minor", by), world.total("refunds_minor", by)) == (5_000, 5_000)
    assert world.total("orders", by) == 1


@pytest.mark.parametrize(("rules", "kept_ms"), [(RULES_3, GUEST_KEPT_MS), (RULES_4, ENTRY_KEPT_MS)])
def test_a_refund_after_the_guest_is_forgotten_is_unattributed(rules: int, kept_ms: int) -> None:
    world = World(rules=rules)
    world.send(an_event("order_completed", START_MS, channel="ads"))
    world.pass_time(START_MS + kept_ms + DAY_MS)
    assert world.profile("o:g") is None
    world.send(an_event("order_refunded", START_MS + kept_ms + 2 * DAY_MS, 2_000))
    assert ledger(world) == {("EUR", "ads"): 5_000, ("EUR", "unattributed_refund"): -2_000}
