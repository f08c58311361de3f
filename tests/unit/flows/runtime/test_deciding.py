"""What is in the way of a message that is due."""

from __future__ import annotations

from schemas.limits import INT_MAX, QUANTITY_MAX
from schemas.units import DAY_MS, HOUR_MS
from streams.flows.language.arms import HOLDOUT, TREATMENT
from streams.profiles.profile import Cart, CartItem, Sent
from streams.profiles.statement import ConsentState
from tests.support.flows import UNCAPPED, a_flow
from tests.support.journeys import DENIED, START_MS, Journey, an_event


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


def test_what_comes_to_be_decided_too_late_has_expired() -> None:
    journey = Journey()
    journey.meets(an_event())
    journey.comes_due(START_MS + 26 * HOUR_MS + 1)
    assert journey.outcomes == ["entered", "expired"]


def test_a_message_needs_that_its_condition_still_holds() -> None:
    condition = {"field": "orders", "at_least": 1}
    journey = Journey(a_flow(needs={"cart": "not_empty", "condition": condition}))
    journey.meets(an_event())
    journey.comes_due()
    assert journey.outcomes == ["entered", "exited"]
    assert journey.decisions[-1].reason == "The customer no longer meets what the flow needs, so they left it."


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


def test_more_pieces_than_an_int_holds_are_shown_as_the_largest_int() -> None:
    journey = Journey()
    journey.meets(an_event())
    journey.has(cart=Cart(START_MS, START_MS, (CartItem("mug", 900, 300 * QUANTITY_MAX),))).comes_due()
    (trigger,) = journey.triggers
    assert [product.quantity for product in trigger.products] == [INT_MAX]
