"""What a profile says to an address that others have too."""

from __future__ import annotations

import pytest

from schemas.journal import AddressNotice, Configured, Slot, SlotAnswered, SlotAsked, SlotLimit
from schemas.outputs import Decision, Trigger
from schemas.units import DAY_MS, HOUR_MS, WEEK_MS
from streams.flows.runtime.asking import ANSWER_MS_MAX, LIMITS_MAX, is_ours, is_shared, why_denied
from streams.fold.addressing import ALONE
from streams.fold.attempt import Folded
from streams.profiles.address_entry import Asked
from streams.profiles.bounds import SLOTS_MAX
from streams.profiles.effects import hash_64
from streams.profiles.profile import Profile
from streams.profiles.statement import Mailbox
from tests.support.flows import a_bare_flow
from tests.support.world import START_MS, World, a_touchpoint

A = "ab" * 32
STEPS = [{"name": "message", "do": "trigger", "offer": "save_5"}]


def a_world(**caps: object) -> World:
    world = World(flows=(a_bare_flow("news", "product_viewed", steps=STEPS, caps=caps),))
    world.pass_time(START_MS - 1)
    for user in "12":
        world.send(a_touchpoint("page_viewed", START_MS, user, email_hash=A))
    world.pass_time(START_MS + HOUR_MS)
    return world


def asked_by(world: World, user: str) -> list[SlotAsked]:
    view = a_touchpoint("product_viewed", START_MS + 2 * HOUR_MS, user)
    return [
        each
        for outcome in world.partition.send(view)
        for _, each, _ in outcome.effects.journal  # type: ignore[union-attr]
        if isinstance(each, SlotAsked)
    ]


@pytest.mark.parametrize(
    ("caps", "limits"),
    [
        ({}, [(1, 20 * HOUR_MS), (3, WEEK_MS)]),
        ({"per_channel_hours": 0, "per_week": 5}, [(5, WEEK_MS)]),
        (
            {"rolling": [{"messages": 2, "within": "3d"}, {"messages": 9, "within": "1d"}]},
            [(1, 20 * HOUR_MS), (2, 3 * DAY_MS), (3, WEEK_MS)],
        ),
        ({"rolling": [{"messages": 1, "within": "30d"}]}, [(1, 30 * DAY_MS)]),
        ({"rolling": [{"messages": 1, "within": "30d", "channel": "sms"}]}, [(1, 20 * HOUR_MS), (3, WEEK_MS)]),
    ],
    ids=["the default ones", "a week", "one that says nothing", "one that says all", "of another channel"],
)
def test_all_limits_that_say_something_go_with_the_question(
    caps: dict[str, object], limits: list[tuple[int, int]]
) -> None:
    (asked,) = asked_by(a_world(**caps), "1")
    assert [(each.messages, each.within_ms) for each in asked.limits] == limits
    assert (asked.kind, asked.customer, asked.decided_ms) == ("asked", "u:1", START_MS + 2 * HOUR_MS)
    assert [slot.time_ms for slot in asked.slots] == [START_MS + 2 * HOUR_MS]
    assert is_ours(asked)


def test_only_mail_to_an_address_that_others_have_too_is_shared() -> None:
    boxes = (Mailbox("a", 1, 1, is_own=True, is_shared=True), Mailbox("b", 1, 1, is_own=True))
    profile = Profile(mailboxes=boxes)
    found = {
        (channel, address) for channel in ("email", "sms") for address in "abc" if is_shared(profile, channel, address)
    }
    assert found == {("email", "a")}
    assert not is_shared(profile, "email", None)
    assert not is_shared(Profile(), "email", "a")


def test_without_an_answer_the_address_is_asked_again_and_then_the_message_is_taken_back() -> None:
    world = a_world()
    profile = world.profile("u:1")
    assert profile is not None
    asked_by(world, "1")
    found = world.profile("u:1")
    assert found is not None
    until_ms = START_MS + 2 * HOUR_MS + ANSWER_MS_MAX
    (waiting,) = found.asked
    (message,) = found.pending
    candidate_id = message.run.candidate_id
    assert waiting == Asked(hash_64(candidate_id), until_ms)
    # as if the address had lost what it was asked
    for _ in range(3):
        world.append(f"e:{A}", SlotAsked("freed", "u:1", 0, (Slot(candidate_id, 0),)))
        fold_only(world, until_ms)
        until_ms += ANSWER_MS_MAX
    assert world.emitted(Trigger) == []
    assert [each.outcome for each in world.emitted(Decision)][-1] == "revoked"
    left = world.profile("u:1")
    assert left is not None
    assert (left.asked, left.pending, left.messages) == ((), (), ())


@pytest.mark.parametrize("is_published", [True, False], ids=["of a live flow", "of a flow that is gone"])
def test_who_waits_for_an_address_that_nobody_else_has_any_more_is_not_woken_without_end(*, is_published: bool) -> None:
    world = a_world()
    asked_by(world, "1")
    found = world.profile("u:1")
    assert found is not None
    (message,) = found.pending
    address = f"e:{A}"
    # as if the address had lost what it was asked, and then has one profile only
    world.append(address, SlotAsked("freed", "u:1", 0, (Slot(message.run.candidate_id, 0),)))
    world.append("u:1", AddressNotice(ALONE, A, START_MS, START_MS, "test"))
    if not is_published:
        world.append("", Configured(world.settings.model_copy(update={"flows": ()}).model_dump_json(), 0))
    world.pass_time(START_MS + 2 * HOUR_MS + ANSWER_MS_MAX)
    world.pass_time(START_MS + 3 * HOUR_MS + ANSWER_MS_MAX)
    left = world.profile("u:1")
    assert left is not None
    assert (left.asked, left.pending) == ((), ())
    assert len(world.emitted(Trigger)) == is_published
    assert ("revoked" in {each.outcome for each in world.emitted(Decision)}) is not is_published


def fold_only(world: World, until_ms: int) -> None:
    """Lets time pass, and loses what it makes the profile ask."""
    for outcome in world.partition.pass_time(until_ms):
        assert isinstance(outcome, Folded)
        world.outputs += outcome.effects.outputs
        kept = [each for each in outcome.effects.journal if not isinstance(each[1], SlotAsked)]
        outcome.effects.journal[:] = kept


@pytest.mark.parametrize(
    "asked",
    [
        SlotAsked("wanted", "u:1", 0, ()),
        SlotAsked("asked", "u:1", 1 << 62, ()),
        SlotAsked("used", "u:1", 0, (Slot("c", 1),) * (SLOTS_MAX + 1)),
        SlotAsked("used", "u:1", 0, (Slot("c" * 33, 1),)),
        SlotAsked("used", "u:1", 0, (Slot("c", 1 << 62),)),
        SlotAsked("asked", "u:1", 0, (), (SlotLimit(1, HOUR_MS),) * (LIMITS_MAX + 1)),
        SlotAsked("asked", "u:1", 0, (), (SlotLimit(-1, HOUR_MS),)),
        SlotAsked("asked", "u:1", 0, (), (SlotLimit(1, 0),)),
        SlotAsked("asked", "u:1", 0, (), (SlotLimit(1, 31 * DAY_MS),)),
    ],
)
def test_what_is_none_of_ours_is_known(asked: SlotAsked) -> None:
    assert not is_ours(asked)


def test_a_denial_without_a_limit_says_that_too_much_waits() -> None:
    assert "too many messages to it wait" in why_denied(SlotAnswered("c", is_granted=False))
    assert "3 of at most 2 promotional messages in 7d" in why_denied(
        SlotAnswered("c", is_granted=False, messages=2, within_ms=WEEK_MS, found=3)
    )
