"""The answer of an address: a held message goes out, or is taken back."""

from __future__ import annotations

import pytest

from schemas.journal import SlotAnswered, SlotAsked
from schemas.outputs import Decision, Revocation, Trigger
from schemas.units import HOUR_MS
from tests.support.flows import a_bare_flow
from tests.support.world import START_MS, World, a_touchpoint

A = "ab" * 32
STEPS = [{"name": "message", "do": "trigger", "offer": "save_5"}]


def a_world_that_waits(**changes: object) -> tuple[World, str]:
    """A world in which user 1 waits for their address; and the id of the candidate."""
    world = World(flows=(a_bare_flow("news", "product_viewed", steps=STEPS, **changes),))
    world.pass_time(START_MS - 1)
    for user in "12":
        world.send(a_touchpoint("page_viewed", START_MS, user, email_hash=A))
    world.pass_time(START_MS + HOUR_MS)
    world.send(a_touchpoint("product_viewed", START_MS + 2 * HOUR_MS, "1"))
    profile = world.profile("u:1")
    assert profile is not None
    assert len(profile.asked) == 1
    return world, profile.pending[0].run.candidate_id


@pytest.mark.parametrize("is_known", [True, False])
def test_a_granted_message_goes_out_once_the_watermark_has_passed_its_decision(*, is_known: bool) -> None:
    world, candidate_id = a_world_that_waits()
    if is_known:
        world.pass_time(START_MS + 2 * HOUR_MS + 1)
    assert world.emitted(Trigger) == []
    world.append("u:1", SlotAnswered(candidate_id, is_granted=True))
    assert len(world.emitted(Trigger)) == is_known
    world.pass_time(START_MS + 3 * HOUR_MS)
    assert len(world.emitted(Trigger)) == 1
    profile = world.profile("u:1")
    assert profile is not None
    assert (profile.asked, profile.pending) == ((), ())


def test_a_denied_message_is_taken_back_and_counts_for_no_cap() -> None:
    world, candidate_id = a_world_that_waits()
    world.append("u:1", SlotAnswered(candidate_id, is_granted=False, messages=1, within_ms=HOUR_MS, found=1))
    profile = world.profile("u:1")
    assert profile is not None
    assert (profile.asked, profile.pending, profile.messages) == ((), (), ())
    assert [each.outcome for each in world.emitted(Decision)] == ["entered", "sent", "revoked"]
    assert world.emitted(Revocation) == []


def test_a_message_that_is_out_and_not_due_yet_is_taken_back_too() -> None:
    world, candidate_id = a_world_that_waits(send_time="best")
    world.pass_time(START_MS + 3 * HOUR_MS)
    assert len(world.emitted(Trigger)) == 1
    world.append("u:1", SlotAnswered(candidate_id, is_granted=False, messages=1, within_ms=HOUR_MS, found=1))
    assert len(world.emitted(Revocation)) == 1


def test_the_address_learns_of_a_message_that_went_out_before_it_was_denied() -> None:
    world, candidate_id = a_world_that_waits()
    world.pass_time(START_MS + 3 * HOUR_MS)
    assert len(world.emitted(Trigger)) == 1
    denied = SlotAnswered(candidate_id, is_granted=False, messages=1, within_ms=HOUR_MS, found=1)
    said = [
        (key, each.kind, each.slots[0].candidate_id)
        for outcome in world.partition.append("u:1", denied)
        for key, each, _ in outcome.effects.journal  # type: ignore[union-attr]
        if isinstance(each, SlotAsked)
    ]
    assert said == [(f"e:{A}", "used", candidate_id)]
    assert world.emitted(Revocation) == []


def test_an_answer_that_nobody_waits_for_changes_nothing() -> None:
    world, _ = a_world_that_waits()
    before = world.profile("u:1")
    for is_granted in (True, False):
        world.append("u:1", SlotAnswered("unknown", is_granted=is_granted))
        assert world.profile("u:1") == before


def test_an_answer_to_a_device_follows_it_to_its_user() -> None:
    world = World(flows=(a_bare_flow("news", "product_viewed", steps=STEPS),))
    world.pass_time(START_MS - 1)
    world.send(a_touchpoint("page_viewed", START_MS, "2", email_hash=A))
    world.send(a_touchpoint("page_viewed", START_MS, None, anonymous_id="phone", email_hash=A))
    world.pass_time(START_MS + HOUR_MS)
    world.send(a_touchpoint("product_viewed", START_MS + 2 * HOUR_MS, None, anonymous_id="phone"))
    world.send(a_touchpoint("page_viewed", START_MS + 2 * HOUR_MS, "1", anonymous_id="phone"))
    world.pass_time(START_MS + 3 * HOUR_MS)
    assert [each.customer for each in world.emitted(Trigger)] == ["u:1"]
