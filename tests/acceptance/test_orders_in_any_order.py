"""Orders, repeats, refunds, cancellations and restorations give one end state, in whatever order they come in.

In each history a customer puts articles into the cart, clicks advertisements and orders. Once everything comes in when
it happens. Then the events of orders come in late, or as an import at the end.

What an order is worth, whether it counts, the facts and the ledger never depend on that. What carts and candidates are
left with depends on it in one case. An event that only echoes an earlier one of its order is taken for the first of
its kind until that comes in: a checkout page that is opened again, or a second cancellation. So where carts and
candidates are compared, an echo comes in after what it echoes. Messages are due after the end of each history, as one
that was sent before a late order came in stays sent.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest
from msgspec.structs import replace

from schemas.touchpoint import Marketing, Order, Product, Touchpoint
from streams.profiles.order_changes import change_of, state_of
from streams.profiles.orders import mean_gap_ms, window_sums
from streams.profiles.view import view
from tests.support.flows import a_flow
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, World

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.profiles.profile import Profile

pytestmark = pytest.mark.acceptance

END_MS = START_MS + 20 * DAY_MS
"""By then all has happened. What comes in later does so before a cart ends, as one that has ended stays ended."""
FLOWS = (
    a_flow(wait={"for": "60d", "restarts": True}),
    a_flow(
        id="review",
        entry={"event": "order_completed"},
        goal={"event": "email_clicked", "window": "7d"},
        exits=["order_refunded", "order_cancelled"],
        needs={},
        wait={"for": "60d", "restarts": True},
    ),
)
FACTS = {"orders", "revenue_minor", "refunds", "refunds_minor", "new_customers", "credited_minor"}


class History(NamedTuple):
    """What a customer did."""

    visits: tuple[Touchpoint, ...]
    """What always comes in when it happens."""
    orders: tuple[tuple[Touchpoint, ...], ...]
    """Of each order its events, in order of time."""


class Arrival(NamedTuple):
    """When an event comes in; of several at one time, that with the least number first."""

    received_ms: int
    number: int
    event: Touchpoint


def a_history(random: Random) -> History:
    """What a customer does in 20 days. Times are whole hours, so that some are equal."""
    visits = [_a_visit(random, number) for number in range(random.randrange(8))]
    orders = [_an_order(random, f"o{number}") for number in range(random.randrange(1, 5))]
    return History(tuple(visits), tuple(orders))


def _a_visit(random: Random, number: int) -> Touchpoint:
    time_ms, event_id = START_MS + random.randrange(19 * 24) * HOUR_MS, f"visit {number}"
    if random.random() < 0.3:
        clicked = Marketing(campaign_id=random.choice(("spring", None)))
        channel = random.choice(("ads", "search"))
        return Touchpoint(event_id, "ad_clicked", time_ms, user_id="1", channel=channel, marketing=clicked)
    kind = random.choice(("product_added", "product_added", "product_added", "product_removed"))
    product = Product(sku=random.choice(("mug", "cup")), price_minor=900, quantity=random.randrange(1, 3))
    return Touchpoint(event_id, kind, time_ms, user_id="1", products=(product,))


def _an_order(random: Random, order_id: str) -> tuple[Touchpoint, ...]:
    """A completion, and what follows it."""
    currency, total_minor = random.choice(("EUR", "EUR", "EUR", "USD")), random.choice((0, 2_000, 5_000))
    time_ms = START_MS + random.randrange(13 * 24) * HOUR_MS
    events = []
    for number in range(random.choice((1, 1, 2, 3, 4, 5))):
        kind = "order_completed" if not number else random.choice(KINDS)
        minor = total_minor
        if kind == "order_refunded":
            minor = random.choice((500, 1_500, total_minor))
        elif kind == "order_cancelled":
            minor = random.choice((0, total_minor))
        channel = random.choice((None, None, "cpc")) if kind == "order_completed" else None
        order = Order(order_id, currency, minor)
        events.append(Touchpoint(f"{order_id} {number}", kind, time_ms, user_id="1", order=order, channel=channel))
        time_ms += random.randrange(1, 36) * HOUR_MS
    return tuple(events)


KINDS = ("order_completed", "order_refunded", "order_refunded", "order_cancelled")


def on_time(history: History) -> list[Arrival]:
    """Every event comes in when it happens."""
    events = [*history.visits, *(event for order in history.orders for event in order)]
    return _in_order(Arrival(event.time_ms, number, event) for number, event in enumerate(events))


def late(history: History, random: Random, *, echoes_overtake: bool) -> list[Arrival]:
    """Events of orders come in late, or all at the end as an import does."""
    arrivals = [Arrival(event.time_ms, number, event) for number, event in enumerate(history.visits)]
    is_import = random.random() < 0.3
    for events in history.orders:
        first = 1 + _echoes_from(events)
        received: list[int] = []
        for number, event in enumerate(events):
            from_ms = END_MS if is_import else event.time_ms
            received_ms = from_ms + random.choice((0, 1, random.randrange(8 * 24))) * HOUR_MS
            if number >= first and not echoes_overtake:
                received_ms = max(received_ms, *received) + MINUTE_MS
            received.append(received_ms)
        arrivals += [
            Arrival(received_ms, random.randrange(1 << 30), event)
            for received_ms, event in zip(received, events, strict=True)
        ]
    return _in_order(arrivals)


def _echoes_from(events: Sequence[Touchpoint]) -> int:
    """How many events after the completion take back what is left of it; the others only echo, or follow those."""
    for number, event in enumerate(events):
        state = state_of(tuple([change for each in events[: number + 1] if (change := change_of(each, "EUR"))]))
        assert state is not None
        if number and event.type == "order_completed":
            return number - 1
        if not state.counts or not state.left_minor:
            return number
    return len(events)


def _in_order(arrivals: Iterable[Arrival]) -> list[Arrival]:
    return sorted(arrivals, key=lambda each: each[:2])


def lived(arrivals: Iterable[Arrival]) -> World:
    """The shop after all came in, when the customer looks at a page again."""
    world = World(flows=FLOWS, entry_age_max_ms=400 * DAY_MS)
    for received_ms, _, event in arrivals:
        world.send(event, received_ms=received_ms)
    last = Touchpoint("last", "page_viewed", END_MS + 20 * DAY_MS, user_id="1")
    world.send(last)
    return world


def profile_of(world: World) -> Profile:
    profile = world.profile("u:1")
    assert profile is not None
    return profile


def orders_of(world: World) -> dict[str, Any]:
    """What the customer's orders are worth: the public profile, what segments are made of, and the ledger."""
    profile = profile_of(world)
    shown = msgspec.structs.asdict(view("u:1", profile))
    return {
        **{name: value for name, value in shown.items() if name not in {"scored_ms", "devices"}},
        "orders": profile.orders,
        "changes": profile.changes,
        "sums": window_sums(profile, profile.clock_ms, 730 * DAY_MS),
        "gap": mean_gap_ms(profile),
        "facts": {key: value for key, value in world.counts.items() if key[0] in FACTS and value},
        "credit": world.credit("order_id", "model", "channel", "touch_id", "currency"),
    }


