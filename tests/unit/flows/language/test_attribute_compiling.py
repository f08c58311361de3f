"""Conditions on attributes: what each says of a customer and an event."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from pydantic import TypeAdapter

from schemas.touchpoint import Touchpoint
from streams.flows.language.compiling import compile_condition
from streams.flows.language.conditions import Condition
from streams.profiles.attributes import Attributes
from streams.profiles.profile import EMPTY

_CONDITION: TypeAdapter[Any] = TypeAdapter(Condition)
EVENT = Touchpoint("e", "custom", 0, name="Quiz", properties={"score": "7.50", "odd": "1e3", "big": "9" * 41})
NOW = "2026-03-01 10:00"


def holds(condition: dict[str, Any], zone: str = "UTC", now: str = NOW, **traits: str) -> bool:
    """At a time of that zone, for a customer whose own zone is not known."""
    profile = msgspec.structs.replace(EMPTY, attributes=Attributes(dict(sorted(traits.items())), (1,) * len(traits)))
    now_ms = round(datetime.fromisoformat(now).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)
    return compile_condition(_CONDITION.validate_python(condition), zone)(profile, EVENT, now_ms)


@pytest.mark.parametrize(
    ("bounds", "met"),
    [
        ({"above": 500}, {"500.0001", "501"}),
        ({"at_least": 500}, {"500", "500.0001", "501"}),
        ({"below": 500}, {"-3", "499.9999999999999999"}),
        ({"at_most": 500}, {"-3", "499.9999999999999999", "500"}),
        ({"at_least": 499.5, "below": 501}, {"499.9999999999999999", "500", "500.0001"}),
    ],
)
def test_numbers_are_compared_exactly(bounds: dict[str, Any], met: set[str]) -> None:
    texts = {"-3", "499.9999999999999999", "500", "500.0001", "501"}
    assert {text for text in texts if holds({"field": "traits.points", **bounds}, points=text)} == met


def test_a_bound_is_the_decimal_that_the_file_shows() -> None:
    assert holds({"field": "traits.points", "at_least": 0.1, "at_most": 0.1}, points="0.1")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"field": "event.properties.score", "at_least": 7.5}, True),
        ({"field": "event.properties.odd", "at_least": 1}, False),
        ({"field": "event.properties.big", "at_least": 1}, False),
        ({"field": "event.properties.none", "at_least": 1}, False),
        ({"field": "event.name", "is": ["Quiz"]}, True),
        ({"field": "traits.plan", "is": ["gold", "silver"]}, True),
        ({"field": "traits.plan", "above": 1}, False),
        ({"field": "traits.plan", "known": True}, True),
        ({"field": "traits.gone", "known": True}, False),
        ({"field": "traits.gone", "known": False}, True),
        ({"field": "traits.other", "known": False}, True),
        ({"field": "traits.vip", "is": True}, True),
        ({"field": "traits.vip", "is": False}, False),
        ({"field": "traits.plan", "is": False}, False),
        ({"field": "traits.tags", "contains": ["b", "x"]}, True),
        ({"field": "traits.tags", "contains": ["x"]}, False),
        ({"field": "traits.plan", "contains": ["gold"]}, False),
        ({"field": "language", "is": ["de"]}, True),
    ],
)
def test_each_kind_asks_for_its_own_type(condition: dict[str, Any], *, expected: bool) -> None:
    assert holds(condition, plan="gold", gone="", vip="true", tags='["a","b"]', language="de") is expected


@pytest.mark.parametrize(
    ("given", "date", "expected"),
    [
        ({"today": True}, "2026-03-01", True),
        ({"today": True}, "1990-03-01", False),
        ({"today": True, "yearly": True}, "1990-03-01", True),
        ({"today": True, "yearly": True}, "1990-03-02", False),
        ({"today": True, "yearly": True}, "1992-02-29", False),
        ({"within_next": "2d"}, "2026-03-01", True),
        ({"within_next": "2d"}, "2026-03-03", True),
        ({"within_next": "2d"}, "2026-03-04", False),
        ({"within_next": "2d"}, "2026-02-28", False),
        ({"within_next": "2d", "yearly": True}, "1990-03-03", True),
        ({"within_next": "305d", "yearly": True}, "1990-12-31", True),
        ({"within_next": "2d", "yearly": True}, "1990-02-28", False),
        ({"at_least": "10h"}, "2026-03-01", True),
        ({"at_least": "11h"}, "2026-03-01", False),
        ({"at_most": "1d"}, "2026-03-02", False),
        ({"at_most": "1d"}, "2026-02-27", False),
        ({"at_least": "1h", "at_most": "2h"}, "2026-03-01T08:30:00Z", True),
        ({"at_least": "6570d"}, "2007-03-01", True),
        ({"today": True}, "soon", False),
        ({"within_next": "2d", "yearly": True}, "soon", False),
        ({"at_least": "0s"}, "soon", False),
    ],
)
def test_dates(given: dict[str, Any], date: str, *, expected: bool) -> None:
    assert holds({"field": "traits.day", **given}, day=date) is expected


def test_a_day_is_that_of_the_customer() -> None:
    birthday = {"field": "traits.day", "today": True, "yearly": True}
    for zone in ("Asia/Tokyo", "America/Los_Angeles"):
        assert holds(birthday, zone, "2026-03-01 00:00", day="1990-03-01")
        assert holds(birthday, zone, "2026-03-01 23:59", day="1990-03-01")
        assert not holds(birthday, zone, "2026-02-28 23:59", day="1990-03-01")
    assert holds(birthday, now="2026-02-28 12:00", day="1992-02-29")
    assert holds(birthday, now="2028-02-29 12:00", day="1992-02-29")
    assert not holds(birthday, now="2028-02-28 12:00", day="1992-02-29")
