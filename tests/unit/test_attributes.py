"""The catalogue of attributes: what it may name, and what a mistake in it says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.attribute_limits import (
    ATTRIBUTE_BYTES_MAX,
    ATTRIBUTE_NAME_MAX,
    ATTRIBUTES_OF_EVENTS_MAX,
    TRAIT_BYTES_MAX,
    TRAITS_MAX,
)
from schemas.limits import PROPERTIES_BYTES_MAX, PROPERTIES_MAX, SETTINGS_BYTES_MAX
from streams.attributes import RESERVED, names_of, tables_of
from streams.settings import DomainSettings, SettingsError, parse_domain


def settings(**attributes: Any) -> DomainSettings:
    return parse_domain(json.dumps({"attributes": attributes}))


def test_a_catalogue_survives_the_journal() -> None:
    found = settings(points={"type": "number"}, plan={"type": "text", "of": "customer", "names": ["tier"]})
    assert parse_domain(found.model_dump_json()) == found
    assert list(names_of(found.attributes, "event")) == ["points"]
    assert list(names_of(found.attributes, "customer")) == ["plan", "points"]


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"points": {"type": "int"}}, "attributes.points.type is 'int': Input should be 'text', 'number', 'date'"),
        ({"points": {"type": "number", "of": "order"}}, "attributes.points.of is 'order'"),
        ({"points": {}}, "attributes.points.type"),
        ({"points": {"type": "text", "max": 3}}, "attributes.points.max is 3: there is no such setting"),
        ({"two words": {"type": "text"}}, "'two words': String should match pattern"),
        ({"a" * (ATTRIBUTE_NAME_MAX + 1): {"type": "text"}}, "at most 40 characters"),
        ({"bounce_type": {"type": "text"}}, "bounce_type is a name of touchstream's own"),
        ({"kind": {"type": "text", "names": ["previous_id"]}}, "kind is read from previous_id"),
        (
            {"a": {"type": "text", "names": ["x"]}, "b": {"type": "text", "names": ["x"]}},
            "a and b of the event are both read from x",
        ),
        ({"a": {"type": "text", "names": ["b"]}, "b": {"type": "text"}}, "a and b of the event are both read from b"),
        (
            {f"p{number}": {"type": "text", "of": "event"} for number in range(ATTRIBUTES_OF_EVENTS_MAX + 1)},
            "51 attributes are of the event; at most 50 are allowed",
        ),
        (
            {f"t{number}": {"type": "text", "of": "customer"} for number in range(TRAITS_MAX + 1)},
            "41 attributes are of the customer; at most 40 are allowed",
        ),
        (
            {f"t{number}": {"type": "text", "names": ["x" * 500 + str(number)]} for number in range(40)},
            "at most 20000 are allowed",
        ),
    ],
)
def test_a_mistake_names_path_and_what_is_allowed(attributes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        settings(**attributes)
    assert said in str(wrong.value)


def test_an_attribute_of_events_and_one_of_customers_may_share_a_source() -> None:
    settings(a={"type": "text", "of": "event", "names": ["x"]}, b={"type": "text", "of": "customer", "names": ["x"]})


def test_the_look_ups_are_those_of_the_settings_at_hand() -> None:
    one, other = settings(a={"type": "text"}), settings(b={"type": "text"})
    assert [set(tables_of(each.attributes).of_events.sources) for each in (one, other, one)] == [{"a"}, {"b"}, {"a"}]
    changed = one.model_copy(update={"attributes": other.attributes})
    assert set(tables_of(changed.attributes).of_customers.sources) == {"b"}


def test_all_attributes_of_a_touchpoint_have_room_beside_what_types_read() -> None:
    assert ATTRIBUTES_OF_EVENTS_MAX + TRAITS_MAX + len(RESERVED) <= PROPERTIES_MAX
    of_events = ATTRIBUTES_OF_EVENTS_MAX * (ATTRIBUTE_NAME_MAX + ATTRIBUTE_BYTES_MAX)
    of_customers = TRAITS_MAX * (ATTRIBUTE_NAME_MAX + TRAIT_BYTES_MAX)
    assert of_events + of_customers < 40_000 < PROPERTIES_BYTES_MAX


def test_the_largest_catalogue_leaves_room_for_flows_in_the_settings() -> None:
    attributes = {
        f"{number:02}".rjust(ATTRIBUTE_NAME_MAX, "n"): {
            "type": "number",
            "of": "event" if number < ATTRIBUTES_OF_EVENTS_MAX else "customer",
            "names": [f"{number:02}{at}".rjust(44, "s") for at in range(4)],
        }
        for number in range(ATTRIBUTES_OF_EVENTS_MAX + TRAITS_MAX)
    }
    assert len(settings(**attributes).model_dump_json()) < SETTINGS_BYTES_MAX // 10
