"""Holds change the flows that are named, and nothing else."""

from __future__ import annotations

from streams.flows.language.flow_set import compile_flows
from streams.flows.language.holds import with_holds
from tests.support.flows import TEN


def test_a_hold_of_a_flow_that_is_not_published_changes_nothing() -> None:
    flows = compile_flows(TEN)
    assert with_holds(flows, {"gone": "no orders"}) is flows


def test_a_held_flow_says_why_and_the_others_are_as_before() -> None:
    flows = compile_flows(TEN)
    held = with_holds(flows, {"abandoned_cart": "no orders"})
    assert {key: plan.held for key, plan in held.plans.items() if plan.held} == {"abandoned_cart": "no orders"}
    assert (held.has_paused, flows.has_paused) == (True, False)
    assert held.listening is flows.listening
