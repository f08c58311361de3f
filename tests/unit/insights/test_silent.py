"""A series that stops raises an alert and holds flows in the time that its own rate says; nothing else does."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from schemas.journal import RULES_3, SILENCE, Configured
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.insights.arrived import SILENCES, SOURCES, Silences
from streams.insights.fold import configured, fold_record, open_anomalies
from streams.insights.silent import BACK_LONG_MS, BACK_MS
from streams.insights.state import InsightCodec
from streams.settings import DomainSettings
from tests.support.arrivals import (
    DAY_MS,
    MINUTE_MS,
    MONDAY_MS,
    ORDERS,
    VIEWS,
    WEEK_MS,
    Watch,
    always,
    an_arrival,
    live,
    of_kind,
    office_hours,
)
from tests.support.flows import a_flow
from tests.support.insights import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Callable

THREE_WEEKS_MS = MONDAY_MS + 3 * WEEK_MS
HOLDING = a_flow(relies_on={"source": "shop", "types": ["order_completed"]}, on_silence="hold")
SEED = 7


def a_stop(
    *flows: dict[str, object], until_ms: int = THREE_WEEKS_MS + 10 * HOUR_MS
) -> tuple[Watch, np.random.Generator]:
    """Orders came in at 60 an hour of office hours for three weeks and ten hours, and stop; views go on."""
    watch, chance = Watch(flows=flows), np.random.default_rng(SEED)
    live(watch, {ORDERS: office_hours, VIEWS: always(100)}, MONDAY_MS, until_ms, chance)
    assert (watch.anomalies, watch.holds) == ([], [])
    return watch, chance


def test_orders_that_stop_are_told_when_20_were_due_and_flows_that_rely_on_them_hold() -> None:
    other = a_flow(id="welcome", relies_on={"source": "other", "types": ["order_completed"]}, on_silence="hold")
    alerting = a_flow(id="alerting", relies_on={"source": "shop", "types": ["order_completed"]})
    watch, chance = a_stop(HOLDING, other, alerting)
    stop_ms = THREE_WEEKS_MS + 10 * HOUR_MS
    live(watch, {VIEWS: always(100)}, stop_ms, stop_ms + HOUR_MS, chance, MINUTE_MS)
    (raised,), (hold,) = watch.anomalies, watch.holds
    assert (raised.kpi, raised.by, raised.status) == ("silence", "source=shop,type=order_completed", "raised")
    assert stop_ms + 15 * MINUTE_MS < raised.time_ms < stop_ms + 35 * MINUTE_MS
    assert (hold.flow_id, hold.cause, hold.is_on) == ("abandoned_cart", SILENCE, True)
    assert raised.time_ms <= hold.time_ms < raised.time_ms + 2 * MINUTE_MS
    assert re.search(r"no order_completed came from shop, and 2\d were due$", hold.why)
    assert open_anomalies(watch.state)[-1] == raised


def test_a_flow_is_let_go_when_they_have_come_in_as_usual_for_a_quarter_of_an_hour() -> None:
    watch, chance = a_stop(HOLDING)
    stop_ms = THREE_WEEKS_MS + 10 * HOUR_MS
    again_ms = stop_ms + HOUR_MS
    live(watch, {VIEWS: always(100)}, stop_ms, again_ms, chance, MINUTE_MS)
    live(watch, {ORDERS: office_hours, VIEWS: always(100)}, again_ms, again_ms + HOUR_MS, chance, MINUTE_MS)
    assert [each.is_on for each in watch.holds] == [True, False]
    assert BACK_MS <= watch.holds[1].time_ms - again_ms <= BACK_MS + 5 * MINUTE_MS
    assert [each.status for each in watch.anomalies] == ["raised", "cleared"]


def test_a_single_order_lets_no_flow_go_and_some_for_six_hours_do() -> None:
    watch, chance = a_stop(HOLDING, until_ms=THREE_WEEKS_MS + 9 * HOUR_MS)
    stop_ms = THREE_WEEKS_MS + 9 * HOUR_MS
    live(watch, {VIEWS: always(100)}, stop_ms, stop_ms + HOUR_MS, chance, MINUTE_MS)
    watch.hear(an_arrival(stop_ms + HOUR_MS))
    live(watch, {VIEWS: always(100)}, stop_ms + HOUR_MS, stop_ms + 2 * HOUR_MS, chance, MINUTE_MS)
    assert [each.is_on for each in watch.holds] == [True]
    few = {ORDERS: always(24), VIEWS: always(100)}
    live(watch, few, stop_ms + 2 * HOUR_MS, stop_ms + 2 * HOUR_MS + BACK_LONG_MS + HOUR_MS, chance, MINUTE_MS)
    assert [each.is_on for each in watch.holds] == [True, False]
    assert watch.holds[1].time_ms - stop_ms >= BACK_LONG_MS


def test_a_flow_that_no_longer_asks_for_it_is_let_go() -> None:
    watch, chance = a_stop(HOLDING)
    stop_ms = THREE_WEEKS_MS + 10 * HOUR_MS
    live(watch, {VIEWS: always(100)}, stop_ms, stop_ms + HOUR_MS, chance, MINUTE_MS)
    settings = DomainSettings(journal_partitions=1, grace_ms=0, flows=(a_flow(),))
    configured(watch.state, Configured(settings.model_dump_json(), 0, 4))
    live(watch, {VIEWS: always(100)}, stop_ms + HOUR_MS, stop_ms + 2 * HOUR_MS, chance, MINUTE_MS)
    assert [each.is_on for each in watch.holds] == [True, False]
    assert [each.status for each in watch.anomalies] == ["raised"]


def test_a_flow_that_names_no_source_holds_when_a_type_is_silent_in_all_of_them() -> None:
    watch, chance = (
        Watch(flows=[a_flow(relies_on={"types": ["order_completed"]}, on_silence="hold")]),
        np.random.default_rng(1),
    )
    both = {ORDERS: always(20.0), ("app", "order_completed"): always(20.0)}
    live(watch, both, MONDAY_MS, THREE_WEEKS_MS, chance)
    live(watch, {ORDERS: always(20.0)}, THREE_WEEKS_MS, THREE_WEEKS_MS + 6 * HOUR_MS, chance)
    assert ([each.by for each in watch.anomalies], watch.holds) == (["source=app,type=order_completed"], [])
    stop_ms = THREE_WEEKS_MS + 6 * HOUR_MS
    live(watch, {VIEWS: always(20.0)}, stop_ms, stop_ms + 3 * HOUR_MS, chance)
    assert [each.is_on for each in watch.holds] == [True]
    assert "from any source" in watch.holds[0].why


def test_a_prefix_on_the_time_of_a_replay_holds_nothing() -> None:
    watch, chance = Watch(flows=[HOLDING], clock="marks"), np.random.default_rng(SEED)
    live(watch, {ORDERS: always(60.0), VIEWS: always(60.0)}, MONDAY_MS, THREE_WEEKS_MS, chance, HOUR_MS)
    live(watch, {VIEWS: always(60.0)}, THREE_WEEKS_MS, THREE_WEEKS_MS + 6 * HOUR_MS, chance, HOUR_MS)
    assert (len(of_kind(watch.anomalies, "silence")), watch.holds) == (1, [])


def test_the_end_of_a_replay_is_no_silence() -> None:
    watch, chance = Watch(flows=[HOLDING], clock="marks"), np.random.default_rng(SEED)
    live(watch, {ORDERS: always(60.0), VIEWS: always(60.0)}, MONDAY_MS, THREE_WEEKS_MS, chance, HOUR_MS)
    for hour in range(1, 8 * 24):
        watch.pass_time(THREE_WEEKS_MS + hour * HOUR_MS)
    assert (watch.anomalies, watch.holds) == ([], [])


def test_days_on_which_nothing_came_in_at_all_are_known_as_closed_afterwards() -> None:
    watch, chance = Watch(clock="marks"), np.random.default_rng(SEED)
    both = {ORDERS: office_hours, VIEWS: lambda at_ms: office_hours(at_ms, 5.0)}
    live(watch, both, MONDAY_MS, THREE_WEEKS_MS, chance, HOUR_MS)
    live(watch, both, THREE_WEEKS_MS + 4 * DAY_MS, THREE_WEEKS_MS + 2 * WEEK_MS, chance, HOUR_MS)
    assert watch.anomalies == []


def test_an_import_has_no_rate_so_its_end_is_no_silence() -> None:
    watch, chance = Watch(flows=[HOLDING]), np.random.default_rng(SEED)
    for minute in range(120):
        at_ms = MONDAY_MS + minute * MINUTE_MS
        watch.hear(an_arrival(at_ms, 5_000, live=0))
    live(watch, {VIEWS: always(100)}, MONDAY_MS, MONDAY_MS + 3 * WEEK_MS, chance, HOUR_MS)
    assert (watch.anomalies, watch.holds) == ([], [])


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("thin", always(0.4)),
        ("a few a day", always(1.0)),
        ("nights and Sundays", office_hours),
        ("every fifth hour", lambda at_ms: 200.0 if at_ms // HOUR_MS % 5 == 0 else 0.0),
        ("one batch a night", lambda at_ms: 12_000.0 if at_ms % DAY_MS // (5 * MINUTE_MS) == 28 else 0.0),
        (
            "closed on the fourth Monday",
            lambda at_ms: 0.0 if at_ms // DAY_MS == (MONDAY_MS + 3 * WEEK_MS) // DAY_MS else office_hours(at_ms),
        ),
    ],
)
def test_what_comes_in_as_usual_raises_nothing(name: str, rate: Callable[[int], float]) -> None:
    closing = [datetime.fromtimestamp(THREE_WEEKS_MS / 1000, UTC).date().isoformat()] if "closed" in name else []
    watch, chance = Watch(flows=[HOLDING], quality={"closing_days": closing}), np.random.default_rng(SEED)
    live(watch, {ORDERS: rate, VIEWS: always(10)}, MONDAY_MS, MONDAY_MS + 6 * WEEK_MS, chance, 10 * MINUTE_MS)
    assert [(each.by, each.expected) for each in watch.anomalies] == []


def test_a_source_whose_rate_varies_much_is_given_more_time() -> None:
    """Each day has a rate of its own, so that a day with a tenth of the mean is no wonder."""
    watch, chance = Watch(), np.random.default_rng(SEED)
    for start_ms in range(MONDAY_MS, MONDAY_MS + 6 * WEEK_MS, HOUR_MS):
        live(watch, {ORDERS: always(chance.gamma(0.5, 20.0))}, start_ms, start_ms + HOUR_MS, chance, HOUR_MS)
    assert watch.anomalies == []


def test_in_its_first_two_weeks_a_source_is_silent_after_a_day_without_any_that_was_busy_the_week_before() -> None:
    watch, chance = Watch(flows=[HOLDING]), np.random.default_rng(SEED)
    stop_ms = MONDAY_MS + 8 * DAY_MS + 10 * HOUR_MS
    live(watch, {ORDERS: office_hours, VIEWS: always(10)}, MONDAY_MS, stop_ms, chance)
    live(watch, {VIEWS: always(10)}, stop_ms, stop_ms + DAY_MS - HOUR_MS, chance)
    assert watch.anomalies == []
    live(watch, {VIEWS: always(10)}, stop_ms + DAY_MS - HOUR_MS, stop_ms + DAY_MS + HOUR_MS, chance)
    assert [each.by for each in watch.anomalies] == ["source=shop,type=order_completed"]
    assert [each.is_on for each in watch.holds] == [True]


def test_a_source_that_nobody_watches_raises_nothing() -> None:
    watch, chance = Watch(flows=[HOLDING], quality={"unwatched": ["shop"]}), np.random.default_rng(SEED)
    live(watch, {ORDERS: always(60)}, MONDAY_MS, THREE_WEEKS_MS, chance)
    watch.pass_time(THREE_WEEKS_MS + DAY_MS)
    assert (watch.anomalies, watch.holds) == ([], [])


def test_before_rules_4_nothing_is_kept_of_arrivals() -> None:
    state: Overlay[Any] = Overlay(MemoryStore(), InsightCodec())
    settings = DomainSettings(journal_partitions=1, grace_ms=0)
    configured(state, Configured(settings.model_dump_json(), 0, RULES_3))
    fold_record(state, an_arrival(MONDAY_MS))
    assert state.get(SOURCES) is None


def test_a_restart_in_the_middle_of_a_silence_tells_nothing_twice() -> None:
    watch, chance = a_stop(HOLDING)
    stop_ms = THREE_WEEKS_MS + 10 * HOUR_MS
    live(watch, {VIEWS: always(100)}, stop_ms, stop_ms + HOUR_MS, chance, MINUTE_MS)
    frozen = watch.state.freeze()
    watch.state.committed(len(frozen))
    held = watch.state.get(SILENCES)
    assert isinstance(held, Silences)
    assert list(held.held) == ["abandoned_cart"]
    live(watch, {VIEWS: always(100)}, stop_ms + HOUR_MS, stop_ms + 3 * HOUR_MS, chance, MINUTE_MS)
    assert len(watch.holds) == len(watch.anomalies) == 1
