"""A flow that is paused, in several versions at once, for a share of the customers, or in the shadow."""

from __future__ import annotations

from typing import Any

from schemas.units import DAY_MS, HOUR_MS
from streams.flows.language.arms import SHADOW
from streams.flows.language.assignment import is_of_canary
from streams.flows.language.flow_set import compile_flows
from streams.profiles.profile import Sent
from streams.settings import Canary, FlowState
from tests.support.flows import SERIES, a_flow
from tests.support.journeys import START_MS, Journey, an_event

SECOND_MS = 1_000
DUE_MS = START_MS + 2 * HOUR_MS
CUSTOMERS = [f"u:{number}" for number in range(2_000)]


def standing(journey: Journey, *flows: dict[str, Any], **state: Any) -> None:
    """From here on these flows hold, `abandoned_cart` in that state."""
    journey.flows = compile_flows(flows, {"abandoned_cart": FlowState(**state)})


def a_canary(percent: float, **changes: Any) -> Canary:
    return Canary(flow=a_flow(**{"version": 2, **changes}), percent=percent, since_ms=0)


def who(*, is_first: bool, percent: float = 50) -> str:
    """A customer who is, or is not, of the first to get version 2."""
    (flow,) = compile_flows([a_flow(version=2)]).flows.values()
    return next(customer for customer in CUSTOMERS if is_of_canary(flow, percent, customer) is is_first)


def test_what_comes_due_in_a_pause_waits_and_goes_out_after_it() -> None:
    journey = Journey()
    journey.meets(an_event())
    standing(journey, a_flow(), paused_ms=1)
    for _ in range(4):
        journey.comes_due()
    assert journey.outcomes == ["entered", "deferred"]
    assert "paused" in journey.decisions[-1].reason
    standing(journey, a_flow())
    journey.comes_due()
    assert journey.outcomes == ["entered", "deferred", "sent"]
    assert len({decision.candidate_id for decision in journey.decisions}) == 1
    (trigger,) = journey.triggers
    assert trigger.due_ms == DUE_MS + 8 * SECOND_MS, "it comes back at the latest after as long as it has waited"
    assert trigger.expires_ms == DUE_MS + 24 * HOUR_MS, "a pause does not make it last longer"


def test_a_message_whose_time_passes_in_a_pause_is_not_sent_after_it() -> None:
    journey = Journey()
    journey.meets(an_event())
    standing(journey, a_flow(), paused_ms=1)
    while journey.profile.runs:
        journey.comes_due()
    assert journey.outcomes == ["entered", "deferred", "paused"]
    assert journey.decisions[-1].final
    assert journey.decisions[-1].time_ms == DUE_MS + 24 * HOUR_MS + 1
    assert journey.open == 0


def test_customers_enter_a_paused_flow_and_leave_it() -> None:
    journey = Journey()
    standing(journey, a_flow(), paused_ms=1)
    journey.meets(an_event())
    journey.comes_due()
    journey.meets(an_event("order_completed", DUE_MS + 1))
    assert journey.outcomes == ["entered", "deferred", "exited"]


def test_the_next_message_after_one_that_a_pause_stopped_has_its_own_time() -> None:
    flow = a_flow(steps=SERIES)
    journey = Journey(flow)
    journey.meets(an_event())
    standing(journey, flow, paused_ms=1)
    while journey.outcomes[-1] != "deferred" or journey.profile.runs[0].step != "second":
        journey.comes_due()
    standing(journey, flow)
    journey.comes_due()
    assert journey.outcomes == ["entered", "deferred", "paused", "entered", "deferred", "sent"]
    assert journey.triggers[0].expires_ms == DUE_MS + 2 * DAY_MS + 24 * HOUR_MS + 1


def test_a_customer_in_an_older_version_finishes_it_where_the_new_one_says_so() -> None:
    journey = Journey()
    journey.meets(an_event())
    new = a_flow(version=2, channel="sms", running_customers="finish")
    standing(journey, new, older=(a_flow(),))
    journey.comes_due()
    assert [decision.flow_version for decision in journey.decisions] == [1, 1]
    assert journey.triggers[0].channel == "email"
    journey.meets(an_event(time_ms=DUE_MS + DAY_MS))
    journey.comes_due()
    assert [decision.flow_version for decision in journey.decisions] == [1, 1, 2, 2]
    assert journey.triggers[1].channel == "sms"


def test_exits_are_those_of_the_version_that_a_customer_is_in() -> None:
    old, new = a_flow(exits=["ticket_opened"]), a_flow(version=2, exits=["order_completed"], running_customers="finish")
    journey = Journey(old)
    journey.meets(an_event())
    standing(journey, new, older=(old,))
    journey.meets(an_event("order_completed"))
    assert journey.outcomes == ["entered"]
    journey.meets(an_event("ticket_opened"))
    assert journey.outcomes == ["entered", "exited"]


