"""A field that is renamed, gone or of another kind is told of within 1,000 touchpoints; what comes and goes is not."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from schemas.insights import FieldCount
from schemas.limits_of_quality import FIELDS_MAX, LOOKED_AT_EVERY
from streams.insights.arrived import Shape
from streams.insights.shapes import shape_key
from tests.support.arrivals import DAY_MS, MINUTE_MS, MONDAY_MS, ORDERS, Watch, an_arrival, of_kind
from tests.support.insights import HOUR_MS

USUAL = {"order_id": 1.0, "properties.total": 1.0, "properties.coupon": 0.3, "user_id": 0.9}
NOON_MS = MONDAY_MS + 3 * DAY_MS + 12 * HOUR_MS


def send(watch: Watch, shares: dict[str, float], from_ms: int, looked: int, chance: np.random.Generator) -> None:
    """So many touchpoints are looked at, one a minute, each with a field or not by its share."""
    for number in range(looked):
        fields = {name: int(chance.random() < share) for name, share in shares.items()}
        watch.hear(an_arrival(from_ms + number * MINUTE_MS, 1, fields=fields))


def a_shop(days: int = 3) -> tuple[Watch, np.random.Generator]:
    watch, chance = Watch(), np.random.default_rng(5)
    for day in range(days):
        send(watch, USUAL, MONDAY_MS + day * DAY_MS, 300, chance)
    assert watch.anomalies == []
    return watch, chance


def renamed(name: str, to: str) -> dict[str, float]:
    return {to if each == name else each: share for each, share in USUAL.items()}


@pytest.mark.parametrize("days", [1, 3])
def test_a_field_that_is_renamed_is_told_with_its_new_name_within_a_thousand_touchpoints(days: int) -> None:
    watch, chance = a_shop(days)
    send(watch, renamed("properties.total", "properties.order_total"), NOON_MS, 1_000 // LOOKED_AT_EVERY, chance)
    (told,) = watch.anomalies
    expected = "source=shop,type=order_completed,field=properties.total,to=properties.order_total"
    assert (told.by, told.detector, told.status) == (expected, "renamed", "raised")


def test_a_new_name_is_known_also_where_midnight_is_between() -> None:
    watch, chance = a_shop()
    midnight_ms = MONDAY_MS + 4 * DAY_MS
    send(watch, USUAL, midnight_ms - 3 * HOUR_MS, 170, chance)
    after = renamed("properties.total", "properties.order_total")
    send(watch, after, midnight_ms - 10 * MINUTE_MS, 10, chance)
    assert watch.anomalies == []
    send(watch, after, midnight_ms, 30, chance)
    (told,) = watch.anomalies
    assert told.by.endswith("field=properties.total,to=properties.order_total")
    assert told.detector == "renamed"


def test_a_field_that_is_gone_is_told_when_20_were_due() -> None:
    watch, chance = a_shop()
    gone = {name: share for name, share in USUAL.items() if name != "user_id"}
    send(watch, gone, NOON_MS, 30, chance)
    (told,) = watch.anomalies
    assert (told.by, told.detector) == ("source=shop,type=order_completed,field=user_id", "vanished")


def test_a_field_that_some_have_is_missed_later() -> None:
    watch, chance = a_shop()
    gone = {name: share for name, share in USUAL.items() if name != "properties.coupon"}
    send(watch, gone, NOON_MS, 50, chance)
    assert watch.anomalies == []
    send(watch, gone, NOON_MS + HOUR_MS, 100, chance)
    assert [each.by.rpartition("=")[2] for each in watch.anomalies] == ["properties.coupon"]


def test_a_field_of_another_kind_is_told() -> None:
    watch, _ = a_shop()
    for number in range(30):
        arrival = an_arrival(NOON_MS + number * MINUTE_MS, 1, fields={"order_id": 1, "user_id": 1})
        (series,) = arrival.series
        fields = (*series.fields, FieldCount("properties.total", "number", 1))
        watch.hear(replace(arrival, series=(replace(series, fields=fields),)))
    (told,) = of_kind(watch.anomalies, "schema")
    assert told.detector == "retyped"
    assert told.by.endswith("field=properties.total,to=number")


def test_a_drift_is_over_when_the_field_is_back() -> None:
    watch, chance = a_shop()
    send(watch, renamed("properties.total", "total"), NOON_MS, 60, chance)
    send(watch, USUAL, NOON_MS + HOUR_MS, 60, chance)
    assert [each.status for each in watch.anomalies] == ["raised", "cleared"]


def test_a_new_name_is_accepted_after_a_week() -> None:
    watch, chance = a_shop()
    for day in range(9):
        send(watch, renamed("properties.total", "total"), NOON_MS + day * DAY_MS, 150, chance)
    assert [each.status for each in watch.anomalies] == ["raised", "cleared"]
    shape = watch.state.get(shape_key(ORDERS))
    assert isinstance(shape, Shape)
    assert "properties.total" not in shape.fields


def test_what_one_of_two_producers_sends_at_night_is_not_missed_by_day() -> None:
    watch, chance = Watch(), np.random.default_rng(5)
    for day in range(10):
        at_ms = MONDAY_MS + day * DAY_MS
        send(watch, USUAL, at_ms, 70, chance)
        send(watch, {"order_id": 1.0, "nightly": 1.0}, at_ms + 12 * HOUR_MS, 70, chance)
    assert watch.anomalies == []


def test_names_without_end_are_not_kept() -> None:
    watch, chance = a_shop()
    for number in range(600):
        fields = {"order_id": 1, "properties.total": 1, "user_id": 1, f"properties.random_{number}": 1}
        watch.hear(an_arrival(NOON_MS + number * MINUTE_MS, 1, fields=fields))
    shape = watch.state.get(shape_key(ORDERS))
    assert isinstance(shape, Shape)
    assert len(shape.fields) <= FIELDS_MAX
    send(watch, USUAL, NOON_MS + DAY_MS, 1, chance)
    shape = watch.state.get(shape_key(ORDERS))
    assert isinstance(shape, Shape)
    assert shape.fields.keys() == USUAL.keys()


def test_sources_that_nobody_watches_may_change() -> None:
    watch, chance = Watch(quality={"unwatched": ["shop"]}), np.random.default_rng(5)
    send(watch, USUAL, MONDAY_MS, 300, chance)
    send(watch, {"order_id": 1.0}, NOON_MS, 100, chance)
    assert watch.anomalies == []
