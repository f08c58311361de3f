"""Entry into a flow by an event, and entry again."""

from __future__ import annotations

import msgspec

from schemas.outputs import TriggerProduct
from schemas.touchpoint import Product, Touchpoint
from schemas.units import DAY_MS, HOUR_MS
from streams.profiles.profile import CartItem
from tests.support.flows import UNCAPPED, a_flow
from tests.support.journeys import CART, START_MS, Journey, an_event, at


def test_old_news_starts_nothing_and_says_so() -> None:
    journey = Journey()
    journey.meets(an_event(), received_ms=START_MS + DAY_MS + 1)
    assert journey.profile.runs == ()
    assert [(item.outcome, item.final) for item in journey.decisions] == [("too_old", True)]
    assert journey.open == 0


def test_an_address_enters_no_flow() -> None:
    journey = Journey(customer="e:hash")
    journey.meets(an_event())
    assert journey.effects.outputs == []


def test_a_late_entry_is_due_at_once_not_in_the_past() -> None:
    journey = Journey()
    journey.meets(an_event(), received_ms=START_MS + 3 * HOUR_MS)
    assert journey.profile.runs[0].due_ms == START_MS + 3 * HOUR_MS


def test_an_entry_may_ask_for_a_condition() -> None:
    flow = a_flow(entry={"event": "product_added", "condition": {"field": "cart_total_minor", "at_least": 2_601}})
    journey = Journey(flow)
    journey.meets(an_event())
    assert journey.outcomes == []
    journey.has(cart=msgspec.structs.replace(CART, items=(CartItem("sku-1", 2_601, 1),)))
    journey.meets(an_event())
    assert journey.outcomes == ["entered"]


def test_a_customer_enters_again_only_after_the_time_that_the_flow_says() -> None:
    journey = Journey(a_flow(reentry="30d", wait={}, caps=UNCAPPED))
    for days in (0, 29, 30, 59):
        journey.meets(an_event(time_ms=START_MS + days * DAY_MS))
        while journey.profile.runs:
            journey.comes_due()
    assert [(item.decided_ms - START_MS) // DAY_MS for item in journey.triggers] == [0, 30]


def test_a_flow_may_be_once_in_a_life() -> None:
    journey = Journey(a_flow(reentry="never"))
    journey.meets(an_event())
    journey.comes_due()
    journey.meets(an_event(time_ms=START_MS + 9_000 * DAY_MS))
    assert journey.outcomes == ["entered", "sent"]


def test_no_one_enters_outside_of_the_period_and_nothing_is_sent_after_it() -> None:
    valid = {"from": "2026-03-01T00:00:00+01:00", "to": "2026-03-02T00:00:00+01:00"}
    journey = Journey(a_flow(valid=valid))
    journey.meets(an_event(time_ms=at("2026-02-28 23:59")))
    assert journey.outcomes == []
    journey.meets(an_event(time_ms=at("2026-03-01 00:00")))
    journey.comes_due()
    journey.meets(an_event(time_ms=at("2026-03-01 23:00")))
    journey.comes_due()
    assert journey.outcomes == ["entered", "sent", "entered", "exited"]
    journey.meets(an_event(time_ms=at("2026-03-02 00:00")))
    assert len(journey.outcomes) == 4


def test_a_flow_may_show_the_articles_of_its_entry() -> None:
    journey = Journey(a_flow(products="entry", needs={}))
    seen = Product("rug", 3_600, 0)
    journey.meets(Touchpoint(event_id="e", type="product_added", time_ms=START_MS, products=(seen,)))
    journey.comes_due()
    assert journey.triggers[0].products == (TriggerProduct("rug", 3_600, 1),)
