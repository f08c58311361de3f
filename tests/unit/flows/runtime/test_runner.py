"""The abandoned cart's story, and what each no in it says."""

from __future__ import annotations

import pytest

from schemas.outputs import TriggerProduct
from schemas.units import HOUR_MS
from streams.flows.language.flow_set import compile_flows
from streams.flows.runtime.ending import end_lost_to_merge
from streams.profiles.effects import hash_64
from streams.profiles.moment import Moment
from streams.profiles.profile import Sent
from tests.support.flows import a_flow
from tests.support.journeys import GRANTED, START_MS, Journey, an_event


def test_a_cart_left_for_two_hours_sends_a_reminder() -> None:
    journey = Journey()
    event = an_event()
    journey.meets(event)
    assert journey.profile.runs[0].due_ms == START_MS + 2 * HOUR_MS
    assert journey.open == 1
    journey.comes_due()
    (trigger,) = journey.triggers
    assert (trigger.due_ms, trigger.expires_ms) == (START_MS + 2 * HOUR_MS, START_MS + 26 * HOUR_MS)
    assert trigger.products == (TriggerProduct("sku-1", 1_050, 2), TriggerProduct("sku-2", 500, 1))
    assert trigger.facts["cart_total_minor"] == "2600"
    assert (trigger.user_id, trigger.email_hash, trigger.channel) == ("1", "hash", "email")
    candidate = journey.decisions[-1].candidate_id
    to = hash_64("hash")
    sent = Sent(trigger.decided_ms, "email", "abandoned_cart", True, candidate, to)  # noqa: FBT003
    assert journey.profile.messages == (sent,)
    assert journey.profile.runs == ()
    assert [(item.outcome, item.final, item.cause) for item in journey.decisions] == [
        ("entered", False, event.event_id),
        ("sent", True, event.event_id),
    ]
    assert journey.effects.counts == {
        ("decisions", 0, "outcome=entered"): 1,
        ("decisions", 0, "outcome=sent"): 1,
        ("decisions_open", 0, ""): 0,
        ("triggers", 0, ""): 1,
        ("messages", trigger.decided_ms - trigger.decided_ms % HOUR_MS, "flow=abandoned_cart"): 1,
    }


def test_a_further_article_puts_the_reminder_off() -> None:
    journey = Journey()
    journey.meets(an_event())
    journey.meets(an_event(time_ms=START_MS + HOUR_MS))
    assert [run.due_ms for run in journey.profile.runs] == [START_MS + 3 * HOUR_MS]
    assert journey.outcomes == ["entered"]


def test_an_earlier_article_that_comes_late_does_not_bring_it_forward() -> None:
    journey = Journey()
    journey.meets(an_event())
    before = journey.profile
    journey.meets(an_event(time_ms=START_MS - HOUR_MS), received_ms=START_MS)
    assert journey.profile is before


def test_a_wait_that_does_not_restart_counts_from_the_first_article() -> None:
    journey = Journey(a_flow(wait={"for": "2h", "restarts": False}))
    journey.meets(an_event())
    before = journey.profile
    journey.meets(an_event(time_ms=START_MS + HOUR_MS))
    assert journey.profile is before


@pytest.mark.parametrize("kind", ["order_completed", "ticket_opened", "loyalty_changed", "email_unsubscribed"])
def test_a_promotional_flow_ends_by_default_on_what_makes_it_unwelcome(kind: str) -> None:
    journey = Journey()
    journey.meets(an_event())
    journey.meets(an_event(kind))
    assert journey.profile.runs == ()
    assert journey.outcomes == ["entered", "exited"]
    assert journey.decisions[-1].evidence["event"] == kind
    assert journey.open == 0


def test_the_event_of_the_entry_is_never_an_exit() -> None:
    journey = Journey(a_flow(entry={"event": "order_completed"}))
    journey.meets(an_event("order_completed"))
    journey.meets(an_event("order_completed", START_MS + 1))
    assert journey.outcomes == ["entered"]


def test_a_file_may_name_other_exits() -> None:
    journey = Journey(a_flow(exits=["signed_up"]))
    journey.meets(an_event())
    journey.meets(an_event("order_completed"))
    journey.meets(an_event("signed_up"))
    assert journey.outcomes == ["entered", "exited"]
    assert journey.decisions[-1].evidence["event"] == "signed_up"


def test_an_event_that_no_flow_listens_to_changes_nothing() -> None:
    journey = Journey()
    before = journey.profile
    journey.meets(an_event("page_viewed"))
    journey.meets(an_event("order_completed"))
    assert journey.profile is before
    assert journey.effects.outputs == []


def test_a_flow_that_is_no_longer_published_ends() -> None:
    journey = Journey()
    journey.meets(an_event())
    journey.flows = compile_flows(())
    journey.comes_due()
    assert journey.outcomes == ["entered", "exited"]
    assert journey.profile.runs == ()


def test_a_customer_of_an_older_version_is_decided_by_the_published_one() -> None:
    journey = Journey()
    journey.meets(an_event())
    journey.flows = compile_flows([a_flow(version=2, channel="sms")])
    journey.comes_due()
    entered, sent = journey.decisions
    assert (entered.flow_version, sent.flow_version) == (1, 2)
    assert entered.candidate_id == sent.candidate_id
    assert journey.triggers[0].channel == "sms"


def test_a_candidate_lost_in_a_merge_has_a_final_record() -> None:
    journey = Journey()
    journey.meets(an_event())
    end_lost_to_merge(journey.profile.runs[0], Moment("u:1", START_MS, "absorbed", GRANTED, journey.effects))
    assert journey.outcomes == ["entered", "exited"]
    assert journey.open == 0


def test_ids_follow_from_the_cause_alone() -> None:
    one, other = Journey(), Journey()
    event = an_event()
    for journey in (one, other):
        journey.meets(event)
        journey.comes_due()
    assert one.effects.outputs == other.effects.outputs


def test_one_event_may_enter_several_flows_and_end_others() -> None:
    flows = [
        a_flow(id="cart"),
        a_flow(id="cart_sms", channel="sms"),
        a_flow(id="thanks", entry={"event": "order_completed"}),
    ]
    journey = Journey(*flows)
    journey.meets(an_event())
    journey.meets(an_event("order_completed"))
    assert [(item.flow_id, item.outcome) for item in journey.decisions] == [
        ("cart", "entered"),
        ("cart_sms", "entered"),
        ("cart", "exited"),
        ("cart_sms", "exited"),
        ("thanks", "entered"),
    ]
