"""Flows beside the catalogue: what it lacks is named with the nearest name, and another type with what it takes."""

from __future__ import annotations

from typing import Any

import pytest

from streams.flows.language.attribute_checks import check_attributes, mistakes
from streams.flows.language.mistakes import FlowError, parse_flow
from streams.flows.language.publishing import NotPublishable, with_flow
from streams.settings import DomainSettings
from tests.support.flows import a_bare_flow

SETTINGS = DomainSettings.model_validate(
    {
        "attributes": {
            "birthday": {"type": "date", "of": "customer"},
            "points": {"type": "number", "of": "customer"},
            "score": {"type": "number", "of": "event"},
            "plan": {"type": "text"},
            "tags": {"type": "list", "of": "customer"},
        }
    }
)


def a_document(condition: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"event": "page_viewed"} | ({"condition": condition} if condition else {})
    return a_bare_flow("own", "page_viewed", **{"entry": entry, **changes})


def said(condition: dict[str, Any] | None = None, settings: DomainSettings = SETTINGS, **changes: Any) -> list[str]:
    return list(mistakes(parse_flow(a_document(condition, **changes), "own"), settings.attributes))


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "traits.points", "above": 500},
        {"field": "traits.plan", "is": ["gold"]},
        {"field": "traits.birthday", "today": True, "yearly": True},
        {"field": "traits.tags", "contains": ["vip"]},
        {"field": "event.properties.score", "is": ["4", "5"]},
        {"field": "event.properties.colour", "is": ["red"]},
        {"field": "traits.tags", "known": True},
        {"field": "orders", "at_least": 1},
    ],
)
def test_what_agrees_with_the_catalogue_has_no_mistake(condition: dict[str, Any]) -> None:
    assert said(condition) == []


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (
            {"field": "traits.point", "above": 500},
            "condition names traits.point, but the catalogue of attributes has no point of the customer; did you mean",
        ),
        (
            {"field": "traits.shoe_size", "above": 500},
            "catalogue of attributes has no shoe_size of the customer; it has birthday, plan, points, tags",
        ),
        ({"field": "traits.score", "above": 1}, "has no score of the customer"),
        ({"field": "event.properties.scores", "is": ["4"]}, "did you mean score?"),
        ({"field": "event.properties.points", "at_least": 1}, "has no points of the event"),
        (
            {"field": "traits.plan", "above": 5},
            "takes traits.plan for a number, but the catalogue says text; a text takes is: [..] or known",
        ),
        ({"field": "traits.points", "is": ["5"]}, "takes traits.points for a text, but the catalogue says number"),
        ({"field": "traits.points", "within_next": "5d"}, "takes traits.points for a date"),
        ({"field": "traits.tags", "is": True}, "takes traits.tags for a flag, but the catalogue says list"),
        ({"field": "language", "is": ["de"]}, "names traits.language"),
    ],
)
def test_a_mistake_names_the_place_and_the_nearest_name(condition: dict[str, Any], expected: str) -> None:
    (found,) = said(condition)
    assert expected in found


def test_dates_steps_and_what_messages_carry_are_compared_too() -> None:
    branch = {"name": "rich", "do": "branch", "if": {"field": "traits.point", "above": 1}, "then": "message"}
    waits = {"name": "waits", "do": "wait_for_date", "field": "traits.plan", "before": "1d"}
    steps = [branch, waits, {"name": "message", "do": "trigger"}]
    found = said(steps=steps, attributes=["traits.plan", "event.properties.colour", "event.name"])
    assert [each.split(",")[0] for each in found] == [
        "steps[0].if names traits.point",
        "steps[1].field takes traits.plan for a date",
        "attributes[1] names event.properties.colour",
    ]
    (found_date,) = said(entry={"date": "traits.birthdate", "yearly": True})
    assert "entry.date names traits.birthdate" in found_date
    assert "did you mean birthday?" in found_date


def test_an_empty_catalogue_says_where_to_add_it() -> None:
    (found,) = said({"field": "traits.plan", "is": ["gold"]}, DomainSettings())
    assert found.endswith("it has none of the customer; add it to the setting attributes")


def test_a_file_and_a_publication_with_a_mistake_are_refused() -> None:
    document = a_document({"field": "traits.point", "above": 500})
    with pytest.raises(FlowError, match=r"^own\.yaml: entry\.condition names traits\.point"):
        check_attributes(parse_flow(document, "own"), SETTINGS.attributes, "own.yaml")
    with pytest.raises(NotPublishable, match=r"own: entry\.condition names traits\.point"):
        with_flow(SETTINGS, document, 0)
