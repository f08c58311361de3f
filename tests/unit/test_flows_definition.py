"""A flow's file: what it may say, and how a mistake in it is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from streams.flows.language.durations import duration_text, parse_duration
from streams.flows.language.files import LIBRARY, flow_files, library_documents, load_flow, read_document
from streams.flows.language.flow import schema_text
from streams.flows.language.flow_set import compile_flows
from streams.flows.language.mistakes import FlowError
from tests.support.flows import a_reminder


def a_document(**changes: Any) -> dict[str, Any]:
    return a_reminder(**changes)


def test_the_shipped_flow_is_the_abandoned_cart() -> None:
    (flow,) = compile_flows(library_documents()).flows.values()
    assert flow.id == "abandoned_cart"
    assert (flow.wait.for_ms, flow.wait.restarts, flow.expires_after_ms) == (7_200_000, True, 86_400_000)
    assert (flow.caps.per_channel_hours, flow.caps.per_week) == (20, 3)
    assert flow.is_promotional


def test_a_flow_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "cart.yaml"
    path.write_text(yaml.safe_dump(a_document(id="mine")), encoding="utf-8")
    assert load_flow(path).id == "mine"
    assert read_document(path) == a_document(id="mine")


@pytest.mark.parametrize(("text", "ms"), [("30s", 30_000), ("30m", 1_800_000), ("2h", 7_200_000), ("7d", 604_800_000)])
def test_durations_are_a_number_and_a_unit(text: str, ms: int) -> None:
    assert parse_duration(text) == ms
    assert duration_text(ms) == text


@pytest.mark.parametrize("missing", ["owner", "goal", "stage", "priority", "class"])
def test_a_flow_that_lacks_what_people_need_to_know_is_refused(missing: str) -> None:
    document = a_document()
    del document[missing]
    with pytest.raises(FlowError, match=rf"^flows\[0\]: {missing} is missing; "):
        compile_flows([document])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"owners": "me"}, r"owners is 'me': not a field; allowed are id, version, owner, goal, .*"),
        ({"wait": {"for": "2 hours"}}, r"wait\.for is '2 hours': allowed are a whole number and one of s, m, h, d, .*"),
        ({"wait": {"for": 7200}}, r"wait\.for is 7200: allowed are .*"),
        ({"wait": {"fore": "2h"}}, r"wait\.fore is '2h': not a field; allowed are for, restarts"),
        ({"channel": "fax"}, r"channel is 'fax': Input should be 'email', 'sms' or 'push'"),
        ({"steps": []}, r"steps is \[\]: Tuple should have at least 1 item .*"),
        ({"steps": [{"name": "a", "do": "dance"}]}, r"steps\[0\]\.do is 'dance': allowed are trigger, wait, .*"),
        ({"steps": [{"name": "a", "do": "trigger", "x": 1}]}, r"steps\[0\]\.x is 1: not a field; .* name, next, do"),
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
            r"entry\.condition\.above is 1: not a field; allowed are field, at_least, at_most",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_is_allowed(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FlowError, match=rf"^flows\[0\]: {message}$"):
        compile_flows([a_document(**changes)])


def test_a_flow_relies_on_its_entry_its_goal_and_what_it_names() -> None:
    def relied_on(**changes: Any) -> list[str]:
        (flow,) = compile_flows([a_document(**changes)]).flows.values()
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
        (["order_completed"], r"relies_on lacks product_added, which is the flow's entry or its goal"),
        (["product_added"], r"relies_on lacks order_completed, which is the flow's entry or its goal"),
    ],
)
def test_what_a_flow_says_that_it_relies_on_is_all_of_it(stated: list[str], message: str) -> None:
    with pytest.raises(FlowError, match=rf"^flows\[0\]: {message}$"):
        compile_flows([a_document(relies_on=stated)])


def test_two_flows_of_the_same_id_are_refused() -> None:
    with pytest.raises(
        FlowError, match=r"^flows\[1\]: id is 'abandoned_cart', which another flow has; ids must differ$"
    ):
        compile_flows([a_document(), a_document()])


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"- 1", "holds list; a flow is a mapping of id, "), (b"a: [", "not YAML: "), (b"\xff\xfe\xff", "not YAML: ")],
)
def test_a_file_that_holds_no_flow_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "cart.yaml"
    path.write_bytes(content)
    with pytest.raises(FlowError, match=rf"^{path}: {message}"):
        load_flow(path)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"none\.yaml: No such file or directory"):
        load_flow(tmp_path / "none.yaml")


def test_an_event_looks_up_only_the_flows_that_listen_to_it() -> None:
    flows = [a_document(id=f"flow_{number}", entry={"event": "signed_up"}) for number in range(100)]
    listening = compile_flows([*flows, a_document()]).listening
    assert [plan.flow.id for plan in listening["product_added"].entries] == ["abandoned_cart"]
    assert "page_viewed" not in listening


def test_the_schema_for_editors_is_current_and_takes_the_flows_of_the_product() -> None:
    """If this fails: `touchstream flows schema > deploy/flow.schema.json`."""
    text = (Path(__file__).parents[2] / "deploy" / "flow.schema.json").read_text(encoding="utf-8")
    assert text == schema_text()
    validator = jsonschema.Draft202012Validator(json.loads(text))
    for file in flow_files(LIBRARY):
        assert list(validator.iter_errors(read_document(file))) == []
    assert list(validator.iter_errors(a_document(steps=[{"name": "a", "do": "dance"}])))


def test_every_field_in_the_schema_is_described() -> None:
    schema = json.loads(schema_text())
    parts = {"Flow": schema, **schema["$defs"]}
    fields = {f"{part}.{name}": field for part in parts for name, field in parts[part].get("properties", {}).items()}
    assert len(fields) > 60
    assert [name for name, field in fields.items() if not field.get("description", "").endswith(".")] == []


def test_times_of_day_need_no_quotes_and_a_time_is_a_text(tmp_path: Path) -> None:
    path = tmp_path / "night.yaml"
    path.write_text("{from: 21:00, to: 08:00, since: 2026-01-01T00:00:00Z, count: 21, none: 0}", encoding="utf-8")
    assert read_document(path) == {
        "from": "21:00",
        "to": "08:00",
        "since": "2026-01-01T00:00:00Z",
        "count": 21,
        "none": 0,
    }
