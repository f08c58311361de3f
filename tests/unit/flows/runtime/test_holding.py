"""A promotion to a new address waits until the watermark is past the time at which it was named."""

from __future__ import annotations

from schemas.outputs import Trigger
from tests.support.flows import a_bare_flow
from tests.support.world import START_MS, World, a_view

ADDRESS = "ab" * 32


def test_a_watermark_at_the_very_time_wakes_the_customer_once_and_sends_nothing() -> None:
    world = World(flows=(a_bare_flow("looks", "product_viewed", products="entry", channel="email"),))
    world.pass_time(START_MS - 1)
    world.send(a_view(START_MS, None, anonymous_id="phone", email_hash=ADDRESS))
    world.pass_time(START_MS)
    profile = world.profile("a:phone")
    assert profile is not None
    assert [message.is_held for message in profile.pending] == [True]
    assert profile.wake_ms == START_MS + 1
    assert world.emitted(Trigger) == []
    world.pass_time(START_MS + 1)
    assert [each.customer for each in world.emitted(Trigger)] == ["a:phone"]
