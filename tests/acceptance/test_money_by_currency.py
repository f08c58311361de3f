"""Money of four currencies never adds up: KPIs, spend, ledger and metrics are those of pandas, for guests too."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import pytest

from schemas.insights import Count
from schemas.outputs import Credit, ProfileView
from schemas.touchpoint import Marketing, Order, Spend
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import Observer, known_labels
from tests.support.insights import a_partition, facts, final, fold_to_end
from tests.support.metrics import value
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_touchpoint

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint

pytestmark = pytest.mark.acceptance

OWN = "EUR"
CURRENCIES = (OWN, "USD", "GBP", "JPY")
CHANNELS = ("email", "ads", "x,currency=USD")
DIRECT, UNATTRIBUTED = "direct", "unattributed_refund"
ORDERS, CUSTOMERS, DAYS = 400, 60, 12
IN_MS = START_MS + 30 * DAY_MS
"""When the first touchpoint comes in, in whatever order they do."""


class Story(NamedTuple):
    """What happened, as rows for pandas, and as touchpoints in the order in which they come in."""

    orders: pd.DataFrame
    """By order: customer (none: a guest), currency, total, channel, day."""
    changes: pd.DataFrame
    """In order of time: order, refund (0: a cancellation), cancels, day."""
    touchpoints: list[Touchpoint]


def a_story(seed: int) -> Story:
    chance = Random(seed)
    orders, changes, touchpoints = [], [], []
    for number in range(ORDERS):
        order_id, currency = f"o{number}", chance.choice(CURRENCIES)
        total, user = chance.randrange(1, 90_000), chance.choice((None, f"c{chance.randrange(CUSTOMERS)}"))
        channel = chance.choice((*CHANNELS, None)) if user is None else chance.choice(CHANNELS)
        time_ms = START_MS + chance.randrange(DAYS * DAY_MS)
        orders.append((order_id, user, currency, total, channel or DIRECT, time_ms // DAY_MS))
        given = {"order": Order(order_id, currency, total), "channel": channel}
        campaign = Marketing(campaign_id=order_id)
        touchpoints += [
            a_touchpoint("order_completed", time_ms, user, marketing=campaign, **given)
            for _ in range(chance.choice((1, 1, 1, 2)))
        ]
        for _ in range(chance.choice((0, 0, 1, 2, 3))):
            time_ms += chance.randrange(1, 3 * DAY_MS)
            cancels = chance.random() < 0.3
            refund = 0 if cancels else chance.randrange(1, total + 2)
            changes.append((time_ms, order_id, refund, cancels, time_ms // DAY_MS))
            kind = "order_cancelled" if cancels else "order_refunded"
            touchpoints.append(a_touchpoint(kind, time_ms, user, order=Order(order_id, currency, refund)))
    chance.shuffle(touchpoints)
    by_order = pd.DataFrame(orders, columns=["order", "customer", "currency", "total", "channel", "day"])
    in_time = pd.DataFrame(sorted(changes), columns=["time", "order", "refund", "cancels", "day"])
    return Story(by_order.set_index("order"), in_time, touchpoints)


class Batch(NamedTuple):
    """What a story comes to."""

    orders: pd.DataFrame
    """As in the story, with `back`: the money that went back, and `left`: what the order is worth."""
    back: pd.DataFrame
    """By change: currency, day, and the money that went back by it."""


def batch_of(story: Story) -> Batch:
    """A refund gives money back, a cancellation all that was not; what was refunded beyond the order is gone too."""
    changes = story.changes.join(story.orders[["total", "currency"]], on="order")
    by_order = changes.groupby("order")
    refunded, is_cancelled = by_order["refund"].cumsum(), by_order["cancels"].cummax()
    changes["sum"] = refunded.where(~is_cancelled, refunded.clip(lower=changes["total"]))
    changes["back"] = changes["sum"] - changes.groupby("order")["sum"].shift(fill_value=0)
    orders = story.orders.copy()
    orders["back"] = changes.groupby("order")["back"].sum().reindex(orders.index, fill_value=0)
    orders["left"] = (orders["total"] - orders["back"]).clip(lower=0)
    return Batch(orders, changes)


def played(story: Story) -> World:
    world = World(reporting_currency=OWN)
    for number, event in enumerate(story.touchpoints):
        world.send(event, received_ms=IN_MS + number)
    world.pass_time(IN_MS + DAY_MS)
    return world


def test_kpis_and_average_orders_by_currency_are_those_of_pandas(seed: int) -> None:
    story = a_story(seed)
    world, batch = played(story), batch_of(story)
    counts = [Count(name, hour_ms, by, number) for (name, hour_ms, by), number in world.counts.items() if hour_ms]
    kpis = final(fold_to_end(a_partition(), facts(*counts, to=START_MS + 40 * DAY_MS)).kpis)
    for currency in CURRENCIES:
        by = "" if currency == OWN else f"currency={currency}"
        mine = batch.orders[batch.orders["currency"] == currency]
        back = batch.back[batch.back["currency"] == currency].groupby("day")["back"].sum()
        revenue, number = mine.groupby("day")["total"].sum(), mine.groupby("day")["total"].size()
        days = range(START_MS // DAY_MS, START_MS // DAY_MS + 40)

        def of_days(name: str, by: str = by, days: range = days) -> list[tuple[int, int]]:
            return [kpis.get((name, "day", day * DAY_MS, by), (0, 1)) for day in days]

        wanted = revenue.reindex(days, fill_value=0).astype(int).tolist()
        assert [minor for minor, _ in of_days("revenue_minor")] == wanted
        assert [minor for minor, _ in of_days("refunds_minor")] == back.reindex(days, fill_value=0).astype(int).tolist()
        average = dict(zip(days, of_days("aov_minor"), strict=True))
        assert {day: average[day] for day in number.index} == {
            day: (int(revenue[day]), int(number[day])) for day in number.index
        }
        if currency != OWN:
            assert {day: kpis["orders", "day", day * DAY_MS, by][0] for day in number.index} == number.to_dict()
    everything = batch.orders.groupby("day")["total"].size()
    assert {day: kpis["orders", "day", day * DAY_MS, ""][0] for day in everything.index} == everything.to_dict()


def test_a_customers_spend_is_what_they_paid_in_the_shops_currency_and_did_not_get_back(seed: int) -> None:
    story = a_story(seed)
    world, orders = played(story), batch_of(story).orders
    views = {view.customer: view for view in world.emitted(ProfileView)}
    known = orders.dropna(subset="customer")
    customers = "u:" + known["customer"]
    counting = (known["left"] > 0).groupby(customers).sum()
    paid = (known["total"] - known["back"]).where(known["currency"] == OWN, 0).groupby(customers).sum()
    # without an order that counts a customer has no score, and so no spend to show
    paid = paid.where(counting > 0, 0)
    assert {customer: view.orders for customer, view in views.items()} == counting.to_dict()
    assert {customer: view.monetary_minor for customer, view in views.items()} == paid.to_dict()
    assert (known["back"] > known["total"]).any()


def test_ledger_and_metrics_by_currency_are_those_of_pandas_and_guests_are_in_them(seed: int) -> None:
    story = a_story(seed)
    world, orders = played(story), batch_of(story).orders
    metrics = Metrics()
    Observer(metrics, known_labels(world.settings, flows=(), reasons={})).observe_committed(world.emitted(Credit))
    ledger: Counter[tuple[str, str, str]] = Counter()
    of_guests: Counter[tuple[str, str, str]] = Counter()
    for row in world.emitted(Credit):
        ledger[row.model, row.currency, row.channel] += row.amount_minor
        if row.customer.startswith("o:"):
            of_guests[row.model, row.currency, row.channel] += row.amount_minor
    for model in ("last", "linear"):
        assert _of(of_guests, model) == _credited(orders[orders["customer"].isna()])
        for currency in CURRENCIES:
            mine = orders[orders["currency"] == currency]
            sums = {channel: minor for (its, channel), minor in _of(ledger, model).items() if its == currency}
            assert sum(sums.values()) == (mine["total"] - mine["back"]).sum()
            for channel, minor in sums.items():
                labels = {"model": model, "channel": channel, "currency": currency}
                credited, reversed_ = (
                    value(metrics, f"{name}_minor_total", **labels) or 0 for name in ("credited", "reversed")
                )
                assert credited - reversed_ == minor
    assert _of(ledger, "last") == _credited(orders)


@pytest.mark.parametrize(
    ("changes", "spent", "back"),
    [
        ((("order_refunded", 3_000),), 17_000, 3_000),
        ((("order_refunded", 12_500),), 7_500, 12_500),
        ((("order_refunded", 8_000), ("order_refunded", 8_000)), 4_000, 16_000),
        ((("order_cancelled", 0), ("order_refunded", 10_000)), 10_000, 10_000),
        ((("order_refunded", 10_000), ("order_cancelled", 10_000)), 10_000, 10_000),
        ((("order_cancelled", 10_000), ("order_refunded", 12_500)), 7_500, 12_500),
        ((("order_refunded", 12_500), ("order_completed", 10_000)), 17_500, 2_500),
    ],
)
def test_what_goes_back_beyond_an_order_lowers_the_spend_and_money_for_a_cancellation_goes_back_once(
    changes: tuple[tuple[str, int], ...], spent: int, back: int
) -> None:
    """Of two orders of 100.00 one is changed."""
    world = World(reporting_currency=OWN)
    story = (("order_completed", 10_000), *changes)
    events = [
        a_touchpoint(kind, START_MS + number * HOUR_MS, order=Order("o1", OWN, minor))
        for number, (kind, minor) in enumerate(story)
    ]
    events.append(a_touchpoint("order_completed", START_MS, order=Order("o2", OWN, 10_000)))
    world.send(*reversed(events), received_ms=IN_MS)
    assert world.emitted(ProfileView)[-1].monetary_minor == spent
    assert world.total("refunds_minor") == back
    assert sum(row.amount_minor for row in world.emitted(Credit) if row.model == "last") == spent


def test_facts_of_credit_and_spend_name_the_currency_whatever_a_channel_is_called() -> None:
    world = World(reporting_currency=OWN)
    odd = "x,currency=USD"
    for number, (user, currency) in enumerate((("1", OWN), (None, OWN), ("1", "USD"))):
        order = Order(f"o{number}", currency, 1_000 + number)
        world.send(a_touchpoint("order_completed", START_MS + number * HOUR_MS, user, order=order, channel=odd))
    for currency, minor in ((OWN, 70), ("USD", 30)):
        spend = Spend(currency, minor)
        world.send(a_touchpoint("spend_recorded", START_MS, None, spend=spend, channel=odd))
    assert world.total("credited_minor", f"model=last,channel={odd}") == 1_000 + 1_001
    assert world.total("credited_minor", f"model=last,currency=USD,channel={odd}") == 1_002
    assert world.total("spend_minor", f"channel={odd}") == 70
    assert world.total("spend_minor", f"currency=USD,channel={odd}") == 30


def _of(sums: Counter[tuple[str, str, str]], model: str) -> dict[tuple[str, str], int]:
    return {(currency, channel): minor for (its, currency, channel), minor in sums.items() if its == model and minor}


def _credited(orders: pd.DataFrame) -> dict[tuple[str, str], int]:
    """By currency and channel: an order's own channel has what it is worth; nothing has what went back beyond."""
    found: dict[Any, Any] = orders.groupby(["currency", "channel"])["left"].sum().to_dict()
    beyond = (orders["total"] - orders["back"]).clip(upper=0).groupby(orders["currency"]).sum()
    found |= {(currency, UNATTRIBUTED): minor for currency, minor in beyond.items()}
    return {key: int(minor) for key, minor in found.items() if minor}
