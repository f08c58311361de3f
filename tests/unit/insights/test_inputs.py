"""Silence: what published flows rely on has stopped coming in, by the rate of the weeks before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schemas.insights import Anomaly, Count
from schemas.journal import Configured
from streams.flows.language.mistakes import parse_flow
from streams.flows.language.relying import relied_on
from streams.insights.fold import configured, open_anomalies
from streams.insights.state import InsightCodec
from streams.settings import DomainSettings
from tests.support.flows import TEN, a_flow
from tests.support.insights import HOUR_MS, WEEK_MS, a_partition, at, facts, fold_to_end
from tests.support.world import START_MS, World, a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from state.overlay import Overlay

MONDAY = at("2024-01-01T00:00")
WEEK_HOURS = WEEK_MS // HOUR_MS
HOURLY = 5
"""Orders in each hour; the flow relies on them and on what is put into carts."""


def published(*flows: dict[str, Any]) -> Configured:
    return Configured(DomainSettings(journal_partitions=1, grace_ms=0, flows=flows).model_dump_json(), 0)


def hours(state: Overlay[Any], first: int, last: int, orders: int = HOURLY, adds: int = 1) -> list[Anomaly]:
    """What is told while these hours after Monday close, with so many of each in every one."""
    told: list[Anomaly] = []
    for number in range(first, last):
        hour_ms = MONDAY + number * HOUR_MS
        came = [
            Count("flow_inputs", hour_ms, f"type={name}", count)
            for name, count in (("order_completed", orders), ("product_added", adds))
            if count
        ]
        told += fold_to_end(state, facts(*came, to=hour_ms + HOUR_MS)).anomalies
    return told


@pytest.fixture
def state() -> Overlay[Any]:
    """Two weeks of orders."""
    state = a_partition()
    configured(state, published(a_flow()))
    assert hours(state, 0, 2 * WEEK_HOURS) == []
    return state


def test_a_type_of_which_twenty_were_due_and_none_came_is_told_until_one_comes(state: Overlay[Any]) -> None:
    begin = 2 * WEEK_HOURS
    assert hours(state, begin, begin + 3, orders=0) == []
    (raised,) = hours(state, begin + 3, begin + 30, orders=0)
    assert (raised.kpi, raised.by, raised.status) == ("flow_inputs", "type=order_completed", "raised")
    assert (raised.observed, raised.expected, raised.direction) == (0, 20, "low")
    assert (raised.start_ms, raised.time_ms) == (MONDAY + begin * HOUR_MS, MONDAY + (begin + 3) * HOUR_MS)
    assert open_anomalies(state) == [raised]
    (cleared,) = hours(state, begin + 30, begin + 40, orders=2)
    assert (cleared.anomaly_id, cleared.status, cleared.observed) == (raised.anomaly_id, "cleared", 2)
    assert open_anomalies(state) == []


def test_one_that_comes_begins_the_count_anew(state: Overlay[Any]) -> None:
    begin = 2 * WEEK_HOURS
    for number in range(10):
        hour = begin + 4 * number
        assert hours(state, hour, hour + 3, orders=0) == []
        assert hours(state, hour + 3, hour + 4, orders=1) == []


def test_a_night_in_which_nothing_ever_comes_is_no_silence() -> None:
    state = a_partition()
    configured(state, published(a_flow()))
    for day in range(21):
        assert hours(state, 24 * day, 24 * day + 10, orders=0) == []
        assert hours(state, 24 * day + 10, 24 * day + 24, orders=50) == []


def test_a_sale_a_week_ago_is_no_measure(state: Overlay[Any]) -> None:
    begin = 2 * WEEK_HOURS
    assert hours(state, begin, begin + WEEK_HOURS, orders=5_000) == []
    assert hours(state, begin + WEEK_HOURS, begin + WEEK_HOURS + 3, orders=0) == []
    assert len(hours(state, begin + WEEK_HOURS + 3, begin + WEEK_HOURS + 4, orders=0)) == 1


def test_in_its_first_two_weeks_nothing_is_due() -> None:
    state = a_partition()
    configured(state, published(a_flow()))
    assert hours(state, 0, 10) == []
    assert hours(state, 10, 2 * WEEK_HOURS, orders=0) == []


def test_a_rare_type_is_left_in_peace_for_long(state: Overlay[Any]) -> None:
    begin = 2 * WEEK_HOURS
    assert hours(state, begin, begin + 19, adds=0) == []
    assert [told.by for told in hours(state, begin + 19, begin + 20, adds=0)] == ["type=product_added"]


def test_what_no_flow_relies_on_any_more_is_over(state: Overlay[Any]) -> None:
    begin = 2 * WEEK_HOURS
    assert len(hours(state, begin, begin + 10, orders=0)) == 1
    configured(state, published())
    (cleared,) = hours(state, begin + 10, begin + 50, orders=0, adds=0)
    assert cleared.status == "cleared"
    assert open_anomalies(state) == []


def test_hours_that_close_at_once_are_judged_as_one_by_one(state: Overlay[Any]) -> None:
    to_ms = MONDAY + (2 * WEEK_HOURS + 6) * HOUR_MS
    told = fold_to_end(state, facts(to=to_ms)).anomalies
    assert [(one.by, one.expected) for one in told] == [("type=order_completed", 20)]


def test_what_is_silent_survives_being_written_down(state: Overlay[Any]) -> None:
    hours(state, 2 * WEEK_HOURS, 2 * WEEK_HOURS + 6, orders=0)
    codec = InsightCodec()
    for key, framed in state.freeze():
        assert framed is None or codec.decode(key, framed) == state.get(key)


def test_the_fold_counts_what_flows_rely_on_by_type() -> None:
    world = World(flows=[a_flow()])
    world.send(an_add(START_MS), an_add(START_MS, event_id="twice"), an_add(START_MS, event_id="twice"))
    world.send(an_order(START_MS + 1), a_touchpoint("ticket_opened", START_MS + 2))
    counted = {by: count for (name, _, by), count in world.counts.items() if name == "flow_inputs"}
    assert counted == {"type=product_added": 2, "type=order_completed": 1}


@pytest.mark.parametrize("stated", [None, ["product_added", "order_completed", "ticket_opened"]])
def test_a_document_and_the_flow_that_is_read_from_it_rely_on_the_same(stated: list[str] | None) -> None:
    ours = a_flow(**({} if stated is None else {"relies_on": stated}))
    for document in (*TEN, ours):
        assert relied_on(document) == parse_flow(document, "flow").relied_on
