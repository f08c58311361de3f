"""Credit of a user who is merged: what is reversed, what stays where there is too much, and what is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.outputs import Credit
from streams.attribution.moving import with_credit_elsewhere, with_credit_reversed
from streams.attribution.slices import has_wrong_worth, with_slice
from streams.profiles.effects import Effects
from streams.profiles.moment import Moment
from streams.profiles.profile import Conversion, Profile, Uncredited
from tests.support.world import START_MS, World

if TYPE_CHECKING:
    import pytest


def a_conversion(order_id: str, minor: int = 4_200, at_ms: int = START_MS) -> Conversion:
    return Conversion(order_id, at_ms, minor, "EUR", (), 0)


def a_moment(customer: str = "u:2") -> Moment:
    return Moment(customer, START_MS, "link", World().settings, Effects())


def rows(at: Moment) -> list[tuple[str, str, str, int]]:
    records = [record for _, record in at.effects.outputs if isinstance(record, Credit) and record.model == "linear"]
    return [(row.customer, row.order_id, row.kind, row.amount_minor) for row in records]


def test_all_rows_are_reversed_and_the_survivor_writes_them_with_other_ids() -> None:
    at, profile = a_moment(), Profile(conversions=(a_conversion("a"), a_conversion("b", 0)), rules=4)
    moved = with_credit_reversed(profile, at)
    assert rows(at) == [("u:2", "a", "reversal", -4_200)]
    assert has_wrong_worth(moved)
    survivor = a_moment("u:1")
    after = with_slice(moved, survivor)
    assert rows(survivor) == [("u:1", "a", "credit", 4_200)]
    assert (after.uncredited, after.conversions[0].revision) == ((), 2)


def test_rows_that_are_still_those_of_before_are_the_ones_that_are_reversed() -> None:
    at, before = a_moment(), a_conversion("a", 1_000)
    profile = Profile(conversions=(a_conversion("a"),), uncredited=(Uncredited("a", (before,)),), rules=4)
    moved = with_credit_reversed(profile, at)
    assert rows(at) == [("u:2", "a", "reversal", -1_000)]
    assert [each.value_minor for each in moved.uncredited[0].written] == [0]


def test_older_conversions_stay_where_there_are_too_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.attribution.moving.ROWS_MAX", 1)
    at, profile = a_moment(), Profile(conversions=(a_conversion("a"), a_conversion("b", 700, START_MS + 1)), rules=4)
    moved = with_credit_reversed(profile, at)
    assert rows(at) == [("u:2", "b", "reversal", -700)]
    assert [each.order_id for each in moved.uncredited] == ["b"]


def test_a_new_conversion_of_a_kept_profile_has_its_rows_elsewhere() -> None:
    before = Profile(conversions=(a_conversion("a"),), rules=4)
    after = Profile(conversions=(a_conversion("a"), a_conversion("b")), rules=4)
    (item,) = with_credit_elsewhere(after, before).uncredited
    assert (item.order_id, [each.value_minor for each in item.written]) == ("b", [0])
