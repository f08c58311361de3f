"""Which address an event gives a customer, through the fold."""

from __future__ import annotations

from itertools import permutations
from random import Random

import pytest

from schemas.outputs import Trigger
from streams.fold.identifying import ASKED_AGAIN_MS
from streams.profiles.links import PROFILES_OF_AN_ADDRESS_MAX
from streams.profiles.mailboxes import MAILBOXES_MAX
from streams.profiles.profile import EMPTY
from tests.support.flows import a_bare_flow
from tests.support.interleaved import Interleaved
from tests.support.world import HOUR_MS, MINUTE_MS, START_MS, World, a_touchpoint, an_add

A, B = ("aa" * 32, "bb" * 32)
AT_ONCE = a_bare_flow(
    "at_once",
    "product_added",
    caps={"per_channel_hours": 0, "per_week": 100},
    exits=[],
    steps=[{"name": "message", "do": "trigger", "offer": "save_5"}],
)


def in_use(*said: tuple[str, str, int]) -> set[tuple[str | None, int]]:
    """Addresses in use, and their times, after events that come in by all orders."""
    found = set()
    for order in permutations(said):
        world = World()
        for kind, address, hour in order:
            event = a_touchpoint(kind, START_MS + hour * HOUR_MS, "1", email_hash=address)
            world.send(event, received_ms=START_MS + 50 * HOUR_MS)
        profile = world.profile("u:1") or EMPTY
        found.add((profile.email_hash, (profile.email_ms - START_MS) // HOUR_MS if profile.email_ms else 0))
    return found


@pytest.mark.parametrize("kind", ["email_delivered", "email_opened", "email_clicked", "email_bounced"])
def test_a_report_about_a_message_moves_no_address_in_whatever_order_it_comes_in(kind: str) -> None:
    assert in_use(("page_viewed", A, 1), ("page_viewed", B, 10), (kind, A, 20)) == {(B, 10)}
    assert in_use(("page_viewed", A, 1), (kind, A, 20)) == {(A, 1)}
    assert in_use((kind, A, 20), (kind, B, 10)) == {(A, 0)}


def test_an_own_event_goes_before_reports_and_then_counts_from_its_own_time() -> None:
    assert in_use(("email_opened", A, 20), ("page_viewed", A, 1), ("page_viewed", B, 10)) == {(B, 10)}
    assert in_use(("email_opened", A, 20), ("page_viewed", B, 10)) == {(B, 10)}


@pytest.mark.parametrize("seed", range(20))
def test_no_promotion_goes_to_one_address_more_before_it_has_said_what_it_knows(seed: int) -> None:
    """Records of different keys overtake each other: what the address says comes in by chance."""
    journal = Interleaved(Random(seed), flows=(AT_ONCE,), consent_default="granted")
    world = journal.world
    world.pass_time(START_MS - 1)
    journal.send(a_touchpoint("email_unsubscribed", START_MS, None, email_hash=A, properties={"complaint": "1"}))
    journal.fold()
    for number in range(MAILBOXES_MAX):
        journal.send(a_touchpoint("page_viewed", START_MS + number * MINUTE_MS, "1", email_hash=str(number) * 64))
    journal.fold()
    world.pass_time(START_MS + HOUR_MS)
    journal.send(a_touchpoint("page_viewed", START_MS + HOUR_MS + 1, "1", email_hash=A), an_add(START_MS + HOUR_MS + 2))
    journal.fold()
    world.pass_time(START_MS + 2 * HOUR_MS)
    assert [trigger for trigger in world.emitted(Trigger) if trigger.email_hash == A] == []


def test_an_address_of_long_ago_for_which_there_is_no_room_is_asked_nothing() -> None:
    world = World()
    for number in range(MAILBOXES_MAX):
        world.send(a_touchpoint("page_viewed", START_MS + number * MINUTE_MS, "1", email_hash=str(number) * 64))
    world.send(a_touchpoint("page_viewed", START_MS - HOUR_MS, "1", email_hash=A), received_ms=START_MS + HOUR_MS)
    assert world.profile(f"e:{A}") is None
    assert f"e:{A}" not in (world.profile("u:1") or EMPTY).linked


def test_an_address_that_is_typed_at_many_devices_still_tells_its_customer_of_an_unsubscribe() -> None:
    world = World(flows=(AT_ONCE,), consent_default="granted")
    world.send(a_touchpoint("page_viewed", START_MS, "1", email_hash=A))
    for number in range(100):
        device = f"{number:03}{'x' * 500}"
        world.send(a_touchpoint("page_viewed", START_MS + number, None, anonymous_id=device, email_hash=A))
    world.send(a_touchpoint("email_unsubscribed", START_MS + HOUR_MS, None, email_hash=A))
    world.send(an_add(START_MS + 2 * HOUR_MS))
    world.pass_time(START_MS + 3 * HOUR_MS)
    assert world.emitted(Trigger) == []


@pytest.mark.parametrize("names", [True, False])
def test_a_customer_whom_an_address_forgot_for_others_asks_again_within_a_week_of_visits(*, names: bool) -> None:
    world = World(flows=(AT_ONCE,), consent_default="granted")
    world.send(a_touchpoint("page_viewed", START_MS, "1", email_hash=A))
    for number in range(PROFILES_OF_AN_ADDRESS_MAX):
        world.send(a_touchpoint("page_viewed", START_MS + number, f"other {number}", email_hash=A))
    assert "u:1" not in (world.profile(f"e:{A}") or EMPTY).linked
    world.send(a_touchpoint("email_unsubscribed", START_MS + HOUR_MS, None, email_hash=A))
    later_ms = START_MS + ASKED_AGAIN_MS
    world.pass_time(later_ms - 1)
    # what waits for the answer of the address is taken back
    world.send(an_add(later_ms, email_hash=A if names else None))
    world.pass_time(later_ms + HOUR_MS)
    assert world.emitted(Trigger) == []
    assert "u:1" in (world.profile(f"e:{A}") or EMPTY).linked


def test_an_address_is_asked_again_once_a_visit_and_not_before_a_week() -> None:
    world = World()
    found = []
    for day in (0, 1, 6, 7, 8, 15):
        at_ms = START_MS + day * 24 * HOUR_MS
        world.send(*[a_touchpoint("page_viewed", at_ms + n, "1", email_hash=A, session_id=f"{day}") for n in (0, 1)])
        boxes = (world.profile("u:1") or EMPTY).mailboxes
        found.append([(box.linked_ms - START_MS) // (24 * HOUR_MS) for box in boxes])
    assert found == [[0], [0], [0], [7], [7], [15]]