def test_a_version_that_moves_takes_customers_with_it_who_were_left_to_finish() -> None:
    journey = Journey()
    journey.meets(an_event())
    third = a_flow(version=3, channel="push")
    standing(journey, third, older=(a_flow(), a_flow(version=2, running_customers="finish")))
    journey.comes_due()
    assert journey.decisions[-1].flow_version == 3


def test_a_customer_who_moved_to_a_version_finishes_that_one() -> None:
    journey = Journey()
    journey.meets(an_event())
    standing(journey, a_flow(version=3, running_customers="finish"), older=(a_flow(), a_flow(version=2)))
    journey.comes_due()
    assert journey.decisions[-1].flow_version == 2


def test_a_version_that_is_no_longer_kept_leaves_its_customers_to_the_live_one() -> None:
    journey = Journey()
    journey.meets(an_event())
    older, live = (a_flow(version=number, running_customers="finish") for number in (8, 9))
    standing(journey, live, older=(older,))
    journey.comes_due()
    assert journey.decisions[-1].flow_version == 9


def test_a_canary_is_for_its_share_of_the_customers_and_the_others_keep_the_live_version() -> None:
    versions = []
    for is_first in (True, False):
        journey = Journey(customer=who(is_first=is_first))
        standing(journey, a_flow(), canary=a_canary(50, channel="sms"))
        journey.meets(an_event())
        journey.comes_due()
        versions.append([decision.flow_version for decision in journey.decisions])
        assert [trigger.channel for trigger in journey.triggers] == ["sms" if is_first else "email"]
    assert versions == [[2, 2], [1, 1]]


def test_a_new_flow_may_begin_with_a_share() -> None:
    for is_first in (True, False):
        journey = Journey(customer=who(is_first=is_first))
        standing(journey, canary=a_canary(50))
        journey.meets(an_event())
        assert len(journey.profile.runs) == is_first


def test_a_customer_in_a_canary_that_was_taken_back_goes_on_in_the_live_version() -> None:
    journey = Journey(customer=who(is_first=True))
    standing(journey, a_flow(), canary=a_canary(50))
    journey.meets(an_event())
    standing(journey, a_flow())
    journey.comes_due()
    assert [(item.flow_version, item.outcome) for item in journey.decisions] == [(2, "entered"), (1, "sent")]


def test_a_customer_in_a_canary_whose_share_shrinks_finishes_it() -> None:
    journey = Journey(customer=who(is_first=True))
    standing(journey, a_flow(), canary=a_canary(50))
    journey.meets(an_event())
    standing(journey, a_flow(), canary=a_canary(0.01))
    journey.comes_due()
    assert journey.decisions[-1].flow_version == 2


def test_a_canary_of_no_share_decides_in_the_shadow_beside_the_live_version() -> None:
    journey = Journey()
    standing(journey, a_flow(), canary=a_canary(0, wait={"for": "3h"}))
    journey.meets(an_event())
    journey.comes_due()
    journey.comes_due()
    assert [(item.flow_id, item.flow_version, item.arm == SHADOW, item.outcome) for item in journey.decisions] == [
        ("abandoned_cart", 1, False, "entered"),
        ("abandoned_cart", 2, True, "entered"),
        ("abandoned_cart", 1, False, "sent"),
        ("abandoned_cart", 2, True, "shadow"),
    ]
    assert len(journey.triggers) == 1
    assert len(journey.profile.messages) == 1, "what is not sent counts for no cap"
    assert journey.profile.runs == ()
    assert journey.open == 0
    assert len({decision.candidate_id for decision in journey.decisions}) == 2


def test_the_shadow_does_not_meet_the_version_in_whose_place_it_would_stand() -> None:
    for minutes in ("118m", "122m"):
        journey = Journey()
        flow = a_flow(when_outranked="drop")
        standing(journey, flow, canary=a_canary(0, when_outranked="drop", wait={"for": minutes}))
        journey.meets(an_event())
        journey.comes_due()
        journey.comes_due()
        assert sorted(journey.outcomes) == ["entered", "entered", "sent", "shadow"]


def test_the_shadow_says_what_would_have_stopped_it() -> None:
    journey = Journey().has(messages=(Sent(START_MS, "email", "win_back", is_promotional=True),))
    standing(journey, canary=a_canary(0))
    journey.meets(an_event())
    journey.comes_due()
    assert journey.outcomes == ["entered", "capped"]
    assert journey.triggers == []


def test_an_exit_ends_the_shadow_too_and_a_pause_of_the_flow_does_not_stop_it() -> None:
    journey = Journey()
    standing(journey, a_flow(), canary=a_canary(0), paused_ms=1)
    journey.meets(an_event())
    journey.comes_due()
    journey.comes_due()
    assert journey.outcomes == ["entered", "entered", "deferred", "shadow"]
    journey.meets(an_event(time_ms=DUE_MS + DAY_MS))
    journey.meets(an_event("order_completed", DUE_MS + DAY_MS))
    assert journey.outcomes[-2:] == ["exited", "exited"]
    assert journey.profile.runs == ()
