"""Hours and days close once, in order, and are corrected afterwards."""

from __future__ import annotations

import random
from typing import Any

import pytest

from schemas.insights import Count, Facts
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.insights.effects import TOO_OLD
from streams.insights.fold import FactsRefused, stocks
from streams.insights.state import InsightCodec, hour_key
from streams.insights.windows import KEPT_MS
from tests.support.insights import (
    DAY_MS,
    HOUR_MS,
    a_partition,
    a_row,
    at,
    counts,
    facts,
    final,
    fold_all,
    fold_to_end,
    kpis_of,
)

MONDAY = at("2024-01-01T00:00")


def test_an_hour_closes_when_every_partition_has_passed_its_end_and_the_grace() -> None:
    state = a_partition(journal_partitions=2, grace_ms=HOUR_MS)
    end = MONDAY + HOUR_MS
    effects = fold_all(
        state,
        [
            facts(*counts(MONDAY, orders=2, revenue_minor=500), to=end + HOUR_MS),
            facts(partition=1, to=end - 2 + HOUR_MS),
            facts(partition=1, to=end - 1 + HOUR_MS),
        ],
    )
    assert not effects[0].kpis
    assert not effects[1].kpis
    (revenue,) = kpis_of(effects[2:], "revenue_minor")
    assert (revenue.start_ms, revenue.numerator, revenue.denominator, revenue.value) == (MONDAY, 500, 1, 500.0)
    (aov,) = kpis_of(effects[2:], "aov_minor")
    assert (aov.numerator, aov.denominator, aov.value, aov.revision) == (500, 2, 250.0, 0)


def test_nothing_closes_before_every_partition_has_spoken() -> None:
    state = a_partition(journal_partitions=2)
    assert not fold_to_end(state, facts(*counts(MONDAY, orders=1), to=MONDAY + DAY_MS)).kpis
    assert not fold_to_end(state, facts(*counts(MONDAY, orders=1), partition=1)).kpis
    effects = fold_to_end(state, facts(partition=1, to=MONDAY + HOUR_MS))
    assert kpis_of([effects], "orders")[0].numerator == 2


def test_rates_are_fractions_and_have_no_value_without_a_denominator() -> None:
    state = a_partition()
    given = counts(MONDAY, sessions=40, sessions_ordered=3, carts_opened=10, carts_ordered=3, refunds_minor=7)
    effects = fold_all(state, [facts(*given, *counts(MONDAY + HOUR_MS, sessions=1), to=MONDAY + 2 * HOUR_MS)])
    conversion = kpis_of(effects, "conversion_rate")[0]
    assert (conversion.numerator, conversion.denominator, conversion.value) == (3, 40, 0.075)
    abandonment, empty = kpis_of(effects, "cart_abandonment_rate")
    assert (abandonment.numerator, abandonment.denominator, abandonment.value) == (7, 10, 0.7)
    assert (empty.denominator, empty.value) == (0, None)
    assert kpis_of(effects, "aov_minor")[0].value is None


def test_hours_without_facts_are_told_too() -> None:
    state = a_partition()
    effects = fold_all(
        state, [facts(*counts(MONDAY, orders=4), *counts(MONDAY + 3 * HOUR_MS, orders=1), to=MONDAY + 5 * HOUR_MS)]
    )
    assert [kpi.numerator for kpi in kpis_of(effects, "orders")] == [4, 0, 0, 1, 0]


def test_the_first_hour_is_the_first_with_facts_in_whatever_order_they_come() -> None:
    state = a_partition(journal_partitions=2)
    effects = fold_all(
        state,
        [
            facts(to=MONDAY - DAY_MS),
            facts(*counts(MONDAY + HOUR_MS, orders=2), partition=1, to=MONDAY + 2 * HOUR_MS),
            facts(*counts(MONDAY, orders=1), to=MONDAY + 2 * HOUR_MS),
        ],
    )
    assert [(kpi.start_ms, kpi.numerator) for kpi in kpis_of(effects, "orders")] == [
        (MONDAY, 1),
        (MONDAY + HOUR_MS, 2),
    ]


