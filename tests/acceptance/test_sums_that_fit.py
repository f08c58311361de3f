"""Orders of the largest amount, more than a 64-bit number can add up, stop nobody and falsify no other KPI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.insights import Count, Facts, Kpi
from schemas.limits import LONG_MAX, MINOR_MAX
from schemas.touchpoint import Order, Touchpoint
from schemas.wire import SINGLE_OBJECT
from streams.processors.pieces import pieces
from tests.adversary.pipeline import TOPICS, Most, Pipeline
from tests.support.insights import DAY_MS, HOUR_MS, a_partition, at, counts, facts, final, fold_to_end

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.engine.batch import Output

pytestmark = pytest.mark.acceptance

MONDAY = at("2024-01-01T00:00")
HOSTILE_HOUR = MONDAY + HOUR_MS
ORDERS = LONG_MAX // MINOR_MAX + 1_000


class Shop(Pipeline):
    """Keeps the KPIs that come out."""

    def __init__(self) -> None:
        self.kpis: list[Kpi] = []
        super().__init__(Most(), clock="marks", grace_ms=0)

    def order(self, number: int, time_ms: int, total_minor: int, currency: str = "EUR") -> None:
        """Send an order of one of 1,000 customers."""
        order = Order(order_id=f"order-{number}", currency=currency, total_minor=total_minor)
        event = Touchpoint(
            type="order_completed", event_id=f"{number}", time_ms=time_ms, user_id=str(number % 1_000), order=order
        )
        self.send("order", SINGLE_OBJECT.encode(event), time_ms)

    def _take(self, outputs: list[Output]) -> None:
        self.kpis += [SINGLE_OBJECT.decode(each.value or b"") for each in outputs if each.topic == TOPICS.kpis]
        super()._take(outputs)


def by_name(kpis: Iterable[Kpi], start_ms: int, grain: str = "hour") -> dict[tuple[str, str], Kpi]:
    """Return the last record of each KPI of a window."""
    window = [kpi for kpi in kpis if (kpi.grain, kpi.start_ms) == (grain, start_ms)]
    return {(kpi.name, kpi.by): kpi for kpi in sorted(window, key=lambda kpi: kpi.revision)}


def test_an_hour_of_orders_beyond_a_long_is_marked_and_every_other_kpi_is_exact() -> None:
    shop = Shop()
    shop.pass_time(MONDAY)
    shop.order(-1, MONDAY, 700)
    for number in range(ORDERS):
        shop.order(number, HOSTILE_HOUR + number % HOUR_MS, MINOR_MAX)
    shop.order(-2, HOSTILE_HOUR, 900, "USD")
    shop.order(-3, HOSTILE_HOUR + HOUR_MS, 500)
    shop.pass_time(HOSTILE_HOUR + 2 * HOUR_MS)
    shop.pass_time(MONDAY + DAY_MS)
    assert shop.letters == {}

    hostile = by_name(shop.kpis, HOSTILE_HOUR)
    revenue, aov = hostile["revenue_minor", ""], hostile["aov_minor", ""]
    assert (revenue.numerator, revenue.value) == (LONG_MAX, float(ORDERS * MINOR_MAX))
    assert (aov.numerator, aov.denominator) == (LONG_MAX, ORDERS)
    assert aov.value == pytest.approx(MINOR_MAX, rel=1e-4)
    assert hostile["orders", ""].numerator == ORDERS + 1
    assert hostile["revenue_minor", "currency=USD"].numerator == 900
    day = by_name(shop.kpis, MONDAY, "day")
    assert day["revenue_minor", ""].value == float(ORDERS * MINOR_MAX + 1_200)
    assert day["orders", ""].numerator == ORDERS + 3
    for hour_ms, minor in ((MONDAY, 700), (HOSTILE_HOUR + HOUR_MS, 500)):
        calm = by_name(shop.kpis, hour_ms)
        assert (calm["revenue_minor", ""].numerator, calm["revenue_minor", ""].value) == (minor, minor)
        assert calm["aov_minor", ""].numerator == minor

    shop.order(-4, HOSTILE_HOUR, 1)
    shop.commit()
    assert by_name(shop.kpis, HOSTILE_HOUR)["orders", ""].numerator == ORDERS + 2


@pytest.mark.parametrize("orders", [9_400, 10**6, 10**9])
def test_sums_of_any_number_of_such_orders_are_exact_in_whatever_pieces_they_come(orders: int) -> None:
    state = a_partition()
    total = orders * MINOR_MAX
    bought = pieces(0, None, {("revenue_minor", MONDAY, ""): total, ("orders", MONDAY, ""): orders}, [])
    corrected = pieces(0, None, {("revenue_minor", MONDAY, ""): 42 - total}, [])
    for record in bought:
        fold_to_end(state, SINGLE_OBJECT.decode(SINGLE_OBJECT.encode(record)))
    told = final(fold_to_end(state, facts(*counts(MONDAY + HOUR_MS, orders=1), to=MONDAY + 2 * HOUR_MS)).kpis)
    assert told["orders", "hour", MONDAY, ""] == (orders, 1)
    assert told["revenue_minor", "hour", MONDAY, ""] == (min(total, LONG_MAX), 1)
    assert told["orders", "hour", MONDAY + HOUR_MS, ""] == (1, 1)
    read = [SINGLE_OBJECT.decode(SINGLE_OBJECT.encode(record)) for record in corrected]
    last = final(kpi for record in read for kpi in fold_to_end(state, record).kpis)
    assert last["revenue_minor", "hour", MONDAY, ""] == (42, 1)


def test_longs_at_their_limits_from_a_foreign_hand_stop_nothing() -> None:
    state = a_partition()
    given = tuple(
        Count(name, hour_ms, by, LONG_MAX)
        for name, by in (("orders", ""), ("sessions", ""), ("flow_inputs", "type=order_completed"), ("customers", ""))
        for hour_ms in (0, MONDAY)
        for _ in range(50)
    )
    effects = fold_to_end(state, Facts(0, MONDAY + 20 * DAY_MS, given))
    assert final(effects.kpis)["orders", "hour", MONDAY, ""] == (LONG_MAX, 1)
    assert effects.beyond_long
    fold_to_end(state, Facts(0, MONDAY + 40 * DAY_MS))
    state.freeze()
