"""A customer's way through a flow of several steps, and what prevents a message."""

from __future__ import annotations

import pytest

from schemas.units import DAY_MS, HOUR_MS
from streams.flows.language.assignment import arm_of
from streams.flows.language.flow_set import compile_flows
from streams.profiles.profile import PlacedOrder, Sent
from streams.profiles.statement import ConsentState
from tests.support.flows import BRANCHED, CHECKED, SERIES, a_flow, a_series
from tests.support.journeys import START_MS, Journey, an_event, at, through


def test_a_second_message_follows_a_day_after_the_first() -> None:
    journey = through()
    assert [(item.step, item.due_ms - START_MS) for item in journey.triggers] == [
        ("first", 2 * HOUR_MS),
        ("second", 26 * HOUR_MS),
    ]
    assert len({item.trigger_id for item in journey.triggers}) == 2


def test_each_message_is_a_candidate_of_its_own_with_one_final_record() -> None:
    journey = through()
    assert journey.outcomes_by_step == [
        ("first", "entered"),
        ("first", "sent"),
        ("a_day", "entered"),
        ("second", "sent"),
    ]
    first, sent, again, second = journey.decisions
    assert first.candidate_id == sent.candidate_id != again.candidate_id == second.candidate_id
    assert again.reason == "After the step first the customer goes on to a_day."
    assert journey.open == 0


def test_an_order_between_two_messages_ends_the_flow() -> None:
    journey = Journey(a_series())
    journey.meets(an_event())
    journey.comes_due()
    journey.meets(an_event("order_completed", START_MS + 3 * HOUR_MS))
    assert journey.outcomes_by_step[2:] == [("a_day", "entered"), ("second", "exited")]
    assert journey.open == 0


def test_a_customer_past_the_first_message_does_not_begin_again_with_another_article() -> None:
    journey = Journey(a_series())
    journey.meets(an_event())
    journey.comes_due()
    before = journey.profile
    journey.meets(an_event(time_ms=START_MS + 30 * HOUR_MS))
    assert journey.profile is before


def test_a_flow_that_begins_anew_begins_again_with_another_article_once_a_message_is_out() -> None:
    journey = Journey(a_series(begins_anew=True))
    journey.meets(an_event())
    journey.comes_due()
    journey.meets(an_event(time_ms=START_MS + 20 * HOUR_MS))
    while journey.profile.runs:
        journey.comes_due()
    assert [(item.step, item.due_ms - START_MS) for item in journey.triggers] == [
        ("first", 2 * HOUR_MS),
        ("first", 22 * HOUR_MS),
        ("second", 46 * HOUR_MS),
    ]
    assert len({item.trigger_id for item in journey.triggers}) == 3
    assert journey.outcomes_by_step[2:5] == [
        ("a_day", "entered"),
        ("second", "exited"),
        ("first", "entered"),
    ]
    assert journey.decisions[3].reason == "product_added started the flow again for this customer."
    assert journey.open == 0


def test_an_article_from_before_the_last_one_begins_nothing_again() -> None:
    journey = Journey(a_series(begins_anew=True))
    journey.meets(an_event())
    journey.comes_due()
    before = journey.profile
    journey.meets(an_event(time_ms=START_MS - HOUR_MS))
    assert journey.profile is before


def test_a_capped_message_is_followed_by_the_next() -> None:
    journey = Journey(a_flow(steps=SERIES))
    journey.has(messages=(Sent(START_MS, "email", "other", is_promotional=True),))
    journey.meets(an_event())
    journey.comes_due()
    journey.comes_due()
    assert journey.outcomes_by_step == [
        ("first", "entered"),
        ("first", "capped"),
        ("a_day", "entered"),
        ("second", "sent"),
    ]


@pytest.mark.parametrize(("share", "consented", "outcome"), [(100, 1, "held_out"), (0, 0, "no_consent")])
def test_a_customer_who_is_held_out_or_does_not_consent_has_one_decision_about_it(
    share: int, consented: int, outcome: str
) -> None:
    journey = Journey(a_series(holdout_percent=share))
    journey.has(consents=(ConsentState("email", bool(consented), 1),))
    journey.meets(an_event())
    journey.comes_due()
    assert journey.outcomes_by_step == [("first", "entered"), ("first", outcome)]
    assert journey.profile.runs == ()


@pytest.mark.parametrize(("least_minor", "step"), [(2_600, "gift"), (2_601, "plain")])
def test_a_branch_goes_by_its_condition(least_minor: int, step: str) -> None:
    big = {**BRANCHED[0], "if": {"field": "cart_total_minor", "at_least": least_minor}}
    assert [item.step for item in through(big, *BRANCHED[1:]).triggers] == [step]


def test_a_branch_may_end_the_flow() -> None:
    few = {"name": "few", "do": "branch", "if": {"field": "orders", "at_most": 0}, "then": "end"}
    journey = through(few, {"name": "thanks", "do": "trigger"})
    assert journey.outcomes_by_step == [("few", "entered"), ("few", "exited")]
    assert journey.decisions[-1].reason == "Nothing follows the step few, so the customer left the flow."


