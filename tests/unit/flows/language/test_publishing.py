"""What publishing, pausing and taking back make of the flows in force."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from streams.flows.language.flow_set import ALL_FLOWS, compile_flows
from streams.flows.language.publishing import (
    OLDER_MAX,
    NotPublishable,
    conflicts_with,
    paused,
    resumed,
    standing_as,
    with_flow,
)
from streams.settings import DomainSettings, Expected, FlowState
from tests.support.flows import a_flow, a_flow_named

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "abandoned_cart"
FIRST, SECOND, THIRD = a_flow(), a_flow(version=2, priority=1), a_flow(version=3, priority=2)
IN_FORCE = DomainSettings(flows=(FIRST, a_flow_named("another", "signed_up")))


def state(domain: DomainSettings) -> FlowState:
    return domain.flow_states[NAME]


def live(domain: DomainSettings) -> dict[str, Any]:
    (found,) = (flow for flow in domain.flows if flow["id"] == NAME)
    return found


def test_a_new_version_is_live_and_the_other_flows_stay() -> None:
    after = with_flow(IN_FORCE, SECOND, 9)
    assert after.flows == (SECOND, IN_FORCE.flows[1])
    assert after.flow_states == {NAME: FlowState(since_ms=9)}
    assert with_flow(after, SECOND, 10) == after


def test_what_is_published_is_read_back_as_it_stands() -> None:
    after = paused(with_flow(IN_FORCE, SECOND, 9, percent=10), NAME, 10)
    assert DomainSettings.model_validate_json(after.model_dump_json()) == after


def test_older_versions_are_kept_for_those_who_finish_them_and_no_longer() -> None:
    domain = IN_FORCE
    for version in range(2, OLDER_MAX + 4):
        domain = with_flow(domain, a_flow(version=version, running_customers="finish"), version)
    kept = [older["version"] for older in state(domain).older]
    assert kept == [OLDER_MAX, OLDER_MAX + 1, OLDER_MAX + 2]
    assert len(kept) == OLDER_MAX
    assert state(with_flow(domain, a_flow(version=99), 99)).older == ()


@pytest.mark.parametrize("version", [1, 2])
def test_another_text_needs_a_version_above_all_that_were_published(version: int) -> None:
    domain = with_flow(IN_FORCE, SECOND, 9)
    refused = rf"^abandoned_cart: version is {version}, but version 2 was published with another text; use 3 "
    with pytest.raises(NotPublishable, match=refused):
        with_flow(domain, a_flow(version=version, priority=77), 10)


def test_a_share_grows_and_becomes_everybody() -> None:
    domain = with_flow(IN_FORCE, SECOND, 9, percent=10)
    assert live(domain) == FIRST
    domain = with_flow(domain, SECOND, 10, percent=50)
    canary = state(domain).canary
    assert canary is not None
    assert (canary.flow, canary.percent, canary.since_ms) == (SECOND, 50, 10)
    domain = with_flow(domain, SECOND, 11)
    assert (live(domain), state(domain)) == (SECOND, FlowState(since_ms=11))


def test_the_live_version_published_again_takes_a_canary_back() -> None:
    domain = with_flow(with_flow(IN_FORCE, SECOND, 9, percent=10), FIRST, 10)
    assert (live(domain), state(domain).canary) == (FIRST, None)


def test_one_canary_at_a_time_is_out_and_a_shadow_gives_way_to_the_next() -> None:
    with pytest.raises(
        NotPublishable, match=r"^abandoned_cart: version 2 is published for 10 % of the customers: publish"
    ):
        with_flow(with_flow(IN_FORCE, SECOND, 9, percent=10), THIRD, 10)
    shadowed = with_flow(with_flow(IN_FORCE, SECOND, 9, percent=0), THIRD, 10, percent=0)
    canary = state(shadowed).canary
    assert canary is not None
    assert canary.flow == THIRD


def test_a_share_of_the_live_version_is_refused() -> None:
    with pytest.raises(
        NotPublishable, match=r"^abandoned_cart: version 1 is already live; give a share only to a higher version$"
    ):
        with_flow(IN_FORCE, FIRST, 9, percent=10)


def test_a_pause_stands_until_someone_resumes_whatever_is_published() -> None:
    domain = paused(IN_FORCE, NAME, 5)
    assert paused(domain, NAME, 6) == domain
    domain = with_flow(domain, SECOND, 9)
    assert state(domain).paused_ms == 5
    domain = standing_as(domain, DomainSettings(flows=(THIRD,)), 10)
    assert state(domain) == FlowState(since_ms=10, paused_ms=5)
    domain = resumed(domain, NAME)
    assert state(domain).paused_ms is None
    assert resumed(domain, NAME) == domain


@pytest.mark.parametrize("change", [lambda domain: paused(domain, "x", 1), lambda domain: resumed(domain, "x")])
def test_a_flow_that_is_not_published_is_neither_paused_nor_resumed(
    change: Callable[[DomainSettings], DomainSettings],
) -> None:
    said = "flow 'x' is not published; published flows: abandoned_cart, another"
    with pytest.raises(NotPublishable, match=f"^{re.escape(said)}$"):
        change(IN_FORCE)


def test_a_pause_of_all_flows_stands_beside_those_of_single_ones_until_someone_resumes_all() -> None:
    domain = paused(paused(IN_FORCE, NAME, 5), ALL_FLOWS, 6)
    assert paused(domain, ALL_FLOWS, 7) == domain
    domain = standing_as(domain, DomainSettings(flows=(THIRD,)), 10)
    plans = compile_flows(domain.flows, domain.flow_states).plans
    assert [plan.is_paused for plan in plans.values()] == [True]
    domain = resumed(domain, NAME)
    assert compile_flows(domain.flows, domain.flow_states).has_paused
    domain = resumed(paused(domain, NAME, 11), ALL_FLOWS)
    assert state(domain).paused_ms == 11
    assert not compile_flows(domain.flows, resumed(domain, NAME).flow_states).has_paused


def test_a_pause_of_all_flows_holds_older_versions_and_canaries_too() -> None:
    domain = paused(with_flow(with_flow(IN_FORCE, SECOND, 9), THIRD, 10, percent=10), ALL_FLOWS, 11)
    found = compile_flows(domain.flows, domain.flow_states)
    assert all(plan.is_paused for versions in found.versions.values() for plan in versions.all)


def test_a_flow_that_is_only_a_canary_may_be_paused() -> None:
    domain = with_flow(DomainSettings(), FIRST, 9, percent=10)
    assert state(paused(domain, NAME, 10)).paused_ms == 10


def test_all_flows_given_anew_stay_as_they_stand_where_their_text_does() -> None:
    domain = with_flow(IN_FORCE, SECOND, 9, percent=10)
    again = standing_as(domain, DomainSettings(flows=IN_FORCE.flows), 20)
    assert state(again) == state(domain)
    assert state(standing_as(domain, DomainSettings(flows=(THIRD,)), 20)) == FlowState(since_ms=20)


def test_conflicts_are_those_that_a_published_flow_has_a_part_in() -> None:
    rivals = DomainSettings(flows=(a_flow_named("a"), a_flow_named("b", wait={"for": "3d"})))
    assert conflicts_with(rivals, [a_flow_named("c", "signed_up")]) == []
    assert [item.flows for item in conflicts_with(rivals, [a_flow_named("d", wait={"for": "9d"})])] == [
        ("a", "d"),
        ("b", "d"),
    ]
    assert conflicts_with(DomainSettings(flows=(a_flow_named("a"),)), [a_flow_named("a", version=2)]) == []


def test_what_is_expected_goes_with_the_live_version() -> None:
    expected = Expected(per_day=9, deviation=3)
    domain = with_flow(IN_FORCE, SECOND, 9, expected=expected)
    assert state(domain) == FlowState(since_ms=9, expected=expected)
    assert state(with_flow(IN_FORCE, FIRST, 9, expected=expected)).expected == expected
    assert state(resumed(paused(domain, NAME, 10), NAME)).expected == expected
    assert state(with_flow(domain, THIRD, 11)).expected is None