def test_later_facts_correct_what_they_change_and_nothing_else() -> None:
    state = a_partition()
    fold_to_end(state, facts(*counts(MONDAY, orders=1, revenue_minor=900, sessions=5), to=MONDAY + DAY_MS))
    effects = fold_to_end(state, facts(*counts(MONDAY, revenue_minor=-900, refunds_minor=900)))
    told = {(kpi.name, kpi.grain): (kpi.numerator, kpi.revision) for kpi in effects.kpis}
    assert told == {
        (name, grain): (value, 1)
        for grain in ("hour", "day")
        for name, value in (("revenue_minor", 0), ("aov_minor", 0), ("refunds_minor", 900))
    }
    assert effects.corrections == 6
    again = fold_to_end(state, facts(*counts(MONDAY, orders=0), *counts(MONDAY, revenue_minor=5)))
    assert {kpi.revision for kpi in again.kpis} == {2}
    assert "orders" not in {kpi.name for kpi in again.kpis}


def test_an_hour_before_the_first_that_closed_is_told_for_the_first_time() -> None:
    state = a_partition()
    fold_to_end(state, facts(*counts(MONDAY, orders=1), to=MONDAY + HOUR_MS))
    effects = fold_to_end(state, facts(*counts(MONDAY - 5 * DAY_MS, orders=1)))
    assert {kpi.revision for kpi in effects.kpis} == {0}
    assert effects.corrections == 0


def test_corrections_beyond_the_bound_are_counted_not_lost_in_silence() -> None:
    state = a_partition()
    late = MONDAY + KEPT_MS + 2 * HOUR_MS
    fold_to_end(state, facts(*counts(MONDAY, orders=1), to=late))
    effects = fold_to_end(state, facts(*counts(MONDAY, orders=1, sessions=1)))
    assert not effects.kpis
    assert effects.left_out[TOO_OLD] == 2
    assert state.get(hour_key(MONDAY)) is None
    still = fold_to_end(state, facts(*counts(MONDAY + 2 * HOUR_MS, orders=1)))
    assert kpis_of([still], "orders")[0].revision == 1


def test_a_shop_without_facts_is_told_of_for_five_weeks_then_passed_over() -> None:
    state = a_partition()
    back = MONDAY + 3 * KEPT_MS
    effects = fold_all(
        state, [facts(*counts(MONDAY, orders=1), to=MONDAY), facts(*counts(back, orders=1), to=back + HOUR_MS)]
    )
    hours = kpis_of(effects, "orders")
    assert len(hours) == 1 + KEPT_MS // HOUR_MS + 1
    assert hours[-1].start_ms == back


@pytest.mark.parametrize(
    ("day", "hours"), [("2024-03-31", 23), ("2024-06-01", 24), ("2024-10-27", 25)], ids=["spring", "plain", "autumn"]
)
def test_a_day_has_the_hours_of_its_time_zone(day: str, hours: int) -> None:
    start = at(f"{day}T00:00", "Europe/Berlin")
    state = a_partition(reporting_time_zone="Europe/Berlin")
    given = [count for hour in range(-3, 30) for count in counts(start + hour * HOUR_MS, orders=1)]
    before = fold_all(state, [facts(*given, to=start + hours * HOUR_MS - 2)])
    assert start not in {kpi.start_ms for kpi in kpis_of(before, "orders", "day")}
    after = fold_all(state, [facts(to=start + hours * HOUR_MS - 1)])
    (told,) = kpis_of(after, "orders", "day")
    assert (told.start_ms, told.numerator) == (start, hours)


def test_days_add_up_to_their_hours() -> None:
    state = a_partition(reporting_time_zone="America/New_York")
    start = at("2024-03-04T00:00", "America/New_York")
    given = [count for hour in range(14 * 24) for count in counts(start + hour * HOUR_MS, revenue_minor=hour)]
    effects = fold_all(state, [facts(*given, to=start + 20 * DAY_MS)])
    days = kpis_of(effects, "revenue_minor", "day")
    assert sum(kpi.numerator for kpi in days) == sum(range(14 * 24))


