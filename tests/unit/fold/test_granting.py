"""An address that several profiles have: who gets a slot for a promotional message, and what is kept of it."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.journal import AddressNotice, Link, Slot, SlotAnswered, SlotAsked, SlotLimit, SlotsDue, Unlink
from schemas.outputs import Decision, Trigger
from schemas.touchpoint import Consent
from streams.fold.granting import SETTLED_MS, STUCK_MS, TURNS, answers_due_ms
from streams.fold.moment import Rejected
from streams.profiles.address_entry import AddressEntry, Granted, Waiting
from streams.profiles.bounds import SLOTS_MAX, SLOTS_WAITING_BYTES_MAX
from streams.profiles.effects import hash_64
from tests.support.flows import a_bare_flow
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, World, a_touchpoint, an_order

A = "ab" * 32
KEY = f"e:{A}"
STEPS = [{"name": "message", "do": "trigger", "offer": "save_5"}]
NEWS = a_bare_flow("news", "product_viewed", exits=["order_completed"], steps=STEPS)
THANKS = a_bare_flow("thanks", "order_completed", **{"class": "transactional"}, products="order")


def a_world(*users: str, **changes: Any) -> World:
    """Users who named one address at the start, and time that has come an hour further."""
    world = World(flows=({**NEWS, **changes}, THANKS))
    world.pass_time(START_MS - 1)
    for user in users:
        world.send(a_touchpoint("page_viewed", START_MS, user, email_hash=A))
    world.pass_time(START_MS + HOUR_MS)
    return world


def entry_of(world: World) -> AddressEntry:
    profile = world.profile(KEY)
    assert profile is not None
    assert profile.address_entry is not None
    return profile.address_entry


def mailed(world: World) -> list[str]:
    return [trigger.customer for trigger in world.emitted(Trigger) if trigger.flow_id == "news"]


def views(world: World, at_ms: int, *users: str) -> None:
    for user in users:
        world.send(a_touchpoint("product_viewed", at_ms, user))


def an_entry(world: World, *asked: SlotAsked) -> AddressEntry:
    for each in asked:
        world.append(KEY, each)
    return entry_of(world)


def asks(name: str, at_ms: int, *limits: tuple[int, int], customer: str = "u:1") -> SlotAsked:
    slots = (Slot(name, at_ms),)
    return SlotAsked("asked", customer, at_ms, slots, tuple([SlotLimit(*limit) for limit in limits]))


def test_who_has_an_address_alone_does_not_ask_and_does_not_wait() -> None:
    world = a_world("1")
    views(world, START_MS + 2 * HOUR_MS - 5_000, "1")
    world.pass_time(START_MS + 2 * HOUR_MS)
    profile = world.profile(KEY)
    assert mailed(world) == ["u:1"]
    assert profile is not None
    assert profile.address_entry is None


def test_a_message_that_is_out_and_asked_for_under_a_new_limit_is_answered_whatever_is_said_of_it_meanwhile() -> None:
    world, at_ms = a_world("1", "2"), START_MS + 2 * HOUR_MS
    used = SlotAsked("used", "u:1", 0, (Slot("a", at_ms), Slot("before", at_ms - HOUR_MS)))
    entry = an_entry(world, asks("a", at_ms, (1, DAY_MS)), used)
    assert [each.candidate_id for each in entry.waiting] == ["a"]
    assert entry.granted == (Granted(at_ms - HOUR_MS, hash_64("before")),)


@pytest.mark.parametrize("users", ["12", "21", "1234", "4321"])
def test_of_those_who_ask_at_one_time_the_same_one_gets_the_slot_in_whatever_order_they_come(users: str) -> None:
    world = a_world(*users)
    views(world, START_MS + 2 * HOUR_MS, *users)
    assert mailed(world) == []
    world.pass_time(START_MS + 2 * HOUR_MS + SETTLED_MS - 1)
    assert mailed(world) == []
    world.pass_time(START_MS + 2 * HOUR_MS + SETTLED_MS)
    assert mailed(world) == [min(["u:" + user for user in users], key=hash_64)]


def test_an_earlier_decision_goes_first_though_it_comes_in_later() -> None:
    world = a_world("1", "2")
    views(world, START_MS + 2 * HOUR_MS + 2, "2")
    views(world, START_MS + 2 * HOUR_MS + 1, "1")
    world.pass_time(START_MS + 3 * HOUR_MS)
    assert mailed(world) == ["u:1"]


def test_a_denial_is_a_decision_that_names_the_address_and_nobody() -> None:
    world = a_world("1", "2")
    views(world, START_MS + 2 * HOUR_MS, "1", "2")
    world.pass_time(START_MS + 3 * HOUR_MS)
    (denied,) = [each for each in world.emitted(Decision) if each.outcome == "revoked"]
    assert denied.reason == (
        "Other profiles have the same e-mail address, and together they got 1 of at most 1 promotional messages "
        "in 20h, so this one was not sent."
    )
    assert {**denied.evidence, "trigger_id": ""} == {
        "trigger_id": "",
        "limit": "1",
        "within_ms": str(20 * HOUR_MS),
        "found": "1",
    }
    assert world.total("candidates_unaccounted") == 0


def test_order_mail_does_not_wait_and_takes_no_slot() -> None:
    world = a_world("1", "2")
    views(world, START_MS + 2 * HOUR_MS, "1")
    world.pass_time(START_MS + 3 * HOUR_MS)
    for user in "12":
        world.send(an_order(START_MS + 3 * HOUR_MS, user=user))
    assert [each.customer for each in world.emitted(Trigger) if each.flow_id == "thanks"] == ["u:1", "u:2"]
    assert len(entry_of(world).granted) == 1


def test_what_a_profile_got_before_another_one_had_the_address_counts() -> None:
    world = a_world("1")
    views(world, START_MS + 2 * HOUR_MS, "1")
    world.pass_time(START_MS + 3 * HOUR_MS)
    assert mailed(world) == ["u:1"]
    world.send(a_touchpoint("product_viewed", START_MS + 4 * HOUR_MS, "2", email_hash=A))
    world.pass_time(START_MS + 5 * HOUR_MS)
    assert mailed(world) == ["u:1"]
    views(world, START_MS + 22 * HOUR_MS, "2")
    world.pass_time(START_MS + 23 * HOUR_MS)
    assert mailed(world) == ["u:1", "u:2"]


def test_a_slot_of_a_message_that_is_taken_back_is_free_again() -> None:
    world = a_world("1", "2", send_time="best", caps={"per_week": 1})
    views(world, START_MS + 2 * HOUR_MS, "1")
    world.pass_time(START_MS + 3 * HOUR_MS)
    assert len(entry_of(world).granted) == 1
    world.send(an_order(START_MS + 4 * HOUR_MS, user="1"))
    assert entry_of(world).granted == ()
    views(world, START_MS + 5 * HOUR_MS, "2")
    world.pass_time(START_MS + 6 * HOUR_MS)
    assert mailed(world) == ["u:1", "u:2"]


def test_a_limit_that_comes_after_two_grants_takes_one_of_them_back() -> None:
    world = a_world("1", "2", send_time="best", caps={"per_channel_hours": 0})
    views(world, START_MS + 2 * HOUR_MS, "1", "2")
    world.pass_time(START_MS + 3 * HOUR_MS)
    assert len(entry_of(world).granted) == 2
    said = Consent("email", granted=True, at_most=1)
    world.send(a_touchpoint("consent_changed", START_MS + 4 * HOUR_MS, "1", consent=said, email_hash=A))
    world.pass_time(START_MS + 5 * HOUR_MS)
    assert len(entry_of(world).granted) == 1
    assert [each.outcome for each in world.emitted(Decision)].count("revoked") == 1


def test_two_profiles_that_become_one_count_once_and_no_longer_ask() -> None:
    world = a_world()
    world.send(a_touchpoint("page_viewed", START_MS + 2 * HOUR_MS, None, anonymous_id="phone", email_hash=A))
    world.send(a_touchpoint("page_viewed", START_MS + 2 * HOUR_MS, "1", email_hash=A))
    views(world, START_MS + 3 * HOUR_MS, "1")
    world.pass_time(START_MS + 4 * HOUR_MS)
    assert len(entry_of(world).granted) == 1
    world.send(a_touchpoint("page_viewed", START_MS + 5 * HOUR_MS, "1", anonymous_id="phone"))
    profile, address = world.profile("u:1"), world.profile(KEY)
    assert profile is not None
    assert address is not None
    assert [box.is_shared for box in profile.mailboxes] == [False]
    assert address.linked == ("u:1",)
    views(world, START_MS + 30 * HOUR_MS, "1")
    world.pass_time(START_MS + 31 * HOUR_MS)
    assert mailed(world) == ["u:1", "u:1"]
    world.send(a_touchpoint("page_viewed", START_MS + 32 * HOUR_MS, "2", email_hash=A))
    assert len(entry_of(world).granted) == 2


def test_an_address_with_several_profiles_of_earlier_rules_lets_them_know_as_the_rules_rise() -> None:
    world = World(flows=(NEWS,), rules=3)
    world.pass_time(START_MS - 1)
    for user in "12":
        world.send(a_touchpoint("page_viewed", START_MS, user, email_hash=A))
    world.append("", world.restated())
    world.partition.settings = world.settings
    list(world.partition.configure())
    views(world, START_MS + HOUR_MS, "1", "2")
    world.pass_time(START_MS + 2 * HOUR_MS)
    assert len(mailed(world)) == 1


def test_an_address_waits_some_turns_and_while_its_partition_wakes_others() -> None:
    world = a_world("1", "2")
    entry = an_entry(world, asks("c", START_MS + HOUR_MS - SETTLED_MS, (1, DAY_MS)))
    assert (entry.waiting, len(entry.granted)) == ((), 1)
    seen = [
        each
        for outcome in world.partition.append(KEY, asks("d", START_MS + HOUR_MS - SETTLED_MS))
        for _, each, _ in outcome.effects.journal  # type: ignore[union-attr]
    ]
    assert [each.turn for each in seen if isinstance(each, SlotsDue)] == list(range(1, TURNS + 1))


def test_a_stale_turn_changes_nothing_and_a_lost_one_begins_again() -> None:
    world = a_world("1", "2")
    world.append(KEY, SlotsDue(START_MS, TURNS))
    profile = world.profile(KEY)
    assert profile is not None
    assert profile.address_entry is None
    waiting = (Waiting(START_MS, START_MS, "u:1", "c", ()),)
    assert answers_due_ms(AddressEntry()) == 0
    assert answers_due_ms(AddressEntry(waiting=waiting)) == START_MS + SETTLED_MS
    assert answers_due_ms(AddressEntry(waiting=waiting, due_ms=START_MS + DAY_MS)) == START_MS + DAY_MS + STUCK_MS


def test_the_same_message_asks_once_and_gets_one_slot() -> None:
    world = a_world("1", "2")
    at_ms = START_MS + 2 * HOUR_MS
    assert len(an_entry(world, asks("c", at_ms), asks("c", at_ms)).waiting) == 1
    world.pass_time(at_ms + SETTLED_MS)
    used = SlotAsked("used", "u:1", 0, (Slot("c", at_ms),))
    assert an_entry(world, used, used).granted == (Granted(at_ms, hash_64("c")),)
    assert an_entry(world, SlotAsked("freed", "u:1", 0, (Slot("c", at_ms),))).granted == ()


def test_what_was_freed_before_the_answer_gets_none() -> None:
    world = a_world("1", "2")
    at_ms = START_MS + 2 * HOUR_MS
    entry = an_entry(world, asks("c", at_ms), SlotAsked("freed", "u:1", 0, (Slot("c", at_ms),)))
    assert entry == AddressEntry()


def test_a_window_counts_what_goes_out_later_too() -> None:
    world = a_world("1", "2")
    at_ms = START_MS + 2 * HOUR_MS
    an_entry(world, SlotAsked("used", "u:2", 0, (Slot("later", at_ms + 12 * HOUR_MS),)))
    an_entry(world, asks("c", at_ms, (1, 13 * HOUR_MS)), asks("d", at_ms, (1, 12 * HOUR_MS)))
    world.pass_time(at_ms + SETTLED_MS)
    assert {each.id_hash for each in entry_of(world).granted} == {hash_64("later"), hash_64("d")}


def test_an_address_keeps_the_newest_messages_of_thirty_days() -> None:
    world = a_world("1", "2")
    slots = tuple([Slot(str(number), START_MS + number * MINUTE_MS) for number in range(SLOTS_MAX)])
    an_entry(world, SlotAsked("used", "u:1", 0, slots))
    entry = an_entry(world, SlotAsked("used", "u:2", 0, (Slot("new", START_MS + DAY_MS),)))
    assert (len(entry.granted), entry.granted[-1].time_ms) == (SLOTS_MAX, START_MS + DAY_MS)
    entry = an_entry(world, SlotAsked("used", "u:2", 0, (Slot("newer", START_MS + 60 * DAY_MS),)))
    assert len(entry.granted) == 1


def test_more_than_an_address_has_room_for_is_denied_at_once() -> None:
    world = a_world("1", "2")
    at_ms, answers = START_MS + 2 * HOUR_MS, []
    for number in range(SLOTS_WAITING_BYTES_MAX // 500):
        asked = asks(f"c{number}", at_ms, customer="u:" + "x" * 500)
        for outcome in world.partition.append(KEY, asked):
            answers += [each for _, each, _ in outcome.effects.journal if isinstance(each, SlotAnswered)]  # type: ignore[union-attr]
    assert len(entry_of(world).waiting) == SLOTS_WAITING_BYTES_MAX // 582
    assert answers
    assert not any(each.is_granted for each in answers)


@pytest.mark.parametrize("key", ["u:1", "a:1", "o:1", "s:1"])
def test_only_an_address_is_asked(key: str) -> None:
    for record in (asks("c", START_MS), SlotsDue(START_MS, 1)):
        with pytest.raises(Rejected, match="bad_key"):
            a_world("1").append(key, record)


def test_notices_of_sharing_go_to_those_who_do_not_know() -> None:
    world = a_world("1", "2")
    noticed = [
        key
        for outcome in world.partition.append(KEY, Link("u:3", START_MS, "event"))
        for key, each, _ in outcome.effects.journal  # type: ignore[union-attr]
        if isinstance(each, AddressNotice) and each.kind == "shared"
    ]
    assert noticed == ["u:3"]
    for merged in ("u:3", "u:2"):
        world.append(KEY, Unlink(merged, START_MS, "event", "u:1"))
    profile = world.profile("u:1")
    assert profile is not None
    assert [box.is_shared for box in profile.mailboxes] == [False]
