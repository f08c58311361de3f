"""The detector of hourly KPIs on generated shops."""

from __future__ import annotations

import random
from math import isfinite, pi, sin
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest

from schemas.journal import RULES
from schemas.limits import LONG_MAX
from streams.insights import pot
from streams.insights.anomalies import WARMUP_HOURS, Hour, observe
from streams.insights.detector import Detector
from streams.insights.fold import open_anomalies
from tests.support.insights import DAY_MS, HOUR_MS, a_partition, at, counts, facts, fold_to_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from schemas.insights import Anomaly

UTC = ZoneInfo("UTC")
MONDAY = at("2024-01-01T00:00")
SEEDS = range(20)


def usual(hour: int, base: float = 60.0) -> float:
    """Orders expected of an hour: more by day than by night, most at weekends."""
    weekend = 1.3 if hour // 24 % 7 >= 5 else 1.0
    return base * (1 + 0.6 * sin((hour % 24 - 9) / 12 * pi)) * weekend + 3


def never(_hour: int) -> float:
    return 1.0


def a_shop(seed: int, days: int, factor: Callable[[int], float] = never, base: float = 60.0) -> list[int]:
    chance = np.random.default_rng(seed)
    return [int(chance.poisson(usual(hour, base) * factor(hour))) for hour in range(24 * days)]


def found(series: list[int], kpi: str = "orders") -> list[Anomaly]:
    detector, anomalies = Detector(), []
    for hour, value in enumerate(series):
        detector, anomaly = observe(detector, Hour(kpi, MONDAY + hour * HOUR_MS, float(value)), UTC, RULES)
        if anomaly is not None:
            anomalies.append(anomaly)
    return anomalies


def raised(anomalies: list[Anomaly]) -> list[int]:
    return [(one.start_ms - MONDAY) // HOUR_MS for one in anomalies if one.status == "raised"]


def test_twenty_ordinary_shops_raise_hardly_an_alarm() -> None:
    alarms = {seed: raised(found(a_shop(seed, 21))) for seed in SEEDS}
    assert sum(len(hours) for hours in alarms.values()) <= 2, alarms


@pytest.mark.parametrize("seed", SEEDS)
def test_some_hours_at_a_tenth_are_found_once_and_end(seed: int) -> None:
    first, last = 15 * 24 + 10, 15 * 24 + 14
    anomalies = found(a_shop(seed, 21, lambda hour: 0.1 if first <= hour <= last else 1.0))
    assert raised(anomalies) == [first]
    begun, ended = anomalies
    assert (begun.direction, begun.status, ended.status) == ("low", "raised", "cleared")
    assert begun.anomaly_id == ended.anomaly_id
    assert begun.start_ms == ended.start_ms
    assert begun.score > 1
    assert begun.observed < begun.expected / 3
    assert last * HOUR_MS < ended.time_ms - MONDAY <= (last + 24) * HOUR_MS


def test_a_rush_is_found_too() -> None:
    first = 15 * 24 + 12
    anomalies = found(a_shop(3, 18, lambda hour: 3.0 if first <= hour < first + 3 else 1.0))
    assert raised(anomalies) == [first]
    assert anomalies[0].direction == "high"


def test_nothing_is_raised_in_the_first_week() -> None:
    anomalies = found(a_shop(4, 7, lambda hour: 0.0 if 100 <= hour < 110 else 1.0))
    assert not anomalies


@pytest.mark.parametrize("factor", [0.3, 2.0])
def test_a_change_that_stays_is_raised_once_and_becomes_normal(factor: float) -> None:
    anomalies = found(a_shop(5, 60, lambda hour: factor if hour >= 20 * 24 + 10 else 1.0))
    assert 1 <= len(raised(anomalies)) <= 2
    assert anomalies[-1].status == "cleared"
    assert (anomalies[-1].time_ms - MONDAY) // DAY_MS < 20 + 15


def test_an_incident_does_not_teach_the_detector_that_it_is_normal() -> None:
    def twice(hour: int) -> float:
        return 0.1 if hour % (7 * 24) in range(10, 15) and hour > 14 * 24 else 1.0

    assert len(raised(found(a_shop(6, 35, twice)))) == 3


def test_a_shop_that_sells_nothing_at_all_raises_nothing() -> None:
    assert not found([0] * 24 * 30)


def test_a_shop_of_few_orders_raises_hardly_an_alarm() -> None:
    alarms = {seed: raised(found(a_shop(seed, 21, base=5))) for seed in SEEDS}
    assert sum(len(hours) for hours in alarms.values()) <= 2, alarms


def test_the_alarm_threshold_is_the_quantile_of_the_tail() -> None:
    alarms = [pot.started(np.random.default_rng(seed).exponential(1.0, 2_000).tolist()).alarm for seed in SEEDS]
    # an exponential is above 9.2 once in 10,000
    assert 8.5 < float(np.mean(alarms)) < 10


def test_a_bounded_tail_alarms_no_lower_than_is_worth_anyones_attention() -> None:
    assert pot.started(np.linspace(-1, 1, 500).tolist()).alarm == pot.ALARM_MIN


def test_the_fold_watches_hours_as_they_close_and_knows_what_is_open() -> None:
    state = a_partition()
    first = 15 * 24 + 10
    series = a_shop(7, 16, lambda hour: 0.1 if hour >= first else 1.0)[: first + 2]
    anomalies = []
    for hour, orders in enumerate(series):
        start = MONDAY + hour * HOUR_MS
        given = counts(start, orders=orders, revenue_minor=orders * 2_500) if orders else ()
        anomalies += fold_to_end(state, facts(*given, to=start + HOUR_MS)).anomalies
    assert [(one.kpi, one.start_ms) for one in anomalies] == [
        ("orders", MONDAY + first * HOUR_MS),
        ("revenue_minor", MONDAY + first * HOUR_MS),
    ]
    assert open_anomalies(state) == anomalies
    assert len({one.anomaly_id for one in anomalies}) == 2
    assert len(series) > WARMUP_HOURS


@pytest.mark.parametrize("seed", range(5))
def test_sums_of_any_size_leave_finite_numbers_in_state_and_anomalies(seed: int) -> None:
    """A number that is not finite would be null in JSON, and no reader takes that for a number."""
    chance = random.Random(seed)
    sizes = (0, 1, 10**14, LONG_MAX, 10**31, -1, -(10**31))
    detector, told = Detector(), []
    for hour in range(900):
        value = float(chance.choice(sizes[:2] if chance.random() < 0.5 else sizes))
        detector, anomaly = observe(detector, Hour("revenue_minor", MONDAY + hour * HOUR_MS, value), UTC, RULES)
        told += [] if anomaly is None else [anomaly]
    assert detector.season is not None
    assert b"null" not in msgspec.json.encode(told)
    assert all(isfinite(number) for number in _numbers(msgspec.to_builtins(detector)))


def _numbers(value: object) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _numbers(each)
