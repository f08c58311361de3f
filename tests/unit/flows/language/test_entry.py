"""The floor of an entry by a segment: how long ago the last order must be."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.units import DAY_MS
from streams.flows.language.entry import Entry
from streams.flows.language.mistakes import parse_flow
from tests.support.flows import a_flow

SIXTY = {"field": "last_order_age", "at_least": "60d"}
LOST = {"segment": ["Lost"]}


@pytest.mark.parametrize(
    ("condition", "days"),
    [
        (SIXTY, 60),
        ({"all": [{"field": "orders", "at_least": 2}, SIXTY]}, 60),
        ({"all": [{"all": [SIXTY]}, {"field": "last_order_age", "at_least": "90d", "at_most": "365d"}]}, 90),
        ({"any": [SIXTY, {"field": "orders", "at_least": 2}]}, 0),
        ({"not": SIXTY}, 0),
        ({"field": "last_order_age", "at_most": "60d"}, 0),
        ({"field": "first_order_age", "at_least": "60d"}, 0),
        (None, 0),
    ],
)
def test_the_floor_is_what_the_condition_asks_for_in_any_case(condition: Any, days: int) -> None:
    assert Entry.model_validate({**LOST, "condition": condition}).floor_ms == days * DAY_MS


def test_only_an_entry_by_a_segment_has_a_floor() -> None:
    assert Entry.model_validate({"event": "signed_up", "condition": SIXTY}).floor_ms == 0
    assert Entry.model_validate({"date": "first_order", "after": "1d", "condition": SIXTY}).floor_ms == 0


@pytest.mark.parametrize(("needs", "days"), [({}, 60), ({"history": "10d"}, 60), ({"history": "180d"}, 180)])
def test_a_flow_needs_as_much_history_as_it_says_and_never_less_than_its_floor(needs: Any, days: int) -> None:
    flow = parse_flow(a_flow(entry={**LOST, "condition": SIXTY}, needs=needs), "here")
    assert flow.history_ms == days * DAY_MS


def test_a_flow_without_a_floor_needs_only_the_history_that_it_says() -> None:
    assert parse_flow(a_flow(), "here").history_ms == 0
    assert parse_flow(a_flow(needs={"history": "30d"}), "here").history_ms == 30 * DAY_MS
