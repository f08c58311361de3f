"""A profile that was pushed ahead goes back to the brokers' time."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas.journal import TimeReset
from schemas.limits import TIME_AHEAD_MS_MAX
from schemas.units import WEEK_MS
from streams.flows.runtime.asking import ANSWER_MS_MAX
from streams.fold.stepping import stepped_back
from streams.fold.timers import next_due_ms
from streams.profiles.address_entry import AddressEntry, Asked, Granted, Waiting
from streams.profiles.entered import Entered
from streams.profiles.profile import PendingMessage, Profile, Run, Sent
from streams.profiles.seen import event_hash, with_seen
from tests.support.stored import a_full_profile
from tests.support.wall_world import WallWorld
from tests.support.world import DAY_MS, HOUR_MS, START_MS, a_touchpoint, an_add, an_order

AHEAD_MS = START_MS + 400 * DAY_MS


def a_run(entered_ms: int, due_ms: int) -> Run:
    return Run("abandoned_cart", 1, "candidate", "event", entered_ms, due_ms, "reminder")


def back(**fields: object) -> Profile:
    return stepped_back("u:1", replace(Profile(clock_ms=AHEAD_MS), **fields), START_MS)


def test_what_was_begun_in_the_time_ahead_begins_now() -> None:
    profile = back(runs=(a_run(AHEAD_MS, AHEAD_MS + 2 * HOUR_MS),))
    assert [(run.entered_ms, run.due_ms) for run in profile.runs] == [(START_MS, START_MS + 2 * HOUR_MS)]
    assert profile.wake_ms == START_MS + 2 * HOUR_MS


def test_what_was_begun_before_is_due_when_it_was() -> None:
    begun = a_run(START_MS - HOUR_MS, AHEAD_MS + DAY_MS)
    assert back(runs=(begun,)).runs == (begun,)


def test_what_went_out_counts_for_the_caps_from_now_on_and_not_for_ever() -> None:
    gone = [Sent(at_ms, "email", "abandoned_cart", is_promotional=True) for at_ms in (START_MS - DAY_MS, AHEAD_MS)]
    profile = back(messages=tuple(gone), entries=(Entered("welcome", AHEAD_MS),))
    assert [sent.time_ms for sent in profile.messages] == [START_MS - DAY_MS, START_MS]
    assert profile.entries == (Entered("welcome", START_MS),)


def test_what_an_address_granted_and_was_asked_in_the_time_ahead_is_of_now() -> None:
    entry = AddressEntry((Granted(AHEAD_MS, 1),), (Waiting(AHEAD_MS, AHEAD_MS + 1, "u:1", "c", ()),), AHEAD_MS)
    profile = back(address_entry=entry, asked=(Asked(2, AHEAD_MS),))
    waiting = Waiting(START_MS, START_MS, "u:1", "c", ())
    assert profile.address_entry == AddressEntry((Granted(START_MS, 1),), (waiting,))
    assert profile.asked == (Asked(2, START_MS + ANSWER_MS_MAX),)


def test_a_message_that_is_held_goes_with_the_run_that_decided_it() -> None:
    full = a_full_profile()
    trigger = replace(full.pending[0].trigger, decided_ms=AHEAD_MS, due_ms=AHEAD_MS + 5, expires_ms=AHEAD_MS + DAY_MS)
    held = PendingMessage(trigger, a_run(AHEAD_MS, AHEAD_MS), is_held=True)
    sent = Sent(AHEAD_MS + 5, trigger.channel, trigger.flow_id, is_promotional=True)
    profile = back(pending=(held,), messages=(sent,))
    (moved,) = profile.pending
    assert (moved.trigger.decided_ms, moved.trigger.due_ms, moved.trigger.expires_ms) == (
        START_MS,
        START_MS + 5,
        START_MS + DAY_MS,
    )
    assert profile.messages[0].time_ms == moved.goes_ms


def test_the_weekly_slot_and_the_score_come_back() -> None:
    full = a_full_profile()
    assert full.score is not None
    profile = back(slot_ms=AHEAD_MS + DAY_MS, score=replace(full.score, scored_ms=AHEAD_MS, due_ms=AHEAD_MS + DAY_MS))
    assert START_MS < profile.slot_ms <= START_MS + WEEK_MS
    assert next_due_ms(profile) == START_MS  # the score, measured again at once
    assert back(slot_ms=START_MS + DAY_MS).slot_ms == START_MS + DAY_MS


@pytest.mark.parametrize("days", [1, 30, 400])
def test_a_repeat_is_recognised_before_and_after(days: int) -> None:
    early = with_seen((), event_hash("early"), START_MS - DAY_MS) or ()
    seen = with_seen(early, event_hash("ahead"), START_MS + days * DAY_MS) or ()
    seen = with_seen(seen, event_hash("later"), START_MS + (days + 1) * DAY_MS) or ()
    profile = back(seen=seen)
    assert [day for day, _ in profile.seen] == sorted({day for day, _ in profile.seen})
    assert profile.seen[-1][0] == START_MS // DAY_MS
    known = ("ahead", "later", "early") if days < 7 else ("ahead", "later")
    assert all(with_seen(profile.seen, event_hash(each), START_MS) is None for each in known)


def test_a_profile_with_every_field_goes_back_whole_and_only_once() -> None:
    full = replace(a_full_profile(), clock_ms=AHEAD_MS)
    once = stepped_back("u:7", full, START_MS)
    assert once.clock_ms == START_MS
    assert stepped_back("u:7", once, START_MS) == once


def test_a_customer_pushed_ahead_goes_back_at_their_next_record_and_is_in_their_flow_again() -> None:
    world = WallWorld()
    world.send(an_order(START_MS), an_add(START_MS + 1))
    profile = world.profile("u:1")
    assert profile is not None
    pushed = replace(profile, clock_ms=AHEAD_MS, runs=(), slot_ms=AHEAD_MS + DAY_MS, wake_ms=AHEAD_MS + DAY_MS)
    world.overlay.put(b"u:1", pushed, pushed.wake_ms)
    world.at_ms = START_MS + DAY_MS
    world.send(an_add(START_MS + DAY_MS, sku="cup"))
    after = world.profile("u:1")
    assert after is not None
    assert after.clock_ms == START_MS + DAY_MS + TIME_AHEAD_MS_MAX
    assert after.slot_ms <= START_MS + DAY_MS + WEEK_MS + TIME_AHEAD_MS_MAX
    assert [run.due_ms for run in after.runs] == [START_MS + DAY_MS + 2 * HOUR_MS]


def test_a_customer_whose_clock_the_brokers_allow_stays_as_they_are() -> None:
    world = WallWorld()
    world.send(an_add(START_MS), received_ms=START_MS + TIME_AHEAD_MS_MAX)
    before = world.profile("u:1")
    world.send(an_add(START_MS, sku="cup"), received_ms=START_MS)
    after = world.profile("u:1")
    assert before is not None
    assert after is not None
    assert after.clock_ms == before.clock_ms


def test_after_a_logout_in_the_time_ahead_the_next_who_logs_in_gets_what_they_do() -> None:
    """When it really was is not known, but before all that comes from now on."""
    world = WallWorld()
    world.at_ms = AHEAD_MS
    world.send(a_touchpoint("page_viewed", AHEAD_MS, "A", anonymous_id="tablet"))
    world.send(a_touchpoint("identity_unlinked", AHEAD_MS, "A", anonymous_id="tablet"))
    world.at_ms = START_MS
    world.append("", TimeReset("clock"))
    for hours, user in ((1, "B"), (2, "C")):
        world.at_ms = START_MS + hours * HOUR_MS
        world.send(a_touchpoint("page_viewed", world.at_ms, user, anonymous_id="tablet"))
        world.send(an_add(world.at_ms, user=None, anonymous_id="tablet", sku=f"of {user}"))
        profile = world.profile(f"u:{user}")
        assert profile is not None
        assert profile.cart is not None
        assert [item.sku for item in profile.cart.items] == [f"of {user}"]


def test_a_logout_before_the_time_ahead_stays_as_it_is() -> None:
    linked = ("u:A", f"f:{START_MS - 1}:{START_MS - 5}")
    assert back(linked=linked).linked == linked
    assert back(linked=("u:A", f"f:{AHEAD_MS}:{START_MS - 5}")).linked == ("u:A", "f:0")
