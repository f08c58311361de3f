"""What ends in a profile when an order is refunded under another key, or is someone else's."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.outputs import Decision, Revocation, Trigger
from schemas.touchpoint import Consent
from tests.support.flows import UNCAPPED, a_bare_flow
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, World, a_refund, a_touchpoint, an_order

ADDRESS = "ab" * 32
DEVICE: dict[str, Any] = {"user": None, "anonymous_id": "d"}
STEPS = [{"name": "message", "do": "trigger", "offer": "save_5"}]


def test_a_refund_under_another_key_ends_what_it_would_have_ended() -> None:
    review = a_bare_flow("review", "order_completed", exits=["order_refunded"], wait={"for": "3d"})
    world = World(flows=(review,), consent_default="granted")
    world.send(an_order(START_MS, 5_000, "1", "7", email_hash=ADDRESS), a_refund(START_MS + HOUR_MS, "7", 5_000, None))
    profile = world.profile("u:1")
    assert profile is not None
    assert profile.runs == ()
    assert world.emitted(Decision, "u:1")[-1].outcome == "exited"
    assert world.total("candidates_unaccounted") == world.total("decisions_open") == 0


def test_what_began_with_an_order_of_someone_else_ends() -> None:
    review = a_bare_flow("review", "order_completed", exits=["order_cancelled"], wait={"for": "3d"})
    world = World(flows=(review,), consent_default="granted")

    def runs(key: str) -> int:
        profile = world.profile(key)
        assert profile is not None
        return len(profile.runs)

    world.send(an_order(START_MS, 5_000, order_id="7", **DEVICE), an_order(START_MS + HOUR_MS, 5_000, "1"))
    assert runs("a:d") == 1
    world.send(an_order(START_MS + HOUR_MS, 5_000, "1", "7"))
    assert (runs("a:d"), runs("u:1")) == (0, 1)
    assert (world.total("candidates_unaccounted"), world.total("decisions_open")) == (0, 1)


@pytest.mark.parametrize(("exits", "messages"), [(["order_cancelled"], 1), ([], 2)])
def test_a_message_that_an_order_of_someone_else_began_is_taken_back(exits: list[str], messages: int) -> None:
    thanks = a_bare_flow("thanks", "order_completed", caps=UNCAPPED, exits=exits, steps=STEPS, send_time="best")
    world = World(flows=(thanks,))
    world.pass_time(START_MS)
    granted = Consent("email", granted=True)
    for who in (DEVICE, {"user": "1"}):
        world.send(a_touchpoint("consent_changed", START_MS, consent=granted, email_hash=ADDRESS, **who))
    world.send(an_order(START_MS + HOUR_MS, 5_000, order_id="7", email_hash=ADDRESS, **DEVICE))
    world.pass_time(START_MS + HOUR_MS + MINUTE_MS)
    (out,) = world.emitted(Trigger)
    world.send(an_order(START_MS + HOUR_MS, 5_000, "1", "7", email_hash=ADDRESS))
    world.pass_time(START_MS + 2 * DAY_MS)
    revoked = {each.trigger_id for each in world.emitted(Revocation)}
    left = [trigger for trigger in world.emitted(Trigger) if trigger.trigger_id not in revoked]
    assert out.due_ms > START_MS + HOUR_MS + MINUTE_MS
    assert len(left) == messages
