"""A customer's way through a flow of several steps, and what stands in the way of a message."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from schemas.outputs import TriggerProduct
from schemas.touchpoint import Product, Touchpoint
from schemas.units import DAY_MS, HOUR_MS
from streams.flows.language.assignment import arm_of
from streams.flows.language.flow_set import compile_flows
from streams.flows.language.mistakes import FlowError
from streams.profiles.profile import ConsentState, PlacedOrder, Sent
from tests.unit.test_flows import START_MS, Journey, a_flow, an_event
from tests.unit.test_flows_definition import a_document

if TYPE_CHECKING:
    from schemas.outputs import Decision

OSLO = ZoneInfo("Europe/Oslo")
SERIES = (
    {"name": "first", "do": "trigger"},
    {"name": "a_day", "do": "wait", "for": "24h"},
    {"name": "second", "do": "trigger"},
)
UNCAPPED = {"per_channel_hours": 0, "per_week": 100}


def at(text: str, zone: ZoneInfo = OSLO) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def a_series(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return a_flow(steps=steps or SERIES, caps=UNCAPPED, **changes)


def told(decisions: list[Decision]) -> list[tuple[str, str]]:
    return [(item.step, item.outcome) for item in decisions]


def through(*steps: dict[str, Any], **changes: Any) -> Journey:
    """A customer who has gone through all of it."""
    journey = Journey(a_series(*steps, **changes))
    journey.meets(an_event())
    while journey.profile.runs:
        journey.comes_due()
    return journey


def test_a_second_message_follows_a_day_after_the_first() -> None:
    journey = through()
    assert [(item.step, item.due_ms - START_MS) for item in journey.triggers] == [
        ("first", 2 * HOUR_MS),
        ("second", 26 * HOUR_MS),
    ]
    assert len({item.trigger_id for item in journey.triggers}) == 2


def test_each_message_is_a_candidate_of_its_own_with_one_final_record() -> None:
    journey = through()
    assert told(journey.decisions) == [
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
    assert told(journey.decisions)[2:] == [("a_day", "entered"), ("second", "exited")]
    assert journey.open == 0


def test_who_is_past_the_first_message_does_not_begin_anew_with_another_article() -> None:
    journey = Journey(a_series())
    journey.meets(an_event())
    journey.comes_due()
    before = journey.profile
    journey.meets(an_event(time_ms=START_MS + 30 * HOUR_MS))
    assert journey.profile is before


def test_a_flow_that_begins_anew_begins_anew_with_another_article_once_a_message_is_out() -> None:
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
    assert told(journey.decisions)[2:5] == [("a_day", "entered"), ("second", "exited"), ("first", "entered")]
    assert journey.decisions[3].reason == "product_added started the flow again for this customer."
    assert journey.open == 0


def test_an_article_of_before_the_last_one_begins_nothing_anew() -> None:
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
    assert told(journey.decisions) == [
        ("first", "entered"),
        ("first", "capped"),
        ("a_day", "entered"),
        ("second", "sent"),
    ]


@pytest.mark.parametrize(("share", "consented", "outcome"), [(100, 1, "held_out"), (0, 0, "no_consent")])
def test_who_is_held_out_or_does_not_consent_is_told_once(share: int, consented: int, outcome: str) -> None:
    journey = Journey(a_series(holdout_percent=share))
    journey.has(consents=(ConsentState("email", bool(consented), 1),))
    journey.meets(an_event())
    journey.comes_due()
    assert told(journey.decisions) == [("first", "entered"), ("first", outcome)]
    assert journey.profile.runs == ()


BRANCHED = (
    {"name": "big", "do": "branch", "if": {"field": "cart_total_minor", "at_least": 5_000}, "then": "gift"},
    {"name": "plain", "do": "trigger", "next": "end"},
    {"name": "gift", "do": "trigger"},
)


@pytest.mark.parametrize(("least_minor", "step"), [(2_600, "gift"), (2_601, "plain")])
def test_a_branch_goes_by_its_condition(least_minor: int, step: str) -> None:
    big = {**BRANCHED[0], "if": {"field": "cart_total_minor", "at_least": least_minor}}
    assert [item.step for item in through(big, *BRANCHED[1:]).triggers] == [step]


def test_a_branch_may_end_the_flow() -> None:
    few = {"name": "few", "do": "branch", "if": {"field": "orders", "at_most": 0}, "then": "end"}
    journey = through(few, {"name": "thanks", "do": "trigger"})
    assert told(journey.decisions) == [("few", "entered"), ("few", "exited")]
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


def test_customers_are_split_into_arms_by_their_shares_and_each_goes_his_way() -> None:
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


def test_who_is_expected_at_no_date_leaves_the_flow() -> None:
    journey = Journey(a_series(*FORESEEN)).has(orders=(PlacedOrder(START_MS - DAY_MS, 1, 0, 1),))
    journey.meets(an_event())
    journey.comes_due()
    assert journey.decisions[-1].reason == "The profile has no next_order, so the customer left the flow."
    assert (journey.triggers, journey.open) == ([], 0)


def test_another_entry_takes_who_has_had_no_message_back_to_the_first_step() -> None:
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
CHECKED = (SERIES[0], SERIES[1], {"name": "done", "do": "check_goal"}, SERIES[2])


def test_who_has_reached_the_goal_gets_no_further_message() -> None:
    journey = Journey(a_series(*CHECKED, **GOAL))
    journey.meets(an_event())
    journey.comes_due()
    journey.meets(an_event("signed_up", START_MS + 5 * HOUR_MS))
    journey.comes_due()
    assert told(journey.decisions)[-1] == ("done", "exited")
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


# entry


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


# what stands in the way


def test_a_message_needs_that_its_condition_still_holds() -> None:
    condition = {"field": "orders", "at_least": 1}
    journey = Journey(a_flow(needs={"cart": "not_empty", "condition": condition}))
    journey.meets(an_event())
    journey.comes_due()
    assert journey.outcomes == ["entered", "exited"]
    assert journey.decisions[-1].reason == "The customer no longer meets what the flow needs, so they left it."


QUIET = {"from": "21:00", "to": "08:00"}


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


@pytest.mark.parametrize("zone", [None, "Nowhere/Land", "../../etc/passwd"])
def test_without_a_zone_that_is_known_the_shops_own_holds(zone: str | None) -> None:
    journey = Journey(a_flow(quiet_hours=QUIET, wait={})).has(time_zone=zone)
    journey.meets(an_event(time_ms=at("2026-03-27 20:59", ZoneInfo("UTC"))))
    journey.comes_due()
    journey.meets(an_event(time_ms=at("2026-03-28 21:00", ZoneInfo("UTC"))))
    journey.comes_due()
    assert journey.outcomes == ["entered", "sent", "entered", "deferred"]


def test_of_the_channels_the_first_with_consent_is_taken() -> None:
    flow = a_flow(channels=["push", "sms", "email"])
    del flow["channel"]
    journey = Journey(flow).has(consents=(ConsentState("push", granted=False, time_ms=1),))
    journey.meets(an_event())
    journey.comes_due()
    assert [item.channel for item in journey.triggers] == ["sms"]
    assert [item.channel for item in journey.profile.messages] == ["sms"]
    journey.has(consents=(ConsentState("all", granted=False, time_ms=1),))
    journey.meets(an_event())
    journey.comes_due()
    assert journey.decisions[-1].reason == (
        "There is no consent from the customer to messages by push or sms or email, so none was sent."
    )


@pytest.mark.parametrize(("channel", "outcome"), [(None, "capped"), ("email", "sent"), ("sms", "sent")])
def test_a_cap_counts_a_channel_or_all_in_its_window(channel: str | None, outcome: str) -> None:
    cap = {"messages": 2, "within": "10d"} | ({"channel": channel} if channel else {})
    messages = (Sent(START_MS, "sms", "other", is_promotional=True),) * 2
    messages = (*messages[:1], msgspec.structs.replace(messages[0], channel="email"))
    journey = Journey(a_flow(caps=UNCAPPED | {"rolling": [cap]}, wait={"for": "9d"})).has(messages=messages)
    journey.meets(an_event())
    journey.comes_due()
    assert journey.outcomes == ["entered", outcome]


def test_after_its_message_a_flow_may_keep_others_silent() -> None:
    loud = a_flow(id="win_back", entry={"event": "signed_up"}, suppresses="7d", wait={}, caps=UNCAPPED)
    thanks = a_flow(**{"class": "transactional"}, id="thanks", entry={"event": "order_completed"}, wait={})
    journey = Journey(loud, a_flow(wait={}, caps=UNCAPPED), thanks)
    journey.meets(an_event("signed_up"))
    journey.comes_due()
    for kind, days in (("product_added", 6), ("order_completed", 6), ("signed_up", 6), ("product_added", 13)):
        journey.meets(an_event(kind, START_MS + days * DAY_MS))
        journey.comes_due()
    final = [(item.flow_id, item.outcome) for item in journey.decisions if item.final]
    assert final == [
        ("win_back", "sent"),
        ("abandoned_cart", "suppressed"),
        ("thanks", "sent"),
        ("win_back", "sent"),
        ("abandoned_cart", "sent"),
    ]


# what a file may not say


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": [*SERIES, SERIES[0]]}, r"steps is .*: the names of steps differ, and none is end"),
        ({"steps": SERIES[:2]}, r"steps is .*: a_day is last and sends nothing; the last step is a trigger"),
        (
            {"steps": [{**SERIES[0], "next": "first"}, SERIES[2]]},
            r"steps is .*: first leads to 'first'; allowed are end and the names of later steps",
        ),
        ({"steps": [{**SERIES[0], "next": "end"}, SERIES[2]]}, r"steps is .*: no step leads to second"),
        (
            {"steps": [SERIES[0], {**SERIES[1], "next": "end"}, SERIES[2]]},
            r"steps is .*: nothing is sent after a_day: it leads to end only",
        ),
        ({"steps": [{**SERIES[1], "for": "0s"}, SERIES[0]]}, r"steps\[0\]\.for is '0s': allowed is more than 0s"),
        (
            {"steps": [{"name": "a", "do": "wait_until", "time": "24:00"}, SERIES[0]]},
            r"steps\[0\]\.time is '24:00': allowed are times of day from 00:00 to 23:59, such as 08:30",
        ),
        (
            {"steps": [{**BRANCHED[0], "then": "plain", "else": "plain"}, BRANCHED[1]]},
            r"steps\[0\] is .*: then and else name the same step: there is nothing to choose",
        ),
        (
            {"steps": [{**BRANCHED[0], "if": {"field": "orders"}}, *BRANCHED[1:]]},
            r"steps\[0\]\.if is {'field': 'orders'}: a condition needs at_least, at_most or both",
        ),
        (
            {
                "steps": [
                    {"name": "t", "do": "split", "arms": [{"name": "a", "percent": 50}, {"name": "b", "percent": 40}]},
                    SERIES[0],
                ]
            },
            r"steps\[0\] is .*: the percent of its arms add up to 90; they add up to 100",
        ),
        (
            {
                "steps": [
                    {
                        "name": "t",
                        "do": "split",
                        "arms": [{"name": "holdout", "percent": 50}, {"name": "b", "percent": 50}],
                    },
                    SERIES[0],
                ]
            },
            r"steps\[0\] is .*: the names of arms differ, and are none of treatment, holdout, shadow, unassigned",
        ),
        ({"steps": CHECKED}, r"check_goal finds nothing: order_completed, the goal, ends the flow by itself \(exits\)"),
        ({"entry": {}}, r"entry is {}: an entry is an event, a segment or a date, one of the three"),
        ({"entry": {"segment": ["Winners"]}}, r"entry is .*: there is no segment 'Winners'; allowed are Champions, .*"),
        ({"entry": {"segment": ["Lost"]}, "products": "entry"}, r"products is entry, and the entry is no event: .*"),
        ({"channels": ["sms"]}, r"a flow has a channel, or channels in order, one of the two"),
        ({"channel": None, "channels": ["sms", "sms"]}, r"channels names one twice"),
        ({"reentry": "sometimes"}, r"reentry is 'sometimes': allowed are always, never and how long after an entry .*"),
        ({"quiet_hours": {"from": "8", "to": "21:00"}}, r"quiet_hours\.from is '8': allowed are times of day from .*"),
        ({"quiet_hours": {"from": "08:00", "to": "08:00"}}, r"quiet_hours is .*: from and to are the same .*"),
        ({"quiet_hours": QUIET, "class": "transactional"}, r"quiet_hours are for promotional flows: .*"),
        ({"suppresses": "31d"}, r"suppresses is '31d': allowed is more than 0s and at most 30d, .*"),
        ({"caps": {"rolling": [{"messages": 1, "within": "40d"}]}}, r"caps\.rolling\[0\]\.within is '40d': .*"),
        ({"valid": {}}, r"valid is {}: a period of validity needs from, to or both"),
        ({"valid": {"from": "2026-01-01T00:00:00"}}, r"valid\.from is '2026-01-01T00:00:00': .* timezone .*"),
        (
            {"valid": {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}},
            r"valid is .*: from is not before to: the flow would never be valid",
        ),
    ],
)
def test_what_would_do_nothing_or_other_than_it_says_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FlowError, match=rf"^flows\[0\]: {message}$"):
        compile_flows([a_document(**changes)])
