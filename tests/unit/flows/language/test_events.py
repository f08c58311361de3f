"""How flows name events: canonical types, and custom: with a name of the shop's own."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.limits import DIMENSION_BYTES_MAX
from schemas.touchpoint import Touchpoint
from streams.flows.language.events import OWN, heard_as
from streams.flows.language.flow_set import compile_flows
from streams.flows.language.mistakes import FlowError, parse_flow
from tests.support.flows import a_bare_flow

QUIZ = f"{OWN}Quiz Finished"


def test_an_event_of_ones_own_is_heard_by_its_name() -> None:
    assert heard_as(Touchpoint("e", "custom", 0, name="Quiz Finished")) == QUIZ
    assert heard_as(Touchpoint("e", "page_viewed", 0, name="Quiz Finished")) == "page_viewed"


def test_entries_exits_goals_and_inputs_may_name_one() -> None:
    goal = {"event": QUIZ, "window": "1d"}
    one = a_bare_flow("one", QUIZ, exits=[f"{OWN}Bye"], relies_on=[QUIZ, "order_completed"])
    other = a_bare_flow(
        "other",
        "signed_up",
        goal=goal,
        exits=[],
        steps=[
            {"name": "first", "do": "trigger"},
            {"name": "done", "do": "check_goal"},
            {"name": "second", "do": "trigger"},
        ],
    )
    found = compile_flows([one, other])
    assert [plan.key for plan in found.listening[QUIZ].entries] == ["one"]
    assert set(found.listening[QUIZ].goals) == {"other"}
    assert set(found.listening[f"{OWN}Bye"].exits) == {"one"}
    assert found.relied_on[QUIZ] == f"type={QUIZ}"


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "\N{DRAGON}" * 50])
def test_a_name_that_is_none_or_too_long_is_refused(name: str) -> None:
    with pytest.raises(FlowError, match=r"entry\.event is .*: write custom: and the event's name, of at most 100"):
        parse_flow(a_bare_flow("one", OWN + name), "one.yaml")


def test_the_longest_name_is_kept_apart_in_facts() -> None:
    flow = parse_flow(a_bare_flow("one", OWN + "\N{DRAGON}" * 35), "one.yaml")
    assert len(f"type={flow.entry.event}".encode()) <= DIMENSION_BYTES_MAX


@pytest.mark.parametrize("event", ["order_complete", "custom", 7, None])
def test_another_event_is_refused_with_those_that_are_allowed(event: Any) -> None:
    with pytest.raises(FlowError, match="entry"):
        parse_flow(a_bare_flow("one", event), "one.yaml")