def test_revenue_in_another_currency_is_told_by_currency() -> None:
    state = a_partition()
    dollars = Count("revenue_minor", MONDAY, "currency=USD", 700)
    effects = fold_all(state, [facts(*counts(MONDAY, revenue_minor=5), dollars, to=MONDAY + HOUR_MS)])
    assert kpis_of(effects, "revenue_minor", by="currency=USD")[0].numerator == 700
    assert kpis_of(effects, "revenue_minor")[0].numerator == 5


def test_stocks_go_up_and_down() -> None:
    state = a_partition()
    fold_to_end(state, facts(Count("customers", 0, "segment=New", 3)))
    effects = fold_to_end(state, facts(Count("customers", 0, "segment=New", -1), Count("folded", 0, "", 9)))
    assert effects.stocks == {("customers", "segment=New"): 2, ("folded", ""): 9}
    assert stocks(state) == {("customers", "segment=New"): 2, ("folded", ""): 9}


def test_facts_before_the_settings_are_an_error() -> None:
    empty: Overlay[Any] = Overlay(MemoryStore(), InsightCodec())
    with pytest.raises(FactsRefused, match="before the record of settings"):
        fold_to_end(empty, facts())


def test_facts_of_a_partition_that_is_not_there_are_an_error() -> None:
    with pytest.raises(FactsRefused, match="journal partition 4; there are 1"):
        fold_to_end(a_partition(), facts(partition=4))


def _history(chance: random.Random, partitions: int) -> list[list[Facts]]:
    """Three weeks of facts of each partition; each says how far it is complete, and never less than before."""
    series = []
    for partition in range(partitions):
        records, now, told = [], MONDAY, MONDAY
        while now < MONDAY + 21 * DAY_MS:
            step = chance.randrange(HOUR_MS, 20 * HOUR_MS)
            hours = range(-(-now // HOUR_MS), (now + step) // HOUR_MS)
            given = [
                count
                for hour in hours
                for count in counts(hour * HOUR_MS, orders=chance.randrange(5), revenue_minor=chance.randrange(900))
            ]
            panel = [
                a_row(
                    chance.getrandbits(62),
                    chance.randrange(now + 1, now + step + 1),
                    recency_ms=chance.randrange(90 * DAY_MS),
                    orders=chance.randrange(1, 9),
                    monetary_minor=chance.randrange(90_000),
                    gap_ms=chance.randrange(30 * DAY_MS),
                )
                for _ in range(step // HOUR_MS)
            ]
            now += step
            told = now if chance.random() < 0.8 else told
            records.append(facts(*given, to=told, partition=partition, panel=panel))
        records.append(facts(to=MONDAY + 22 * DAY_MS, partition=partition))
        series.append(records)
    return series


def _interleaved(chance: random.Random, series: list[list[Facts]]) -> list[Facts]:
    turns = [index for index, records in enumerate(series) for _ in records]
    chance.shuffle(turns)
    rest = [iter(records) for records in series]
    return [next(rest[index]) for index in turns]


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_facts_across_partitions_does_not_matter(seed: int) -> None:
    chance = random.Random(seed)
    series = _history(chance, 3)
    runs = []
    for _ in range(3):
        state = a_partition(journal_partitions=3, grace_ms=HOUR_MS, reporting_time_zone="Europe/Berlin")
        effects = fold_all(state, _interleaved(chance, series))
        kpis = [kpi for one in effects for kpi in one.kpis]
        assert {kpi.revision for kpi in kpis} == {0}
        assert not any(one.left_out.total() for one in effects)
        runs.append(
            (
                sorted(final(kpis).items()),
                [anomaly for one in effects for anomaly in one.anomalies],
                [model for one in effects for model in one.models],
                [record for one in effects for record in one.broadcast],
            )
        )
        assert len(runs[-1][2]) >= 4
    assert runs[0] == runs[1] == runs[2]
