"""Which arm of a flow a customer is in."""

from __future__ import annotations

from streams.flows.language.arms import HOLDOUT
from streams.flows.language.assignment import arm_of, is_of_canary
from streams.flows.language.flow_set import compile_flows
from tests.support.flows import a_flow


def test_about_the_stated_share_is_held_out() -> None:
    flow = compile_flows([a_flow(holdout_percent=10)]).flows["abandoned_cart"]
    held = sum(arm_of(flow, f"u:{number}") == HOLDOUT for number in range(10_000))
    assert 900 <= held <= 1_100


def test_a_canary_takes_about_its_share_and_a_larger_share_keeps_its_customers() -> None:
    (flow,) = compile_flows([a_flow(version=2)]).flows.values()
    (later,) = compile_flows([a_flow(version=3)]).flows.values()
    customers = [f"u:{number}" for number in range(2_000)]
    tenth = {customer for customer in customers if is_of_canary(flow, 10, customer)}
    assert 150 < len(tenth) < 250
    assert tenth <= {customer for customer in customers if is_of_canary(flow, 30, customer)}
    assert tenth != {customer for customer in customers if is_of_canary(later, 10, customer)}
