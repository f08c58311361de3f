"""The abandoned cart's story, and what each no in it says."""

from __future__ import annotations

import msgspec
import pytest

from schemas.outputs import TriggerProduct
from schemas.units import DAY_MS, HOUR_MS
from streams.flows.language.arms import HOLDOUT, TREATMENT
from streams.flows.language.assignment import arm_of
from streams.flows.language.flow_set import compile_flows
from streams.flows.runtime.consent import allowed, with_consent
from streams.flows.runtime.runner import end_lost_to_merge
from streams.profiles.moment import Moment
from streams.profiles.profile import CartItem, ConsentState, Sent
from tests.support.flows import a_flow
from tests.support.journeys import CART, DENIED, GRANTED, START_MS, Journey, an_event


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
    assert journey.profile.messages == (Sent(trigger.decided_ms, "email", "abandoned_cart", is_promotional=True),)
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


def test_a_decision_carries_its_evidence() -> None:
    journey = Journey()
    journey.meets(an_event())
    journey.comes_due()
    assert journey.decisions[-1].evidence == {
        "arm": TREATMENT,
        "cart_items": "2",
        "cart_total_minor": "2600",
        "cart_added_ms": str(START_MS),
        "consent": "default",
        "messages_channel": "0",
        "messages_week": "0",
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


def test_an_empty_cart_needs_no_reminder() -> None:
    journey = Journey()
    journey.meets(an_event())
    journey.has(cart=None).comes_due()
    assert journey.outcomes == ["entered", "exited"]
    assert journey.triggers == []


def test_without_consent_nothing_is_sent() -> None:
    journey = Journey(settings=DENIED)
    journey.meets(an_event())
    journey.comes_due()
    assert journey.outcomes == ["entered", "no_consent"]
    assert journey.decisions[-1].evidence["consent"] == "default"
    assert journey.triggers == []


def test_a_withdrawal_counts_more_than_the_default() -> None:
    journey = Journey().has(consents=(ConsentState("email", granted=False, time_ms=5),))
    journey.meets(an_event())
    journey.comes_due()
    assert journey.outcomes == ["entered", "no_consent"]
    assert journey.decisions[-1].evidence["consent"] == "email@5"


def test_a_transactional_message_needs_no_opt_in_and_passes_caps() -> None:
    journey = Journey(a_flow(**{"class": "transactional"}), settings=DENIED)
    journey.has(messages=(Sent(START_MS, "email", "other", is_promotional=True),) * 5)
    journey.meets(an_event())
    journey.comes_due()
    assert journey.outcomes == ["entered", "sent"]


def test_the_holdout_gets_nothing() -> None:
    journey = Journey(a_flow(holdout_percent=100))
    journey.meets(an_event())
    journey.comes_due()
    assert journey.outcomes == ["entered", "held_out"]
    assert [decision.arm for decision in journey.decisions] == [HOLDOUT, HOLDOUT]
    assert journey.triggers == []


def test_about_the_stated_share_is_held_out() -> None:
    flow = compile_flows([a_flow(holdout_percent=10)]).flows["abandoned_cart"]
    held = sum(arm_of(flow, f"u:{number}") == HOLDOUT for number in range(10_000))
    assert 900 <= held <= 1_100


def test_a_second_promotion_by_the_channel_waits_for_twenty_hours() -> None:
    sent = Sent(START_MS - 18 * HOUR_MS + 1, "email", "other", is_promotional=True)
    journey = Journey().has(messages=(sent,))
    journey.meets(an_event())
    journey.comes_due()
    assert journey.outcomes == ["entered", "capped"]
    journey.has(messages=(msgspec.structs.replace(sent, time_ms=sent.time_ms - 1),))
    journey.meets(an_event())
    journey.comes_due()
    assert journey.outcomes[2:] == ["entered", "sent"]


def test_three_promotions_a_week_by_whatever_channel_are_enough() -> None:
    messages = tuple(Sent(START_MS - day * DAY_MS, "sms", "other", is_promotional=True) for day in (3, 2, 1))
    journey = Journey().has(messages=messages)
    journey.meets(an_event())
    journey.comes_due()
    assert journey.outcomes == ["entered", "capped"]
    assert journey.decisions[-1].evidence["messages_week"] == "3"


def test_the_log_of_messages_forgets_after_thirty_days() -> None:
    journey = Journey().has(messages=(Sent(START_MS - 31 * DAY_MS, "email", "other", is_promotional=True),))
    journey.meets(an_event())
    journey.comes_due()
    assert [message.flow_id for message in journey.profile.messages] == ["abandoned_cart"]


def test_what_comes_to_be_decided_too_late_has_expired() -> None:
    journey = Journey()
    journey.meets(an_event())
    journey.comes_due(START_MS + 26 * HOUR_MS + 1)
    assert journey.outcomes == ["entered", "expired"]


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


def test_an_entry_may_ask_for_a_condition() -> None:
    flow = a_flow(entry={"event": "product_added", "condition": {"field": "cart_total_minor", "at_least": 2_601}})
    journey = Journey(flow)
    journey.meets(an_event())
    assert journey.outcomes == []
    journey.has(cart=msgspec.structs.replace(CART, items=(CartItem("sku-1", 2_601, 1),)))
    journey.meets(an_event())
    assert journey.outcomes == ["entered"]


# consent


def test_the_latest_statement_about_the_channel_or_all_holds() -> None:
    consents = (ConsentState("all", granted=False, time_ms=2), ConsentState("email", granted=True, time_ms=1))
    assert allowed(consents, "email", "granted") == (False, "all@2")
    assert allowed(with_consent(consents, "email", granted=True, time_ms=3), "email", "denied") == (True, "email@3")


def test_of_two_statements_at_the_same_time_the_withdrawal_holds() -> None:
    consents = (ConsentState("all", granted=True, time_ms=1), ConsentState("email", granted=False, time_ms=1))
    assert allowed(consents, "email", "granted") == (False, "email@1")


def test_a_statement_about_another_channel_says_nothing() -> None:
    assert allowed((ConsentState("sms", granted=True, time_ms=1),), "email", "denied") == (False, "default")


def test_a_statement_that_comes_late_changes_nothing() -> None:
    consents = with_consent((), "email", granted=False, time_ms=5)
    assert with_consent(consents, "email", granted=True, time_ms=4) is consents
