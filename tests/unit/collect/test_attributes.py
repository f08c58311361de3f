"""What becomes of properties and traits at the door: canonical text of the type that the catalogue says, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schemas.attribute_limits import ATTRIBUTE_BYTES_MAX, LIST_MAX, NUMBER_CHARS_MAX, TRAIT_BYTES_MAX
from schemas.wire import SINGLE_OBJECT, decode, encode
from streams.collect.addresses import address_hash
from streams.collect.arrived import Arrived
from streams.collect.attributes import (
    NOT_NAMED,
    TOO_LONG,
    WRONG_TYPE,
    LetGo,
    attributed,
    canonical,
    canonical_text,
)
from streams.collect.collector import Collected, collect
from streams.settings import DomainSettings
from tests.support.world import START_MS, a_touchpoint

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint

CATALOGUE = {
    "birthday": {"of": "customer", "type": "date", "names": ["birth_date", "dob"]},
    "plan": {"of": "customer", "type": "text"},
    "points": {"type": "number"},
    "tags": {"of": "customer", "type": "list"},
    "vip": {"of": "customer", "type": "flag"},
    "address.city": {"of": "customer", "type": "text"},
    "zip": {"of": "customer", "type": "text", "names": ["address.zip", "address.details.zip"]},
    "score": {"of": "event", "type": "number"},
}
SETTINGS = DomainSettings.model_validate(
    {"clock": "marks", "touchpoint_partitions": 1, "journal_partitions": 1, "attributes": CATALOGUE}
)


def arrived(properties: dict[str, Any] | None = None, traits: dict[str, Any] | None = None) -> Arrived:
    return Arrived(a_touchpoint("custom", START_MS, name="Quiz Finished"), properties or {}, traits or {})


def traits_of(**traits: Any) -> dict[str, str]:
    return attributed(arrived(traits=traits), SETTINGS).touchpoint.traits


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("text", "Gold ", "Gold "),
        ("text", 12.5, "12.5"),
        ("text", True, None),
        ("text", {"a": 1}, None),
        ("number", 12.50, "12.5"),
        ("number", " 12.50 ", "12.5"),
        ("number", "007", "7"),
        ("number", -0.0, "0"),
        ("number", "-0.50", "-0.5"),
        ("number", 1e3, "1000"),
        ("number", 1e-7, "0.0000001"),
        ("number", "1.234,5", None),
        ("number", "1,234", None),
        ("number", "1e3", None),
        ("number", "\u0661\u0662", None),
        ("number", True, None),
        ("number", float("nan"), None),
        ("number", float("inf"), None),
        ("number", 1e300, None),
        ("number", 10**NUMBER_CHARS_MAX, None),
        ("number", "-" + "9" * NUMBER_CHARS_MAX, None),
        ("flag", True, "true"),
        ("flag", "FALSE", "false"),
        ("flag", 1, "true"),
        ("flag", 2, None),
        ("flag", "yes", None),
        ("date", "1990-02-28", "1990-02-28"),
        ("date", "1990-02-30", None),
        ("date", "28.02.1990", None),
        ("date", "2026-01-01T00:00:00+02:00", "2025-12-31T22:00:00Z"),
        ("date", "2026-01-01T10:00:00.1234567Z", "2026-01-01T10:00:00.123Z"),
        ("date", "2026-01-01T10:00:00", None),
        ("date", "0001-01-01T00:00:00+02:00", None),
        ("date", 1_767_225_600, None),
        ("list", ["a", "b", "a", 1, True], '["a","b","1","true"]'),
        ("list", '["x"]', '["x"]'),
        ("list", [], ""),
        ("list", "a,b", None),
        ("list", "[" * 4_000, None),
        ("list", ["a", {"b": 1}], None),
        ("list", ["a"] * (LIST_MAX + 1), None),
    ],
)
def test_a_value_becomes_the_canonical_text_of_its_type_or_nothing(kind: str, value: Any, expected: str | None) -> None:
    assert canonical_text(kind, value) == expected


@pytest.mark.parametrize(("kind", "value"), [("number", 12.5), ("flag", True), ("list", ["a", "b"]), ("text", 7)])
def test_a_canonical_text_stays_as_it_is(kind: str, value: Any) -> None:
    text = canonical_text(kind, value)
    assert canonical_text(kind, text) == text


def test_names_of_sources_and_dotted_names_find_their_attribute() -> None:
    found = traits_of(birth_date="1990-05-14", address={"city": "Oslo", "details": {"zip": "0150"}}, plan="gold")
    assert found == {"birthday": "1990-05-14", "address.city": "Oslo", "zip": "0150", "plan": "gold"}
    assert traits_of(**{"address.city": "Bergen"}) == {"address.city": "Bergen"}


def test_of_several_names_the_first_in_the_catalogue_is_taken() -> None:
    assert traits_of(dob="1991-01-01", birth_date="1992-02-02") == {"birthday": "1992-02-02"}
    assert traits_of(birth_date="1992-02-02", birthday="1993-03-03") == {"birthday": "1993-03-03"}


def test_an_empty_trait_is_one_that_is_taken_away_and_an_empty_property_is_none() -> None:
    found = attributed(
        arrived({"points": None, "score": ""}, {"plan": None, "tags": [], "vip": ""}), SETTINGS
    ).touchpoint
    assert (found.properties, found.traits) == ({}, {"plan": "", "tags": "", "vip": ""})


def test_what_is_let_go_is_said_and_the_event_goes_on() -> None:
    given = arrived(
        {"score": "many", "colour": "red", "points": "5"},
        {"plan": "x" * (TRAIT_BYTES_MAX + 1), "address": {"street": "Main"}, "other": {"deep": 1}},
    )
    found = attributed(given, SETTINGS)
    assert (found.touchpoint.properties, found.touchpoint.traits) == ({"points": "5"}, {})
    assert set(found.let_go) == {
        LetGo("event", "score", WRONG_TYPE),
        LetGo("event", "colour", NOT_NAMED),
        LetGo("customer", "plan", TOO_LONG),
        LetGo("customer", "address.street", NOT_NAMED),
        LetGo("customer", "other", NOT_NAMED),
    }
    assert ATTRIBUTE_BYTES_MAX > TRAIT_BYTES_MAX


def test_what_a_type_reads_stays_beside_the_attributes() -> None:
    given = Arrived(a_touchpoint("email_bounced", START_MS, properties={"bounce_type": "soft"}), {"points": 3}, {})
    assert attributed(given, SETTINGS).touchpoint.properties == {"bounce_type": "soft", "points": "3"}


def test_without_properties_and_traits_a_touchpoint_stays_the_same_object() -> None:
    given = arrived()
    assert attributed(given, SETTINGS).touchpoint is given.touchpoint


def canonical_of(**fields: Any) -> tuple[Touchpoint, Touchpoint]:
    event = a_touchpoint("page_viewed", START_MS, **fields)
    return event, canonical(event, SETTINGS).touchpoint


def test_properties_of_a_canonical_record_stay_but_those_that_are_named_become_canonical() -> None:
    _, found = canonical_of(properties={"colour": "red", "points": "5.0", "score": "many"})
    assert found.properties == {"colour": "red", "points": "5"}
    event, same = canonical_of(properties={"colour": "red", "points": "5"}, traits={"plan": "gold"})
    assert same is event


def test_traits_of_a_canonical_record_that_are_not_named_are_let_go() -> None:
    _, found = canonical_of(traits={"dob": "1990-05-14", "shoe": "42", "tags": '["a"]', "vip": "TRUE", "plan": ""})
    assert found.traits == {"birthday": "1990-05-14", "tags": '["a"]', "vip": "true", "plan": ""}


def collected(event: Touchpoint) -> Collected:
    found = collect(encode(event), START_MS, SINGLE_OBJECT, SETTINGS)
    assert isinstance(found, Collected)
    return found


def test_the_collector_applies_the_catalogue_and_says_what_it_let_go() -> None:
    event = a_touchpoint("page_viewed", START_MS, traits={"plan": "gold", "shoe": "42"})
    found = collected(event)
    assert decode(found.value).traits == {"plan": "gold"}
    assert found.let_go == (LetGo("customer", "shoe", NOT_NAMED),)


def test_bytes_that_are_canonical_with_their_attributes_go_on_as_they_came() -> None:
    event = a_touchpoint("page_viewed", START_MS, properties={"points": "5"}, traits={"plan": "gold"})
    assert collected(event).value == encode(event)


def test_an_address_in_a_trait_is_hidden_as_anywhere() -> None:
    found = decode(collected(a_touchpoint("page_viewed", START_MS, traits={"plan": "ann@x.de"})).value)
    assert "@" not in found.traits["plan"]


def test_an_address_in_a_type_is_hidden_in_the_name_that_it_becomes() -> None:
    found = decode(collected(a_touchpoint("ann@x.de", START_MS)).value)
    assert (found.type, found.name) == ("custom", address_hash("ann@x.de"))


def test_a_type_that_is_not_canonical_is_the_name_of_a_custom_event() -> None:
    found = decode(collected(a_touchpoint("Quiz Finished", START_MS)).value)
    assert (found.type, found.name) == ("custom", "Quiz Finished")
    event = a_touchpoint("custom", START_MS, name="Quiz Finished")
    assert collected(event).value == encode(event)
