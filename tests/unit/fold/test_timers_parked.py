"""A timer whose code fails becomes a dead letter, and fires once it is retried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from schemas.journal import Unparked
from schemas.outputs import DeadLetter, Decision, Trigger
from streams.flows.runtime.runner import on_due
from streams.fold import customers, timers
from streams.fold.crediting import ALL
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from streams.profiles.profile import Profile

pytestmark = pytest.mark.interpreted

FLOW = "flow:abandoned_cart"


def raising(*_: object, **__: object) -> Profile:
    raise ZeroDivisionError("the release has a bug")


@pytest.fixture
def world(flows: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """A cart whose reminder was due when a release had a bug; three hours later the bug is fixed."""
    world = World(flows=flows)
    world.send(an_add(START_MS))
    monkeypatch.setattr(timers, "flow_due", raising)
    world.pass_time(START_MS + 3 * HOUR_MS)
    monkeypatch.setattr(timers, "flow_due", on_due)
    return world


def test_a_timer_that_raises_is_a_letter_with_its_traceback_and_fires_no_more(world: World) -> None:
    world.pass_time(START_MS + 4 * HOUR_MS)
    (letter,) = world.emitted(DeadLetter)
    assert (letter.reason, letter.source_topic, letter.key) == ("timer_failed", f"timer:{FLOW}", b"u:1")
    assert letter.source_offset == START_MS + 2 * HOUR_MS
    assert "ZeroDivisionError: the release has a bug" in letter.detail
    assert world.emitted(Trigger) == []


def test_a_timer_brought_back_fires_at_once_if_it_is_due(world: World) -> None:
    world.append("u:1", Unparked(FLOW))
    (trigger,) = world.emitted(Trigger)
    assert trigger.due_ms == START_MS + 2 * HOUR_MS
    assert world.profile("u:1").parked == ()  # type: ignore[union-attr]
    world.pass_time(START_MS + 9 * HOUR_MS)
    assert len(world.emitted(Trigger)) == 1


def test_a_timer_brought_back_twice_fires_once(world: World) -> None:
    world.append("u:1", Unparked(FLOW))
    world.append("u:1", Unparked(FLOW))
    assert len(world.emitted(Trigger)) == 1


def test_a_timer_brought_back_too_late_is_decided_as_expired(world: World) -> None:
    world.pass_time(START_MS + 2 * DAY_MS)
    world.append("u:1", Unparked(FLOW))
    assert world.emitted(Trigger) == []
    assert world.emitted(Decision)[-1].outcome == "expired"
    assert world.total("decisions_open") == 0


def test_a_timer_brought_back_before_it_is_due_waits(world: World) -> None:
    late = START_MS + 6 * HOUR_MS
    world.send(an_add(late))
    world.append("u:1", Unparked(FLOW))
    assert world.emitted(Trigger) == []
    world.pass_time(late + 2 * HOUR_MS)
    assert [trigger.due_ms for trigger in world.emitted(Trigger)] == [late + 2 * HOUR_MS]


def test_a_timer_that_raises_again_is_parked_again_with_a_letter_of_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "flow_due", raising)
    world.append("u:1", Unparked(FLOW))
    assert len(world.emitted(DeadLetter)) == 2
    assert world.profile("u:1").parked == (FLOW,)  # type: ignore[union-attr]


def test_a_timer_that_is_not_parked_is_left_in_peace(flows: Any) -> None:
    world = World(flows=flows)
    world.send(an_add(START_MS))
    before = world.profile("u:1")
    world.append("u:1", Unparked(FLOW))
    assert world.profile("u:1") is before
    world.append("u:2", Unparked(FLOW))
    assert world.profile("u:2") is None


def test_what_ended_the_flow_meanwhile_leaves_nothing_to_fire(world: World) -> None:
    world.send(an_order(START_MS + 5 * HOUR_MS))
    world.append("u:1", Unparked(FLOW))
    assert world.emitted(Trigger) == []
    assert world.profile("u:1").parked == ()  # type: ignore[union-attr]
    world.send(an_add(START_MS + 6 * HOUR_MS))
    world.pass_time(START_MS + 9 * HOUR_MS)
    assert len(world.emitted(Trigger)) == 1


def test_a_customer_whose_waking_raises_does_not_stop_time_for_others(
    flows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What wakes idle customers also lets go of their held messages, which belongs to no timer."""

    def due(profile: Profile) -> int:
        if profile.first_ms == START_MS + 1:
            raise ZeroDivisionError("the release has a bug")
        return timers.next_due_ms(profile)

    world = World(flows=flows)
    world.send(an_add(START_MS), an_add(START_MS + 1, user="2"), an_add(START_MS + 2, user="3"))
    monkeypatch.setattr(customers, "next_due_ms", due)
    for hours in (3, 4):
        world.pass_time(START_MS + hours * HOUR_MS)
        assert world.fold.complete_to_ms() == START_MS + hours * HOUR_MS
    assert {each.customer for each in world.emitted(Trigger)} == {"u:1", "u:3"}
    (letter,) = world.emitted(DeadLetter)
    assert (letter.reason, letter.source_topic, letter.key) == ("timer_failed", "timer:watermark", b"u:2")
    parked = world.profile("u:2")
    assert parked is not None
    assert (parked.parked, parked.wake_ms, len(parked.runs)) == (("watermark",), 0, 1)

    world.send(a_touchpoint("page_viewed", START_MS + 5 * HOUR_MS, "2"))
    world.pass_time(START_MS + 6 * HOUR_MS)
    assert len(world.emitted(DeadLetter)) == 1

    monkeypatch.setattr(customers, "next_due_ms", timers.next_due_ms)
    world.append("u:2", Unparked("watermark"))
    assert {each.customer for each in world.emitted(Trigger)} == {"u:1", "u:2", "u:3"}
    assert world.total("decisions_open") == 0
    assert world.total("candidates_unaccounted") == 0


def test_a_fault_of_the_machine_does_not_park_a_timer(flows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object, **__: object) -> Profile:
        raise MemoryError

    world = World(flows=flows)
    world.send(an_add(START_MS))
    monkeypatch.setattr(timers, "flow_due", no_memory)
    with pytest.raises(MemoryError):
        world.pass_time(START_MS + 3 * HOUR_MS)
    monkeypatch.setattr(timers, "flow_due", on_due)
    world.fold.undo()
    world.pass_time(START_MS + 3 * HOUR_MS)
    assert len(world.emitted(Trigger)) == 1


def test_who_is_woken_for_nothing_is_parked_and_not_woken_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    world, due_ms = World(), START_MS + HOUR_MS
    world.send(a_touchpoint("page_viewed", START_MS))
    world.send(a_touchpoint("page_viewed", START_MS, "2"))
    # as if a release had forgotten what to do at this time
    monkeypatch.setattr(customers, "next_wake_ms", lambda profile, _: due_ms if profile.user_id == "1" else 0)
    for user in "12":
        profile = world.profile(f"u:{user}")
        assert profile is not None
        world.overlay.put(f"u:{user}".encode(), replace(profile, wake_ms=due_ms), due_ms)
    world.pass_time(START_MS + 2 * HOUR_MS)
    (letter,) = world.emitted(DeadLetter)
    assert (letter.reason, letter.key) == ("timer_failed", b"u:1")
    assert "nothing is done at" in letter.detail
    parked = world.profile("u:1")
    assert parked is not None
    assert parked.parked == (ALL,)
