"""A flow's file: what it may say, and how a mistake in it is named."""

from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from streams.flows.language.files import library_documents
from streams.flows.language.flow import schema_text
from streams.flows.language.flow_set import compile_flows
from streams.flows.language.mistakes import FlowError
from tests.support.files import ROOT
from tests.support.flows import BRANCHED, CHECKED, QUIET, SERIES, TEN, a_reminder


def test_the_shipped_flow_is_the_abandoned_cart() -> None:
    (flow,) = compile_flows(library_documents()).flows.values()
    assert flow.id == "abandoned_cart"
    assert (flow.wait.for_ms, flow.wait.restarts, flow.expires_after_ms) == (7_200_000, True, 86_400_000)
    assert (flow.caps.per_channel_hours, flow.caps.per_week) == (20, 3)
    assert flow.is_promotional


@pytest.mark.parametrize("missing", ["owner", "goal", "stage", "priority", "class"])
def test_a_flow_that_lacks_what_people_need_to_know_is_refused(missing: str) -> None:
    document = a_reminder()
    del document[missing]
    with pytest.raises(FlowError, match=rf"^flows\[0\]: {missing} is missing; "):
        compile_flows([document])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"owners": "me"}, r"owners is 'me': there is no such field; the fields here are id, version, owner, goal, .*"),
        ({"wait": {"for": "2 hours"}}, r"wait\.for is '2 hours': write a whole number and a unit \(s, m, h or d\), .*"),
        ({"wait": {"for": 7200}}, r"wait\.for is 7200: write a whole number .*"),
        ({"wait": {"fore": "2h"}}, r"wait\.fore is '2h': there is no such field; the fields here are for, restarts"),
        ({"id": "My flow"}, "id is 'My flow': use at most 60 lower-case letters, digits and _, with a letter first"),
        (
            {"steps": [{"name": "reminder", "do": "trigger", "offer": "10 %"}]},
            r"steps\[0\]\.offer is '10 %': use at most 60 lower-case letters, digits and _, with a letter first",
        ),
        ({"channel": "fax"}, r"channel is 'fax': Input should be 'email', 'sms' or 'push'"),
        ({"steps": []}, r"steps is \[\]: Tuple should have at least 1 item .*"),
        ({"steps": [{"name": "a", "do": "dance"}]}, r"steps\[0\]\.do is 'dance': use one of trigger, wait, .*"),
        (
            {"steps": [{"name": "a", "do": "trigger", "x": 1}]},
            r"steps\[0\]\.x is 1: there is no such field; .* name, next, do, offer",
        ),
        ({"holdout_percent": 101}, r"holdout_percent is 101: Input should be less than or equal to 100"),
        ({"caps": {"per_week": -1}}, r"caps\.per_week is -1: Input should be greater than or equal to 0"),
        ({"entry": {"event": "product_aded"}}, r"entry\.event is 'product_aded': Input should be 'ad_clicked', .*"),
        ({"exits": ["product_added"]}, r"exits must not name product_added: .*"),
        (
            {"entry": {"event": "product_added", "condition": {"field": "orders"}}},
            r"entry\.condition is {'field': 'orders'}: a condition needs at_least, at_most or both",
        ),
        (
            {"entry": {"event": "product_added", "condition": {"field": "orders", "above": 1}}},
            r"entry\.condition\.above is 1: there is no such field; the fields here are field, at_least, at_most",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_is_allowed(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FlowError, match=rf"^flows\[0\]: {message}$"):
        compile_flows([a_reminder(**changes)])


def test_a_flow_relies_on_its_entry_its_goal_and_what_it_names() -> None:
    def relied_on(**changes: Any) -> list[str]:
        (flow,) = compile_flows([a_reminder(**changes)]).flows.values()
        return sorted(flow.relied_on)

    assert relied_on() == ["order_completed", "product_added"]
    assert relied_on(entry={"segment": ["Lost"]}, needs={}) == ["order_completed"]
    assert relied_on(relies_on=["product_added", "order_completed", "ticket_opened"]) == [
        "order_completed",
        "product_added",
        "ticket_opened",
    ]


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        (["order_complete"], r"relies_on\[0\] is 'order_complete': Input should be 'ad_clicked', .*"),
        (["order_completed"], r"relies_on lacks product_added, which is the flow's entry or goal"),
        (["product_added"], r"relies_on lacks order_completed, which is the flow's entry or goal"),
    ],
)
def test_what_a_flow_says_that_it_relies_on_is_all_of_it(stated: list[str], message: str) -> None:
    with pytest.raises(FlowError, match=rf"^flows\[0\]: {message}$"):
        compile_flows([a_reminder(relies_on=stated)])


def test_a_flow_may_rely_on_types_of_one_source_and_then_on_its_entry_and_goal_as_well() -> None:
    shop = {"source": "shop", "types": ["order_refunded"]}
    (flow,) = compile_flows([a_reminder(relies_on=shop)]).flows.values()
    assert sorted(flow.relied_on) == ["order_completed", "order_refunded", "product_added"]
    assert flow.on_silence == "alert"


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"types": ["order_complete"]}, r"relies_on\.types\[0\] is 'order_complete': Input should be 'ad_clicked', .*"),
        ({"source": "", "types": ["order_completed"]}, r"relies_on\.source is '': String should have at least 1 .*"),
        ({"source": "shop"}, r"relies_on\.types is missing; the fields here are source, types"),
        ({"shop": 1, "types": ["order_completed"]}, r"relies_on\.shop is 1: .*; the fields here are source, types"),
        ("shop", r"relies_on is 'shop': Input should be a valid tuple"),
    ],
)
def test_a_mistake_in_what_a_flow_relies_on_of_a_source_is_named(stated: Any, message: str) -> None:
    with pytest.raises(FlowError, match=rf"^flows\[0\]: {message}$"):
        compile_flows([a_reminder(relies_on=stated)])


