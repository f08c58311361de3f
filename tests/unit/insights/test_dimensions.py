"""Values of dimensions are kept apart, so many of them, and the others are added up."""

from __future__ import annotations

import random
from itertools import islice, product
from string import ascii_uppercase

import pytest

from schemas.insights import Count
from schemas.limits import CURRENCIES_MAX, DIMENSION_BYTES_MAX, FACTS_BYTES_MAX, FLOWS_MAX, LONG_MIN
from schemas.wire import SINGLE_OBJECT
from streams.insights.dimensions import STOCK_VALUES_MAX, STOCKS, added_to_stocks, added_to_window
from streams.insights.effects import UNKNOWN
from streams.insights.state import InsightCodec, Window, hour_key
from streams.offline.refold import refold
from tests.support.insights import DAY_MS, HOUR_MS, a_partition, at, counts, facts, final, fold_all, fold_to_end
from tests.support.same_bytes import JOURNAL, read_partitions

MONDAY = at("2024-01-01T00:00")
CURRENCIES = ["".join(letters) for letters in islice(product(ascii_uppercase, repeat=3), 1_000)]
BY_CURRENCY = ("orders", "revenue_minor", "refunds_minor")


def revenue(currency: str, value: int, hour_ms: int = MONDAY) -> Count:
    return Count("revenue_minor", hour_ms, f"currency={currency}", value)


def test_as_many_currencies_as_there_are_keep_their_own_sums() -> None:
    state = a_partition()
    given = [revenue(currency, 1) for currency in CURRENCIES[:CURRENCIES_MAX]]
    told = final(fold_to_end(state, facts(*given, to=MONDAY + HOUR_MS)).kpis)
    assert {value for (_, _, _, by), value in told.items() if by} == {(1, 1)}
    assert sum(bool(by) for _, _, _, by in told) == CURRENCIES_MAX


@pytest.mark.parametrize("seed", range(5))
def test_whatever_the_order_kept_sums_are_exact_and_the_rest_is_other(seed: int) -> None:
    chance = random.Random(seed)
    given = [revenue(currency, chance.randrange(1, 1_000)) for currency in CURRENCIES for _ in range(3)]
    exact: dict[str, int] = {}
    for count in given:
        exact[count.by] = exact.get(count.by, 0) + count.value
    runs = []
    for _ in range(3):
        chance.shuffle(given)
        parts = [facts(*given[start : start + 100]) for start in range(0, len(given), 100)]
        ends = [facts(to=MONDAY + HOUR_MS)]
        late = chance.randrange(len(parts) + 1)
        effects = fold_all(a_partition(), [*parts[:late], *ends, *parts[late:]])
        last = final(kpi for one in effects for kpi in one.kpis)
        hour = {by: value for (name, grain, _, by), (value, _) in last.items() if grain == "hour" and by and value}
        assert len(hour) == CURRENCIES_MAX + 1
        other = hour.pop("currency=other")
        assert hour == {by: exact[by] for by in hour}
        assert other == sum(value for by, value in exact.items() if by not in hour)
        runs.append((hour, other))
    assert runs[0] == runs[1] == runs[2]


def test_hostile_currencies_do_not_take_the_place_of_any_other_sum() -> None:
    state = a_partition()
    fold_to_end(state, facts(*(revenue(currency, 1) for currency in CURRENCIES)))
    told = fold_to_end(state, facts(*counts(MONDAY, orders=2, revenue_minor=9, sessions=3), to=MONDAY + HOUR_MS))
    last = final(told.kpis)
    assert last["orders", "hour", MONDAY, ""] == (2, 1)
    assert last["aov_minor", "hour", MONDAY, ""] == (9, 2)
    assert last["sessions", "hour", MONDAY, ""] == (3, 1)


def test_a_currency_that_was_published_and_has_no_place_any_more_is_corrected_to_nothing() -> None:
    state = a_partition()
    before = final(
        fold_to_end(state, facts(*(revenue(each, 1) for each in CURRENCIES[:CURRENCIES_MAX]), to=MONDAY + DAY_MS)).kpis
    )
    after = final(fold_to_end(state, facts(*(revenue(each, 1) for each in CURRENCIES[CURRENCIES_MAX:]))).kpis)
    gone = [key for key, value in after.items() if value == (0, 1) and key in before]
    assert gone
    last = before | after
    for grain in ("hour", "day"):
        assert sum(value for (_, each, _, by), (value, _) in last.items() if each == grain and by) == len(CURRENCIES)


def test_a_value_that_is_too_long_is_other() -> None:
    added = added_to_window({}, {f"messages|flow={'x' * DIMENSION_BYTES_MAX}": 3, "messages|flow=welcome": 1})
    assert added.counts == {"messages|flow=other": 3, "messages|flow=welcome": 1}


def test_a_dimension_or_name_that_nothing_counts_is_left_out() -> None:
    state = a_partition()
    strange = [Count("orders", MONDAY, "colour=red", 5), Count("gold", 0, "", 5), Count("customers", 0, "", 5)]
    effects = fold_to_end(state, facts(*strange, *counts(MONDAY, orders=1), to=MONDAY + HOUR_MS))
    assert effects.left_out[UNKNOWN] == 3
    assert effects.stocks == {}
    assert final(effects.kpis)["orders", "hour", MONDAY, ""] == (1, 1)


def test_the_largest_window_fits_a_record() -> None:
    names = [f"messages|flow={index:0>{DIMENSION_BYTES_MAX - 5}}" for index in range(2 * FLOWS_MAX)]
    names += [f"{name}|currency={each}" for name in BY_CURRENCY for each in CURRENCIES]
    added = added_to_window({}, dict.fromkeys(names, LONG_MIN))
    state = a_partition()
    keys = [key.split("|") for key in added.counts]
    given = [Count(name, MONDAY, by, LONG_MIN) for name, by in keys]
    fold_to_end(state, facts(*given, to=MONDAY + DAY_MS))
    fold_to_end(state, facts(*given))
    window = state.get(hour_key(MONDAY))
    assert isinstance(window, Window)
    assert len(window.counts) == FLOWS_MAX + 3 * CURRENCIES_MAX + 4
    assert len(InsightCodec().encode(b"", window)) < FACTS_BYTES_MAX


def test_stocks_are_bounded_too() -> None:
    added = added_to_stocks({}, {f"customers|cluster={at}": 1 for at in range(3 * FLOWS_MAX)})
    assert len(added.counts) == FLOWS_MAX + 1
    assert added.counts["customers|cluster=other"] == 2 * FLOWS_MAX


def test_every_stock_that_the_fold_counts_is_known() -> None:
    named: set[tuple[str, str]] = set()
    for messages in read_partitions(JOURNAL).values():
        sums = refold(messages, SINGLE_OBJECT).sums.counts
        named |= {(name, by.partition("=")[0]) for name, hour_ms, by in sums if not hour_ms}
    assert {name for name, dimension in named if not dimension} <= STOCKS
    assert {f"{name}|{dimension}" for name, dimension in named if dimension} <= STOCK_VALUES_MAX.keys()
    assert len(named) > 8
