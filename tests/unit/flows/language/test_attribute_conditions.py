"""Conditions on attributes: which kind a file means, and what it must say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from streams.flows.language.conditions import Condition
from streams.flows.language.mistakes import FlowError, parse_flow
from tests.support.flows import a_bare_flow

_CONDITION: TypeAdapter[Any] = TypeAdapter(Condition)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"field": "traits.points", "above": 500}, "AttributeNumberIs"),
        ({"field": "traits.points", "at_least": 1.5, "below": 2}, "AttributeNumberIs"),
        ({"field": "traits.vip", "is": True}, "FlagIs"),
        ({"field": "traits.plan", "is": ["gold"]}, "TextIs"),
        ({"field": "event.properties.rating", "is": ["4", "5"]}, "TextIs"),
        ({"field": "traits.tags", "contains": ["vip"]}, "ListHas"),
        ({"field": "traits.plan", "known": False}, "IsKnown"),
        ({"field": "traits.birthday", "at_least": "6570d"}, "DateIs"),
        ({"field": "traits.birthday", "today": True, "yearly": True}, "DateIs"),
        ({"field": "event.properties.starts", "within_next": "2d"}, "DateIs"),
        ({"field": "event.name", "is": ["Quiz Finished"]}, "TextIs"),
    ],
)
def test_the_fields_that_a_file_gives_say_which_kind_it_means(given: dict[str, Any], kind: str) -> None:
    assert type(_CONDITION.validate_python(given)).__name__ == kind


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({"field": "traits.points", "above": "many"}, "write a number, such as 500 or 4.5"),
        ({"field": "traits.points", "at_least": "many"}, "write a whole number and a unit"),
        ({"field": "traits.points", "above": 1, "at_least": 1}, "above and at_least are both given"),
        ({"field": "traits.points", "below": 1, "at_most": 1}, "below and at_most are both given"),
        ({"field": "traits.points", "above": 5, "at_most": 5}, "no number can meet both"),
        ({"field": "traits.points", "at_least": 6, "at_most": 5}, "no number can meet both"),
        ({"field": "traits.points", "at_least": float("inf")}, "write a number, such as 500 or 4.5"),
        ({"field": "traits.points", "at_least": True}, "write a number, such as 500 or 4.5"),
        ({"field": "traits.tags", "contains": []}, "at least 1 item"),
        ({"field": "traits.plan", "known": "yes"}, "should be a valid boolean"),
        ({"field": "traits.birthday", "today": True, "within_next": "1d"}, "needs at_least and at_most, within_next"),
        ({"field": "traits.birthday", "at_least": "1d", "yearly": True}, "yearly is for within_next and today"),
        ({"field": "traits.birthday", "at_least": "2d", "at_most": "1d"}, "no value can meet both"),
        ({"field": "traits.birthday", "yearly": True}, "needs at_least and at_most, within_next"),
        ({"field": "traits.two words", "above": 1}, "String should match pattern"),
        ({"field": "traits.plan"}, "is is missing"),
    ],
)
def test_a_mistake_says_what_is_allowed(condition: dict[str, Any], said: str) -> None:
    with pytest.raises(FlowError) as wrong:
        parse_flow(
            a_bare_flow("own", "page_viewed", entry={"event": "page_viewed", "condition": condition}), "own.yaml"
        )
    assert "own.yaml: entry.condition" in str(wrong.value)
    assert said in str(wrong.value)


def test_a_property_is_asked_only_where_there_is_an_event() -> None:
    condition = {"field": "event.properties.score", "above": 1}
    with pytest.raises(FlowError, match="needs an event"):
        parse_flow(a_bare_flow("own", "page_viewed", needs={"condition": condition}), "own.yaml")
