"""Lint: flows that would fight over a customer."""

from __future__ import annotations

from typing import Any

import pytest

from streams.flows.language.conflicts import conflicts
from streams.flows.language.files import LIBRARY, flow_files, load_flow
from streams.flows.language.flow_set import compile_flows
from tests.support.flows import a_flow
from tests.support.flows import a_flow_named as flow

FEW, MANY = {"field": "orders", "at_most": 2}, {"field": "orders", "at_least": 3}
WEB, TILL = {"field": "event.source", "is": ["web"]}, {"field": "event.source", "is": ["till"]}


def found(*documents: dict[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    return [(item.kind, item.flows) for item in conflicts(list(compile_flows(documents).flows.values()))]


def test_the_flows_of_the_product_do_not_fight() -> None:
    assert conflicts([load_flow(file) for file in flow_files(LIBRARY)]) == []


def test_two_flows_entered_by_the_same_customers_are_told() -> None:
    later: dict[str, Any] = {"wait": {"for": "3d"}}
    assert found(flow("a"), flow("b", **later)) == [("same_audience", ("a", "b"))]
    assert found(flow("a", condition=FEW), flow("b", condition=FEW, **later)) == [("same_audience", ("a", "b"))]
    assert found(flow("a", condition=FEW), flow("b", condition=MANY, **later)) == []
    assert found(flow("a"), flow("b", "signed_up", **later)) == []
    assert found(flow("a"), flow("b", **{"class": "transactional"}, **later)) == []


def test_segments_are_shared_by_name() -> None:
    one, other = flow("a"), flow("b", wait={"for": "3d"})
    one["entry"], other["entry"] = {"segment": ["Loyal", "New"]}, {"segment": ["Loyal"]}
    assert found(one, other) == [("same_audience", ("a", "b"))]
    other["entry"] = {"segment": ["Champions"]}
    assert found(one, other) == []


@pytest.mark.parametrize(
    "segment", ["Need Attention", "About to Sleep", "At Risk", "Can't Lose", "Hibernating", "Lost"]
)
def test_a_flow_about_absence_without_a_number_of_days_is_told(segment: str) -> None:
    one, days = flow("a"), {"field": "last_order_age", "at_least": "60d"}
    one["entry"] = {"segment": ["New", segment]}
    assert found(one) == [("no_floor", ("a",))]
    one["needs"] = {"condition": days}
    assert found(one) == [("no_floor", ("a",))]
    one["entry"]["condition"] = {"any": [days, FEW]}
    assert found(one) == [("no_floor", ("a",))]
    for condition in (days, {"all": [FEW, days]}):
        one["entry"]["condition"] = condition
        assert found(one) == []


def test_a_flow_about_those_who_ordered_lately_needs_no_number_of_days() -> None:
    one = flow("a")
    one["entry"] = {"segment": ["Champions", "Loyal", "Potential Loyalist", "New", "Promising", "none"]}
    assert found(one) == []


@pytest.mark.parametrize(
    ("one", "other", "is_told"),
    [
        (None, FEW, 1),
        (FEW, {"field": "orders", "at_least": 2}, 1),
        (FEW, MANY, 0),
        ({"all": [MANY, WEB]}, {"all": [WEB, FEW]}, 0),
        ({"any": [MANY, WEB]}, {"any": [TILL, FEW]}, 1),
        (WEB, TILL, 0),
        ({"field": "event.products.sku", "is": ["a"]}, {"field": "event.products.sku", "is": ["b"]}, 1),
    ],
)
def test_two_promotions_to_one_customer_within_a_day_are_told(one: Any, other: Any, is_told: int) -> None:
    told = found(flow("a", condition=one), flow("b", condition=other, wait={"for": "25h"}))
    assert told == ([("within_a_day", ("a", "b"))] if is_told else [])
    assert found(flow("a", condition=one), flow("b", condition=other, wait={"for": "26h"})) == []


def test_a_later_message_of_one_flow_meets_that_of_another() -> None:
    steps = [{"name": "x", "do": "trigger"}, {"name": "w", "do": "wait", "for": "72h"}, {"name": "y", "do": "trigger"}]
    (told,) = conflicts(
        list(compile_flows([flow("a", steps=steps), flow("b", condition=FEW, wait={"for": "73h"})]).flows.values())
    )
    assert told.reason == (
        "product_added can start both for one customer, and y comes 1h after reminder: "
        "two promotional messages within a day"
    )


def test_flows_that_end_each_other_are_told() -> None:
    one, other = a_flow(id="a", exits=["signed_up"]), a_flow(id="b", entry={"event": "signed_up"})
    assert found(one, {**other, "exits": ["product_added"]}) == [("opposed_exits", ("a", "b"))]
    assert found(one, {**other, "exits": []}) == []


def test_flows_whose_messages_start_each_other_are_told() -> None:
    ask, thank = flow("ask", "email_clicked"), flow("thank", "email_opened", wait={"for": "3d"})
    assert found(ask, thank) == [("cycle", ("ask",)), ("cycle", ("thank",))]
    of_thank = {"field": "event.message.flow_id", "is": ["thank"]}
    of_ask = {"field": "event.message.flow_id", "is": ["ask"]}
    round_trip = (flow("ask", "email_clicked", of_thank), flow("thank", "email_opened", of_ask, wait={"for": "3d"}))
    assert found(*round_trip) == [("cycle", ("ask", "thank"))]
    assert found(round_trip[0], {**round_trip[1], "reentry": "7d"}) == []
    assert found(round_trip[0], {**round_trip[1], "channel": "sms"}) == []


def test_a_message_that_its_own_flow_keeps_from_going_out_is_told() -> None:
    steps = [{"name": "x", "do": "trigger"}, {"name": "w", "do": "wait", "for": "19h"}, {"name": "y", "do": "trigger"}]
    (told,) = conflicts(list(compile_flows([flow("a", steps=steps)]).flows.values()))
    assert told.reason == "the message y comes 19h after the one before it, but the cap is one in 20 h"
    steps[1]["for"] = "20h"
    assert found(flow("a", steps=steps)) == []
    steps[1] = {"name": "w", "do": "wait_until", "time": "22:30"}
    assert found(flow("a", steps=steps)) == []
    quiet: dict[str, Any] = {"quiet_hours": {"from": "22:00", "to": "07:00"}}
    assert found(flow("a", steps=steps, **quiet)) == [("quiet_wait", ("a",))]
    assert found(a_flow(**{"class": "transactional"})) == [("no_cap", ("abandoned_cart",))]
