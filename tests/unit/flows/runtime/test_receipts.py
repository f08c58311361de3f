"""Candidates = final + open, checked with each record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.flows.runtime import ending, runner
from tests.support.flows import a_flow
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint


def test_a_life_with_every_receipt_leaves_no_candidate_unaccounted() -> None:
    world = World(flows=[a_flow()])
    world.send(an_add(START_MS, user=None, anonymous_id="phone"), an_add(START_MS + 1))
    # the device turns out to be theirs: of two candidates one continues
    world.send(a_touchpoint("page_viewed", START_MS + 2, anonymous_id="phone"))
    world.pass_time(START_MS + 3 * HOUR_MS)
    world.send(an_add(START_MS + DAY_MS), an_order(START_MS + DAY_MS + 1))
    assert world.total("decisions", "outcome=exited") == 2
    assert world.total("decisions", "outcome=sent") == 1
    assert world.total("candidates_unaccounted") == 0


@pytest.mark.interpreted
@pytest.mark.parametrize(
    "event",
    [
        pytest.param(an_order(START_MS + HOUR_MS), id="by an event"),
        pytest.param(a_touchpoint("page_viewed", START_MS + 3 * HOUR_MS), id="by a timer"),
    ],
)
def test_a_customer_who_leaves_a_flow_without_a_receipt_is_counted(
    monkeypatch: pytest.MonkeyPatch, event: Touchpoint
) -> None:
    world = World(flows=[a_flow()])
    world.send(an_add(START_MS))
    for module in (runner, ending):
        monkeypatch.setattr(module, "give_receipt", lambda *_: None)  # a release that forgets one
    world.send(event)
    assert world.total("candidates_unaccounted") == 1