def by_device_and_user(arrivals: Sequence[Arrival], random: Random, *, echoes_overtake: bool) -> list[Arrival]:
    """The same as of a device whose owner logs in at some time: what comes in until then may be of either."""
    login = random.randrange(len(arrivals) + 1)
    of_device: dict[str, bool] = {}
    split = []
    for each in arrivals:
        event = each.event
        # a profile cannot know an echo of what is in the other one
        apart = event.event_id if echoes_overtake or event.order is None else event.order.order_id
        if of_device.setdefault(apart, random.random() < 0.5):
            event = replace(event, user_id=None, anonymous_id="phone")
        split.append(each._replace(event=event))
    login_ms = split[login - 1].received_ms if login else START_MS
    logged_in = Touchpoint("login", "page_viewed", login_ms, user_id="1", anonymous_id="phone")
    return [*split[:login], Arrival(login_ms, 0, logged_in), *split[login:]]


def cart_of(world: World) -> dict[str, int]:
    cart = profile_of(world).cart
    return {} if cart is None else {item.sku: item.quantity for item in cart.items}


def waiting_in(world: World) -> set[tuple[str, str, int]]:
    """The flows that the customer is in, with the step and when it is due."""
    return {(run.flow_id, run.step, run.due_ms) for run in profile_of(world).runs}


def _histories(seed: int, count: int) -> Iterable[tuple[History, Random]]:
    for number in range(count):
        random = Random(f"{seed} {number}")
        yield a_history(random), random


def _assert_orders_end_alike(seed: int, count: int) -> None:
    for history, random in _histories(seed, count):
        expected = orders_of(lived(on_time(history)))
        assert orders_of(lived(late(history, random, echoes_overtake=True))) == expected


def _assert_merges_end_alike(seed: int, count: int) -> None:
    for history, random in _histories(seed, count):
        expected = lived(on_time(history))
        arrivals = late(history, random, echoes_overtake=True)
        assert orders_of(lived(by_device_and_user(arrivals, random, echoes_overtake=True))) == orders_of(expected)
        arrivals = late(history, random, echoes_overtake=False)
        merged = lived(by_device_and_user(arrivals, random, echoes_overtake=False))
        assert waiting_in(merged) == waiting_in(expected)
        if all(event.type != "product_removed" for event in history.visits):
            # an article that was put in here and taken out there is in the united cart; quantities are not added up
            assert cart_of(merged).keys() == cart_of(expected).keys()


def _assert_carts_and_candidates_end_alike(seed: int, count: int) -> None:
    kept = 0
    for history, random in _histories(seed, count):
        expected = lived(on_time(history))
        world = lived(late(history, random, echoes_overtake=False))
        assert cart_of(world) == cart_of(expected)
        assert waiting_in(world) == waiting_in(expected)
        kept += bool(cart_of(world) and waiting_in(world))
    assert kept > count // 20


def test_what_orders_are_worth_does_not_depend_on_their_order_of_arrival(seed: int) -> None:
    _assert_orders_end_alike(seed, 300)


def test_only_what_is_new_and_newer_acts_on_carts_and_candidates(seed: int) -> None:
    _assert_carts_and_candidates_end_alike(seed, 300)


def test_orders_of_a_device_and_its_user_end_as_those_of_one_customer(seed: int) -> None:
    _assert_merges_end_alike(seed, 300)


@pytest.mark.slow
def test_what_thousands_of_orders_are_worth_does_not_depend_on_their_order_of_arrival(seed: int) -> None:
    _assert_orders_end_alike(seed, 2_000)


@pytest.mark.slow
def test_only_what_is_new_and_newer_acts_in_thousands_of_histories(seed: int) -> None:
    _assert_carts_and_candidates_end_alike(seed, 2_000)


@pytest.mark.slow
def test_orders_of_thousands_of_devices_and_users_end_as_those_of_one_customer(seed: int) -> None:
    _assert_merges_end_alike(seed, 2_000)
