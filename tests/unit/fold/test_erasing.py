"""A request to be forgotten, through the fold: whom and what it suppresses."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.journal import RULES_3
from schemas.outputs import Decision, Trigger
from schemas.touchpoint import Consent
from streams.fold.stepping import stepped_back
from streams.profiles.identity import united_requests
from streams.profiles.mailboxes import ERASED_HERE
from tests.support.flows import a_bare_flow
from tests.support.world import DAY_MS, HOUR_MS, START_MS, World, a_touchpoint

A, B = "aa" * 32, "bb" * 32
NEWS = a_bare_flow(
    "news",
    "product_viewed",
    channels=["email", "push"],
    caps={"per_channel_hours": 0, "per_week": 100},
    exits=[],
    steps=[{"name": "message", "do": "trigger", "offer": "save_5"}],
)


def a_world(**given: Any) -> World:
    world = World(flows=(NEWS,), **given)
    world.pass_time(START_MS - 1)
    return world


def asks(world: World, at_ms: int, user: str | None = "1", **fields: Any) -> None:
    world.send(a_touchpoint("erasure_requested", at_ms, user, **fields))


def looks(world: World, at_ms: int, user: str = "1", **fields: Any) -> None:
    world.send(a_touchpoint("product_viewed", at_ms, user, **fields))
    world.pass_time(at_ms + HOUR_MS)


def looks_there(world: World, at_ms: int, user: str, address: str) -> None:
    """Names an address first: what it knows is asked, and a message waits for the answer."""
    world.send(a_touchpoint("page_viewed", at_ms - HOUR_MS, user, email_hash=address))
    looks(world, at_ms, user)


def sent(world: World) -> list[tuple[str, str]]:
    return [(each.customer, each.channel) for each in world.emitted(Trigger)]


def suppressed(world: World, customer: str) -> list[str]:
    return [each.reason for each in world.emitted(Decision, customer) if each.outcome == "suppressed"]


def test_no_channel_has_a_promotion_and_no_later_grant_brings_it_back() -> None:
    world = a_world()
    asks(world, START_MS)
    world.send(a_touchpoint("consent_changed", START_MS + 1, consent=Consent("all", granted=True)))
    looks(world, START_MS + DAY_MS)
    assert sent(world) == []
    (reason,) = suppressed(world, "u:1")
    assert reason == "The customer asked to be forgotten, so they get no more promotions. Nothing was erased yet."


def test_another_profile_of_the_address_gets_none_there_but_by_other_channels() -> None:
    world = a_world()
    world.send(a_touchpoint("page_viewed", START_MS, "1", email_hash=A))
    world.send(a_touchpoint("page_viewed", START_MS, "2", email_hash=A))
    asks(world, START_MS + 1)
    # one who is new to the address is told too
    world.send(a_touchpoint("page_viewed", START_MS + 2, "3", email_hash=A))
    looks(world, START_MS + DAY_MS, "2")
    looks(world, START_MS + DAY_MS, "3")
    assert sent(world) == [("u:2", "push"), ("u:3", "push")]


def test_a_request_that_names_only_an_address_is_about_that_address() -> None:
    world = World(flows=({**NEWS, "channels": ["email"]},))
    world.send(a_touchpoint("page_viewed", START_MS, "1", email_hash=A))
    asks(world, START_MS + 1, None, email_hash=A)
    looks(world, START_MS + DAY_MS)
    assert sent(world) == []
    assert suppressed(world, "u:1") == [ERASED_HERE]
    looks(world, START_MS + 2 * DAY_MS, email_hash=B)
    assert sent(world) == [("u:1", "email")]


def test_an_address_that_came_after_the_request_is_not_suppressed() -> None:
    world = a_world()
    asks(world, START_MS)
    world.send(a_touchpoint("page_viewed", START_MS + 1, "1", email_hash=B))
    looks_there(world, START_MS + DAY_MS, "2", B)
    assert sent(world) == [("u:2", "email")]


def test_an_address_is_suppressed_that_turns_out_to_be_theirs_at_the_request() -> None:
    world = a_world()
    asks(world, START_MS)
    world.send(a_touchpoint("page_viewed", START_MS - 1, "1", email_hash=A), received_ms=START_MS + HOUR_MS)
    looks_there(world, START_MS + DAY_MS, "2", A)
    assert sent(world) == [("u:2", "push")]


@pytest.mark.parametrize("who", ["1", "2"])
def test_a_merge_keeps_the_request_of_either(who: str) -> None:
    world = a_world()
    for user, address in (("1", A), ("2", B)):
        world.send(a_touchpoint("page_viewed", START_MS, user, email_hash=address))
    asks(world, START_MS + 1, who)
    world.send(a_touchpoint("identity_linked", START_MS + 2, "1", properties={"previous_id": "2"}))
    looks(world, START_MS + DAY_MS, "1")
    looks_there(world, START_MS + 2 * DAY_MS, "3", A)
    looks_there(world, START_MS + 3 * DAY_MS, "4", B)
    assert sent(world) == [("u:3", "push"), ("u:4", "push")]


def test_the_first_and_the_last_request_are_kept_and_only_once_counted() -> None:
    world = a_world()
    for at_ms in (START_MS + 5, START_MS + 9, START_MS + 7):
        asks(world, at_ms)
    profile = world.profile("u:1")
    assert profile is not None
    assert profile.erasure_asked == (START_MS + 5, START_MS + 9)
    assert world.total("erasure_requests") == 3
    assert united_requests(None, (3, 4)) == united_requests((3, 4), None) == (3, 4)
    assert united_requests(None, None) is None
    assert united_requests((2, 2), (3, 4)) == (2, 4)


def test_a_request_of_a_time_ahead_is_one_of_now_when_time_goes_back() -> None:
    world = a_world()
    world.send(a_touchpoint("page_viewed", START_MS, "1", email_hash=A))
    asks(world, START_MS + DAY_MS)
    profile = world.profile("u:1")
    assert profile is not None
    back = stepped_back("u:1", profile, START_MS + HOUR_MS)
    assert back.erasure_asked == (START_MS + HOUR_MS, START_MS + HOUR_MS)
    assert [box.erased_ms for box in back.mailboxes] == [START_MS + HOUR_MS]


def test_earlier_rules_do_nothing() -> None:
    world = World(rules=RULES_3, flows=(NEWS,))
    world.pass_time(START_MS - 1)
    asks(world, START_MS)
    looks(world, START_MS + DAY_MS)
    assert sent(world) == [("u:1", "email")]
    assert world.total("erasure_requests") == 0
