"""An anomaly is over when what it is about is normal again: in large and small shops, day by day or by the hour."""

from __future__ import annotations

from itertools import product
from math import pi, sin
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import pytest

from schemas.insights import Count
from schemas.journal import RULES, Configured
from streams.insights.anomalies import INCIDENT_HOURS_MAX
from streams.insights.fold import configured, open_anomalies
from streams.settings import DomainSettings, Expected, FlowState
from tests.support.files import real_file
from tests.support.flows import a_flow
from tests.support.insights import DAY_MS, HOUR_MS, a_partition, at, counts, facts, fold_to_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from schemas.insights import Anomaly

    Shop = Callable[[int], float]
    """Orders expected in an hour since a Monday."""

pytestmark = pytest.mark.acceptance

MONDAY = at("2024-01-01T00:00")
DAYS = 40
FIRST_DAY = 22
"""Of the incident: a Tuesday."""
OPEN_FROM, OPEN_TO = 9, 18


def open_always(base: float) -> Shop:
    return lambda hour: base * (1 + 0.6 * sin((hour % 24 - 9) / 12 * pi)) * (1.3 if hour // 24 % 7 >= 5 else 1.0)


def open_on_weekdays(base: float) -> Shop:
    return lambda hour: base if OPEN_FROM <= hour % 24 < OPEN_TO and hour // 24 % 7 < 5 else 0.0


SHOPS = {
    "large": open_always(60),
    "small": open_always(8),
    "large, with closing hours": open_on_weekdays(60),
    "small, with closing hours": open_on_weekdays(8),
    "three orders an hour, with closing hours": open_on_weekdays(3),
}
INCIDENTS = {
    "nothing for five hours": (5, 0.0),
    "a tenth for twelve hours": (12, 0.1),
    "nothing for three days": (72, 0.0),
    "four times as much for five hours": (5, 4.0),
}


class Lasted(NamedTuple):
    """An anomaly in hours since the Monday; the end of the series, if it is still open then."""

    kpi: str
    begin: int
    end: int


def lasted(anomalies: Iterable[Anomaly], hours: int, monday_ms: int = MONDAY) -> list[Lasted]:
    found: dict[str, Lasted] = {}
    for one in anomalies:
        begin, end = ((time_ms - monday_ms) // HOUR_MS for time_ms in (one.start_ms, one.time_ms))
        found[one.anomaly_id] = Lasted(one.kpi, begin, hours if one.status == "raised" else end)
    return list(found.values())


def watched(orders: Sequence[int], revenue_minor: Sequence[int], monday_ms: int = MONDAY) -> list[Anomaly]:
    """What insights say while the hours of whole days close."""
    state, anomalies = a_partition(), []
    for day in range(0, len(orders), 24):
        hours = range(day, min(day + 24, len(orders)))
        starts_ms = [monday_ms + hour * HOUR_MS for hour in hours]
        given = [
            count
            for hour, start_ms in zip(hours, starts_ms, strict=True)
            for count in counts(start_ms, orders=orders[hour], revenue_minor=revenue_minor[hour])
        ]
        anomalies += fold_to_end(state, facts(*given, to=starts_ms[-1] + HOUR_MS)).anomalies
    return anomalies


@pytest.mark.parametrize("incident", INCIDENTS)
def test_an_incident_of_hours_or_days_is_over_soon_after_the_shop_is_normal(incident: str, seed: int) -> None:
    """It is open while nothing is normal, and then at most for four days and a weekend.

    A day is the rule. The smallest shop, whose expectation falls in three days without orders, takes the longest.
    """
    hours, factor = INCIDENTS[incident]
    first = FIRST_DAY * 24 + OPEN_FROM + 1
    last = first + hours - 1
    found = dict.fromkeys(SHOPS, 0)
    for (name, shop), number in product(SHOPS.items(), range(4)):
        chance = np.random.default_rng([seed, number])
        series = [
            int(chance.poisson(shop(hour) * (factor if first <= hour <= last else 1.0))) for hour in range(24 * DAYS)
        ]
        revenue = [int(chance.lognormal(8, 0.7, orders).sum()) for orders in series]
        for one in lasted(watched(series, revenue), len(series)):
            is_it = first <= one.begin <= last
            found[name] += is_it
            assert one.end <= (last if is_it else one.begin) + 96 + 48, (name, number, one)
            assert not is_it or one.end > last, (name, number, one)
    # of four shops with two KPIs each; in small ones chance may hide it
    assert found["large"] >= 4, found


def test_no_incident_of_online_retail_outlasts_the_days_on_which_the_shop_is_closed() -> None:
    lines = pd.read_csv(real_file("online_retail/2010-12_2011-06.csv.gz"), parse_dates=["InvoiceDate"])
    lines = lines[~lines["InvoiceNo"].astype(str).str.startswith("C")]
    lines["hour"] = lines["InvoiceDate"].dt.floor("h")
    hours = pd.date_range("2010-12-01", lines["hour"].max(), freq="h")
    orders = lines.groupby("InvoiceNo")["hour"].first().value_counts().reindex(hours, fill_value=0)
    revenue = (lines["Quantity"] * lines["UnitPrice"]).groupby(lines["hour"]).sum().reindex(hours, fill_value=0)
    begin_ms = int(hours[0].timestamp() * 1000)
    pence = (revenue * 100).round().astype(int).clip(lower=0)
    found = lasted(watched(orders.tolist(), pence.tolist(), begin_ms), len(hours), begin_ms)
    assert len(found) > 10
    open_hours = [int(orders.iloc[one.begin + 1 : one.end].gt(0).sum()) for one in found]
    # a day or two, beside the nights, Saturdays, Christmas and Easter, when nobody orders
    assert max(open_hours) <= 20, [each for each in zip(found, open_hours, strict=True) if each[1] > 20]


def test_what_lasts_is_normal_after_two_weeks(seed: int) -> None:
    chance, shop, first = np.random.default_rng(seed), open_always(60), 10 * 24
    series = [int(chance.poisson(shop(hour) * (0.05 if hour >= first else 1.0))) for hour in range(24 * DAYS)]
    found = lasted(watched(series, series), len(series))
    assert found
    assert all(one.end - one.begin < INCIDENT_HOURS_MAX for one in found)


def test_a_flows_messages_are_over_their_anomaly_on_the_first_day_in_range() -> None:
    state, flow = a_partition(), a_flow(version=1)
    expected = FlowState(expected=Expected(per_day=100, deviation=5))
    domain = DomainSettings(journal_partitions=1, grace_ms=0, flows=(flow,), flow_states={flow["id"]: expected})
    configured(state, Configured(domain.model_dump_json(), 0, RULES))
    anomalies = []
    for day, messages in enumerate((0, 100, 300, 0, 110, 95)):
        start_ms = MONDAY + day * DAY_MS
        sent = Count("messages", start_ms, f"flow={flow['id']}", messages)
        anomalies += fold_to_end(state, facts(sent, to=start_ms + DAY_MS)).anomalies
    assert [(one.status, one.time_ms) for one in anomalies] == [
        ("raised", MONDAY + 2 * DAY_MS),
        ("cleared", MONDAY + 4 * DAY_MS),
    ]
    assert not open_anomalies(state)