SPLIT = (
    {
        "name": "test",
        "do": "split",
        "arms": [
            {"name": "early", "percent": 30},
            {"name": "late", "percent": 70, "next": "later"},
        ],
    },
    {"name": "now", "do": "trigger", "next": "end"},
    {"name": "later", "do": "wait", "for": "1h"},
    {"name": "then", "do": "trigger"},
)


def test_customers_are_split_into_arms_by_their_shares_and_each_goes_their_own_way() -> None:
    flow = compile_flows([a_series(*SPLIT)]).flows["abandoned_cart"]
    arms = [arm_of(flow, f"u:{number}") for number in range(10_000)]
    assert set(arms) == {"early", "late"}
    assert 2_800 <= arms.count("early") <= 3_200
    journey = through(*SPLIT)
    (trigger,) = journey.triggers
    expected = {"early": "now", "late": "then"}[arm_of(flow, journey.customer)]
    assert (trigger.step, {item.arm for item in journey.decisions}) == (expected, {trigger.arm})


def test_a_wait_until_ends_at_that_time_of_day_where_the_customer_is() -> None:
    steps = ({"name": "ten", "do": "wait_until", "time": "10:00", "days": [1]}, {"name": "offer", "do": "trigger"})
    journey = Journey(a_series(*steps)).has(time_zone="Europe/Oslo")
    journey.meets(an_event(time_ms=at("2026-03-27 12:00")))  # a Friday; clocks go forward on Sunday
    journey.comes_due()
    journey.comes_due()
    assert journey.triggers[0].due_ms == at("2026-03-30 10:00")


FORESEEN = ({"name": "next", "do": "wait_for_date", "field": "next_order", "before": "2d"}, SERIES[0])


def test_a_wait_for_the_next_order_ends_before_it_is_expected() -> None:
    journey = Journey(a_series(*FORESEEN))
    journey.has(orders=tuple(PlacedOrder(START_MS - days * DAY_MS, 1, 0, days) for days in (25, 13, 5)))
    journey.meets(an_event())
    journey.comes_due()
    journey.comes_due()
    assert [item.due_ms for item in journey.triggers] == [START_MS + (10 - 5 - 2) * DAY_MS]


def test_a_customer_who_is_expected_at_no_date_leaves_the_flow() -> None:
    journey = Journey(a_series(*FORESEEN)).has(orders=(PlacedOrder(START_MS - DAY_MS, 1, 0, 1),))
    journey.meets(an_event())
    journey.comes_due()
    assert journey.decisions[-1].reason == "The profile has no next_order, so the customer left the flow."
    assert (journey.triggers, journey.open) == ([], 0)


def test_another_entry_takes_a_customer_without_a_message_back_to_the_first_step() -> None:
    steps = (SERIES[1], {"name": "more", "do": "wait", "for": "2h"}, SERIES[0], {**SERIES[1], "name": "b"}, SERIES[2])
    journey = Journey(a_series(*steps))
    journey.meets(an_event())
    journey.comes_due()
    journey.comes_due()
    assert journey.profile.runs[0].step == "first"
    journey.meets(an_event(time_ms=START_MS + 27 * HOUR_MS))
    run = journey.profile.runs[0]
    assert (run.step, run.due_ms) == ("a_day", START_MS + 29 * HOUR_MS)
    assert journey.outcomes == ["entered"]


GOAL = {"goal": {"event": "signed_up", "window": "3d"}}


def test_a_customer_who_has_reached_the_goal_gets_no_further_message() -> None:
    journey = Journey(a_series(*CHECKED, **GOAL))
    journey.meets(an_event())
    journey.comes_due()
    journey.meets(an_event("signed_up", START_MS + 5 * HOUR_MS))
    journey.comes_due()
    assert journey.outcomes_by_step[-1] == ("done", "exited")
    assert journey.decisions[-1].evidence == {"goal_time_ms": str(START_MS + 5 * HOUR_MS)}
    assert [item.step for item in through(*CHECKED, **GOAL).triggers] == ["first", "second"]


def test_what_was_reached_before_the_entry_does_not_count() -> None:
    journey = Journey(a_series(*CHECKED, **GOAL))
    journey.meets(an_event())
    journey.meets(an_event("signed_up", START_MS - 1), received_ms=START_MS + 1)
    journey.comes_due()
    journey.comes_due()
    assert [item.step for item in journey.triggers] == ["first", "second"]


def test_a_customer_goes_on_in_a_new_version_at_the_step_of_the_same_name() -> None:
    journey = Journey(a_series())
    journey.meets(an_event())
    journey.comes_due()
    journey.flows = compile_flows([a_series(*SERIES[1:], version=2)])
    journey.comes_due()
    assert [(item.flow_version, item.step) for item in journey.triggers] == [(1, "first"), (2, "second")]


def test_a_customer_whose_step_a_new_version_lacks_has_left() -> None:
    journey = Journey(a_series())
    journey.meets(an_event())
    journey.comes_due()
    journey.flows = compile_flows([a_series({"name": "one", "do": "wait", "for": "1h"}, SERIES[0], version=2)])
    journey.comes_due()
    assert journey.decisions[-1].reason == "Version 2 of the flow has no step second, so the customer left it."
    assert (journey.profile.runs, journey.open) == ((), 0)
