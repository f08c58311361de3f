"""Quiet hours where the customer is."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.flows import QUIET, a_flow
from tests.support.journeys import Journey, an_event, at


def in_quiet_hours(at_ms: int, **changes: Any) -> Journey:
    journey = Journey(a_flow(quiet_hours=QUIET, wait={}, **changes)).has(time_zone="Europe/Oslo")
    journey.meets(an_event(time_ms=at_ms))
    journey.comes_due()
    return journey


def test_a_message_in_quiet_hours_waits_for_the_morning_where_the_customer_is() -> None:
    journey = in_quiet_hours(at("2026-03-28 23:30"))  # the clocks go forward in this night
    assert journey.outcomes == ["entered", "deferred"]
    assert (journey.open, journey.triggers) == (1, [])
    journey.comes_due()
    (trigger,) = journey.triggers
    assert (trigger.due_ms, trigger.expires_ms) == (at("2026-03-29 08:00"), at("2026-03-29 21:00"))
    assert len({item.candidate_id for item in journey.decisions}) == 1


@pytest.mark.parametrize("time", ["08:00", "12:00", "20:59"])
def test_outside_of_quiet_hours_a_message_goes_out_and_expires_when_they_begin(time: str) -> None:
    journey = in_quiet_hours(at(f"2026-03-27 {time}"))
    assert journey.outcomes == ["entered", "sent"]
    assert journey.triggers[0].expires_ms == at("2026-03-27 21:00")


def test_what_expires_in_quiet_hours_is_not_sent() -> None:
    assert in_quiet_hours(at("2026-03-27 05:00"), expires_after="2h").outcomes == ["entered", "quiet"]
    assert in_quiet_hours(at("2026-03-27 06:00"), expires_after="2h").outcomes == ["entered", "deferred"]


def test_an_order_in_the_night_ends_what_waits_for_the_morning() -> None:
    journey = in_quiet_hours(at("2026-03-27 23:00"))
    journey.meets(an_event("order_completed", at("2026-03-27 23:30")))
    assert journey.outcomes == ["entered", "deferred", "exited"]


@pytest.mark.parametrize("zone", [None, "Nowhere/Land", "../../etc/passwd", "Europe", "a" * 512, "a\x00b"])
def test_without_a_zone_that_is_known_the_shops_own_holds(zone: str | None) -> None:
    journey = Journey(a_flow(quiet_hours=QUIET, wait={})).has(time_zone=zone)
    journey.meets(an_event(time_ms=at("2026-03-27 20:59", ZoneInfo("UTC"))))
    journey.comes_due()
    journey.meets(an_event(time_ms=at("2026-03-28 21:00", ZoneInfo("UTC"))))
    journey.comes_due()
    assert journey.outcomes == ["entered", "sent", "entered", "deferred"]
