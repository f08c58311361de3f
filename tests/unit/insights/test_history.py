"""Where the shop's history begins, as each tick says."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.insights import Count, Facts
from schemas.journal import RULES, Configured
from schemas.limits import TIME_MS_MIN
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.insights.fold import configured
from streams.insights.history import HISTORY, History, with_counts
from streams.insights.state import InsightCodec
from streams.settings import DomainSettings
from tests.support.insights import DAY_MS, HOUR_MS, WEEK_MS, a_partition, at, counts, facts, fold_to_end, ticks_of

MONDAY = at("2024-01-01T00:00")


def first_events(state: Overlay[Any], *records: Facts) -> list[int]:
    return [tick.first_event_ms for tick in ticks_of([fold_to_end(state, record) for record in records])]


def events(hour_ms: int, value: int = 1) -> tuple[Count, ...]:
    return counts(hour_ms, touchpoints=value)


def under(rules: int, state: Overlay[Any] | None = None) -> Overlay[Any]:
    state = state or Overlay(MemoryStore(), InsightCodec())
    settings = DomainSettings(journal_partitions=1, grace_ms=0)
    configured(state, Configured(settings.model_dump_json(), 0, rules))
    return state


def test_a_tick_says_the_hour_of_the_earliest_event() -> None:
    state = a_partition()
    found = first_events(
        state,
        facts(*events(MONDAY + 5 * HOUR_MS), *events(MONDAY + 3 * HOUR_MS), to=MONDAY + 6 * HOUR_MS),
        facts(*events(MONDAY + DAY_MS), to=MONDAY + WEEK_MS),
    )
    assert found == [MONDAY + 3 * HOUR_MS]


def test_what_is_imported_later_makes_the_history_longer_and_nothing_makes_it_shorter() -> None:
    state = a_partition()
    found = first_events(
        state,
        facts(*events(MONDAY + HOUR_MS), to=MONDAY + WEEK_MS),
        facts(*events(MONDAY - 365 * DAY_MS)),
        facts(*events(MONDAY + 8 * DAY_MS), to=MONDAY + 2 * WEEK_MS),
        facts(*events(MONDAY + 15 * DAY_MS), to=MONDAY + 3 * WEEK_MS),
    )
    assert found == [MONDAY + HOUR_MS, MONDAY - 365 * DAY_MS, MONDAY - 365 * DAY_MS]


def test_the_order_of_facts_does_not_matter() -> None:
    hours = [MONDAY + number * HOUR_MS for number in (7, 2, 30, 2, 11)]
    for order in (hours, hours[::-1], sorted(hours)):
        held = None
        for hour_ms in order:
            held = with_counts(held, events(hour_ms))
        assert held == History(MONDAY + 2 * HOUR_MS)


def test_a_shop_without_events_has_no_history_however_long_it_runs() -> None:
    state = a_partition()
    stocks = Count("customers_ordered", 0, "", 3)
    corrected = (*events(MONDAY, value=-1), *counts(MONDAY, messages=1, orders=1))
    assert first_events(state, facts(stocks, *corrected, to=MONDAY + HOUR_MS), facts(to=MONDAY + 2 * WEEK_MS)) == [0, 0]


def test_hours_that_no_release_of_ours_counts_are_no_history() -> None:
    state = a_partition()
    bad = (*events(MONDAY + 1), *events(TIME_MS_MIN - HOUR_MS), *events(-HOUR_MS))
    assert first_events(state, facts(*bad, *events(MONDAY), to=MONDAY + 1), facts(to=MONDAY + WEEK_MS)) == [MONDAY]


@pytest.mark.parametrize("rules", [1, 2])
def test_under_earlier_rules_ticks_say_nothing_and_nothing_is_stored(rules: int) -> None:
    state = under(rules)
    assert first_events(state, facts(*events(MONDAY), to=MONDAY + 1), facts(to=MONDAY + WEEK_MS)) == [0]
    assert state.get(HISTORY) is None


@pytest.mark.parametrize("rules", [1, 2])
def test_when_rules_rise_history_begins_where_the_partitions_first_spoke_of_time(rules: int) -> None:
    state = under(rules)
    fold_to_end(state, facts(*counts(MONDAY, touchpoints=1, orders=1), to=MONDAY + HOUR_MS + 1))
    fold_to_end(state, facts(*events(MONDAY + 80 * DAY_MS), to=MONDAY + 80 * DAY_MS))
    under(RULES, state)
    assert state.get(HISTORY) == History(MONDAY + HOUR_MS)
    found = first_events(state, facts(*events(MONDAY + 81 * DAY_MS), to=MONDAY + 12 * WEEK_MS))
    assert found == [MONDAY + HOUR_MS]
    under(RULES, state)
    assert state.get(HISTORY) == History(MONDAY + HOUR_MS)


def test_a_prefix_without_events_has_no_history_when_rules_rise() -> None:
    state = under(2)
    fold_to_end(state, facts(to=MONDAY + HOUR_MS))
    under(RULES, state)
    assert state.get(HISTORY) is None
