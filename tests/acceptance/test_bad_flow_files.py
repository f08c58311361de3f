"""A flow file may be wrong in many ways: `touchstream flows lint` refuses each, naming the file, the place and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner

from streams.__main__ import app
from streams.flows.language.files import LIBRARY, read_document

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance

WELCOME = read_document(LIBRARY / "welcome.yaml")
LIVES = {"name": "a", "do": "trigger"}
HALVES = [{"name": "x", "percent": 50}, {"name": "y", "percent": 40}]
WAYS: list[tuple[dict[str, Any], str]] = [
    ({"id": "Welcome!"}, "id is 'Welcome!'"),
    ({"version": 0}, "version is 0"),
    ({"owner": ""}, "owner is ''"),
    ({"goal": {"event": "order", "window": "14d"}}, "goal.event is 'order'"),
    ({"goal": {"event": "order_completed", "window": "soon"}}, "goal.window is 'soon'"),
    ({"goal": {"event": "order_completed"}}, "goal.window is missing"),
    ({"stage": "lead"}, "stage is 'lead'"),
    ({"priority": 101}, "priority is 101"),
    ({"class": "nice"}, "class is 'nice'"),
    ({"entry": {"event": "signup"}}, "entry.event is 'signup'"),
    ({"entry": {"segment": ["Champion"]}}, "there is no segment 'Champion'"),
    ({"entry": {"event": "signed_up", "segment": ["Lost"]}}, "an entry needs exactly one of event, segment and date"),
    ({"entry": {"event": "signed_up", "condition": {"field": "order", "at_least": 1}}}, "entry.condition is"),
    ({"entry": {"event": "signed_up", "condition": {"field": "orders"}}}, "a condition needs at_least, at_most"),
    ({"needs": {"condition": {"field": "event.channel", "is": ["email"]}}}, "needs.condition"),
    ({"reentry": "often"}, "reentry is 'often'"),
    ({"wait": {"for": "2 hours"}}, "wait.for is '2 hours'"),
    ({"wait": {"after": "2h"}}, "wait.after is '2h': there is no such field; the fields here are for, restarts"),
    ({"channel": "fax"}, "channel is 'fax'"),
    ({"channel": None}, "a flow needs either channel or channels"),
    ({"expires_after": "-1h"}, "expires_after is '-1h'"),
    ({"quiet_hours": {"from": "25:00", "to": "08:00"}}, "quiet_hours.from is '25:00'"),
    ({"quiet_hours": {"from": "08:00", "to": "08:00"}}, "no hour is quiet"),
    ({"class": "transactional"}, "quiet_hours are for promotional flows"),
    ({"holdout_percent": 120}, "holdout_percent is 120"),
    ({"caps": {"per_week": -1}}, "caps.per_week is -1"),
    ({"caps": {"rolling": [{"messages": 2, "within": "60d"}]}}, "caps.rolling[0].within is '60d'"),
    ({"exits": ["signed_up"]}, "exits must not name signed_up"),
    ({"valid": {"from": "2026-01-01T00:00"}}, "valid.from is '2026-01-01T00:00'"),
    ({"valid": {"from": "2026-02-01T00:00Z", "to": "2026-01-01T00:00Z"}}, "from is not before to"),
    ({"relies_on": ["signed_up"]}, "relies_on lacks order_completed"),
    ({"steps": []}, "steps is []"),
    ({"steps": [{"name": "a", "do": "send"}]}, "steps[0].do is 'send'"),
    ({"steps": [LIVES, LIVES]}, "give each step its own name"),
    ({"steps": [{**LIVES, "next": "b"}]}, "a leads to 'b'"),
    ({"steps": [{"name": "w", "do": "wait"}, LIVES]}, "steps[0].for is missing"),
    ({"steps": [{"name": "w", "do": "split", "arms": HALVES}, LIVES]}, "the percent of its arms add up to 90"),
    ({"running_customers": "leave"}, "running_customers is 'leave'"),
    ({"prio": 3}, "prio is 3: there is no such field"),
    ({"send_time": "noon"}, "send_time is 'noon'"),
    ({"products": "basket"}, "products is 'basket'"),
    ({"steps": [{**LIVES, "offer": "10 %"}]}, "steps[0].offer is '10 %'"),
    ({"steps": [LIVES]}, "steps[0], a, would be empty, as products: cart may show nothing: add offer: NAME"),
    ({"steps": [{**LIVES, "offer": "ten"}, {**LIVES, "name": "b"}]}, "steps[1], b, would be empty"),
    ({"steps": [LIVES], "products": "entry"}, "as products: entry may show nothing: add offer: NAME to the step"),
    ({"steps": [LIVES], "products": "order"}, "as products: order may show nothing: add offer: NAME to the step"),
    ({"steps": [LIVES], "entry": {"event": "product_viewed"}}, "or products: entry to the flow"),
    ({"steps": [LIVES], "entry": {"event": "order_completed"}, "exits": []}, "or products: order to the flow"),
    ({"steps": [LIVES], "entry": {"segment": ["none", "Lost"]}, "products": "order"}, "steps[0], a, would be empty"),
]


def lint(path: Path) -> Any:
    return CliRunner().invoke(app, ["flows", "lint", str(path)], env={"COLUMNS": "1000"})


def test_the_file_that_they_are_made_of_is_right(tmp_path: Path) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text(yaml.safe_dump(WELCOME))
    assert lint(path).exit_code == 0


def test_thirty_ways_and_more_are_known() -> None:
    assert len({said for _, said in WAYS}) >= 30


@pytest.mark.parametrize(("wrong", "said"), WAYS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_bad_flow_file_is_refused_with_a_message_that_names_the_place(
    tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text(yaml.safe_dump(WELCOME | wrong))
    result = lint(path)
    assert result.exit_code != 0
    assert f"{path}: " in result.output
    assert said in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("text", "said"),
    [("id: [", "not valid YAML"), ("- welcome", "it holds a list"), ("!!python/object:os.system {}", "not valid YAML")],
)
def test_what_is_no_flow_at_all_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "flow.yaml"
    path.write_text(text)
    result = lint(path)
    assert result.exit_code != 0
    assert f"{path}: {said}" in result.output
