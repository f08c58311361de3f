"""Fire watch: the messages of a flow published of late, day by day, against what its backtest expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schemas.insights import Anomaly, Count
from schemas.journal import Configured
from streams.insights.fires import DAYS
from streams.insights.fold import configured, open_anomalies
from streams.insights.state import InsightCodec
from streams.settings import DomainSettings, Expected, FlowState
from tests.support.flows import a_flow
from tests.support.insights import DAY_MS, a_partition, at, facts, fold_to_end

if TYPE_CHECKING:
    from state.overlay import Overlay

MONDAY = at("2024-01-01T00:00")
"""The day of the publication."""
REGULAR = Expected(per_day=100, deviation=5)
"""Less than by chance: a Poisson process of this rate has 10."""


def published(version: int = 1, expected: Expected | None = REGULAR, **state: Any) -> Configured:
    flow, state_ = a_flow(version=version), FlowState(expected=expected, **state)
    domain = DomainSettings(journal_partitions=1, grace_ms=0, flows=(flow,), flow_states={"abandoned_cart": state_})
    return Configured(domain.model_dump_json(), 0)


def a_watch(expected: Expected = REGULAR) -> Overlay[Any]:
    state = a_partition()
    configured(state, published(expected=expected))
    return state


def days(state: Overlay[Any], *messages: int, since: int = 0) -> list[Anomaly]:
    """What is told while days with so many messages close; `since` days after the publication."""
    told: list[Anomaly] = []
    for number, count in enumerate(messages, since):
        day_ms = MONDAY + number * DAY_MS
        sent = Count("messages", day_ms, "flow=abandoned_cart", count)
        others = Count("messages", day_ms, "flow=another", 5_000)
        told += fold_to_end(state, facts(sent, others, to=day_ms + DAY_MS)).anomalies
    return told


def test_a_day_far_off_is_an_anomaly_until_one_is_in_range() -> None:
    state = a_watch()
    assert days(state, 7, 100, 129, 71) == []
    (raised,) = days(state, 131, 140, since=4)
    assert (raised.kpi, raised.by) == ("messages", "flow=abandoned_cart")
    assert (raised.status, raised.direction) == ("raised", "high")
    assert (raised.observed, raised.expected) == (131, 100)
    assert raised.score == pytest.approx(31 / 30)
    assert raised.start_ms == MONDAY + 4 * DAY_MS
    assert open_anomalies(state) == [raised]
    (cleared,) = days(state, 99, since=6)
    assert (cleared.anomaly_id, cleared.status, cleared.observed) == (raised.anomaly_id, "cleared", 99)
    assert open_anomalies(state) == []


def test_a_flow_that_falls_silent_is_told() -> None:
    state = a_watch()
    days(state, 50, 100)
    (raised,) = fold_to_end(state, facts(to=MONDAY + 3 * DAY_MS)).anomalies
    assert (raised.direction, raised.observed) == ("low", 0)


def test_an_irregular_flow_may_be_further_off() -> None:
    assert days(a_watch(Expected(per_day=100, deviation=40)), 50, 219, 0) == []
    assert len(days(a_watch(Expected(per_day=100, deviation=40)), 50, 221)) == 1


def test_after_two_weeks_nobody_watches_and_nothing_stays_open() -> None:
    state = a_watch()
    days(state, *[100] * DAYS)
    raised, cleared = days(state, 0, since=DAYS)
    assert (raised.status, cleared.status) == ("raised", "cleared")
    assert days(state, 0, 0, since=DAYS + 1) == []


def test_another_version_ends_the_watch_of_the_one_before() -> None:
    state = a_watch()
    days(state, 50, 0)
    configured(state, published(2, expected=None))
    (cleared,) = days(state, 0, since=2)
    assert cleared.status == "cleared"
    assert days(state, 0, 0, since=3) == []


def test_another_version_is_watched_by_its_own_expectation() -> None:
    state = a_watch()
    days(state, 50, 0)
    configured(state, published(2, Expected(per_day=500, deviation=5)))
    assert [item.status for item in days(state, 300, 500, 100, since=2)] == ["cleared", "raised"]


def test_days_in_a_pause_are_not_judged() -> None:
    state = a_watch()
    days(state, 50, 100)
    configured(state, published(paused_ms=1))
    assert days(state, 0, 0, since=2) == []
    configured(state, published())
    assert len(days(state, 0, since=4)) == 1


def test_what_is_watched_survives_being_written_down() -> None:
    state = a_watch()
    days(state, 50, 0)
    codec = InsightCodec()
    for key, framed in state.freeze():
        assert framed is None or codec.decode(key, framed) == state.get(key)