def test_the_schema_for_editors_is_current_and_takes_the_flows_of_the_product() -> None:
    """If this fails: `touchstream flows schema > deploy/flow.schema.json`."""
    text = (ROOT / "deploy" / "flow.schema.json").read_text(encoding="utf-8")
    assert text == schema_text()
    validator = jsonschema.Draft202012Validator(json.loads(text))
    for document in TEN:
        assert list(validator.iter_errors(document)) == []
    assert list(validator.iter_errors(a_reminder(steps=[{"name": "a", "do": "dance"}])))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": [*SERIES, SERIES[0]]}, r"steps is .*: give each step its own name, and none the name end"),
        ({"steps": SERIES[:2]}, r"steps is .*: a_day is the last step and sends nothing; end with a trigger"),
        (
            {"steps": [{**SERIES[0], "next": "first"}, SERIES[2]]},
            r"steps is .*: first leads to 'first'; allowed are end and the names of later steps",
        ),
        ({"steps": [{**SERIES[0], "next": "end"}, SERIES[2]]}, r"steps is .*: no step leads to second"),
        (
            {"steps": [SERIES[0], {**SERIES[1], "next": "end"}, SERIES[2]]},
            r"steps is .*: nothing is sent after a_day: it leads only to end",
        ),
        ({"steps": [{**SERIES[1], "for": "0s"}, SERIES[0]]}, r"steps\[0\]\.for is '0s': it must be more than 0s"),
        (
            {"steps": [{"name": "a", "do": "wait_until", "time": "24:00"}, SERIES[0]]},
            r"steps\[0\]\.time is '24:00': write a time of day from 00:00 to 23:59, such as 08:30",
        ),
        (
            {"steps": [{**BRANCHED[0], "then": "plain", "else": "plain"}, BRANCHED[1]]},
            r"steps\[0\] is .*: then and else name the same step, so there is nothing to choose",
        ),
        (
            {"steps": [{**BRANCHED[0], "if": {"field": "orders"}}, *BRANCHED[1:]]},
            r"steps\[0\]\.if is {'field': 'orders'}: a condition needs at_least, at_most or both",
        ),
        (
            {
                "steps": [
                    {"name": "t", "do": "split", "arms": [{"name": "a", "percent": 50}, {"name": "b", "percent": 40}]},
                    SERIES[0],
                ]
            },
            r"steps\[0\] is .*: the percent of its arms add up to 90; they must add up to 100",
        ),
        (
            {
                "steps": [
                    {
                        "name": "t",
                        "do": "split",
                        "arms": [{"name": "holdout", "percent": 50}, {"name": "b", "percent": 50}],
                    },
                    SERIES[0],
                ]
            },
            r"steps\[0\] is .*: give each arm its own name, which is none of treatment, holdout, shadow, unassigned",
        ),
        (
            {"steps": CHECKED},
            r"check_goal has no effect: order_completed is the goal and already ends the flow \(exits\)",
        ),
        ({"entry": {}}, r"entry is {}: an entry needs exactly one of event, segment and date"),
        ({"entry": {"segment": ["Winners"]}}, r"entry is .*: there is no segment 'Winners'; allowed are Champions, .*"),
        ({"entry": {"segment": ["Lost"]}, "products": "entry"}, r"products: entry needs an entry by an event, .*"),
        ({"channels": ["sms"]}, r"a flow needs either channel or channels"),
        ({"channel": None, "channels": ["sms", "sms"]}, r"channels names one channel twice"),
        ({"reentry": "sometimes"}, r"reentry is 'sometimes': write always, never, or how long after an entry .*"),
        ({"quiet_hours": {"from": "8", "to": "21:00"}}, r"quiet_hours\.from is '8': write a time of day from .*"),
        ({"quiet_hours": {"from": "08:00", "to": "08:00"}}, r"quiet_hours is .*: from and to are the same .*"),
        ({"quiet_hours": QUIET, "class": "transactional"}, r"quiet_hours are for promotional flows: .*"),
        ({"purpose": "promotional", "class": "transactional"}, r"purpose: promotional is for promotional flows: .*"),
        ({"suppresses": "31d"}, r"suppresses is '31d': it must be above 0s and at most 30d, .*"),
        ({"caps": {"rolling": [{"messages": 1, "within": "40d"}]}}, r"caps\.rolling\[0\]\.within is '40d': .*"),
        ({"valid": {}}, r"valid is {}: a period of validity needs from, to or both"),
        ({"valid": {"from": "2026-01-01T00:00:00"}}, r"valid\.from is '2026-01-01T00:00:00': .* timezone .*"),
        (
            {"valid": {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}},
            r"valid is .*: from is not before to, so the flow would never be valid",
        ),
    ],
)
def test_what_would_do_nothing_or_other_than_it_says_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FlowError, match=rf"^flows\[0\]: {message}$"):
        compile_flows([a_reminder(**changes)])
