"""A visit is one session in the facts, whoever the visitor turns out to be."""

from __future__ import annotations

import itertools

import pytest

from streams.profiles.codec import VERSION, NewerState, decode_profile, encode_profile
from streams.profiles.effects import hash_64
from streams.profiles.profile import SESSIONS_MAX, Session
from streams.profiles.sessions import united_sessions
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, World, a_touchpoint, an_order

STORED_BY_VERSION_1 = bytes.fromhex(
    "010000019b84964800dc001acf0000019b77119680cf0000019b76daa8009192cd4fe6c41031b4b8490e3d95e4d38aebf6d6e418c8"
    "a137a2616291a3753a319194cf0000019b77119680cd106800cf3bce853e6f1098cf909099a8756e73636f726564000000a0cf0000"
    "019b7711968001cd1068cf000001aa2673ee80cf0000019b84964800aa66697273745f74696d65ffa0d3c74b0b91b3f34abac3c091"
    "96cf0000019b76daa800cf31b4b8490e3d95e4ab706169645f736561726368c0d39a275e3f454930d1c29196a26f31cf0000019b77"
    "119680cd1068a34555529196cf0000019b76daa800cf31b4b8490e3d95e4ab706169645f736561726368c0d39a275e3f454930d1c2"
    "00909193a5656d61696cc2cf0000019b76daa8009197a16601a163a1650102a4776169749000cf0000019b8496480091a4736c6f74"
)
"""A customer who ordered in the session s2, with a touch of s1, a withdrawal, a candidate and a parked timer."""


def by_hour(world: World, name: str) -> dict[int, int]:
    """Hours after the start, to the count."""
    return {(hour_ms - START_MS) // HOUR_MS: n for (counted, hour_ms, _), n in world.counts.items() if counted == name}


def test_a_visit_begun_on_a_device_and_continued_as_a_user_is_one_session() -> None:
    world = World()
    world.send(
        a_touchpoint("page_viewed", START_MS, user=None, anonymous_id="phone", session_id="s1"),
        a_touchpoint("signed_up", START_MS + MINUTE_MS, "7", anonymous_id="phone", session_id="s1"),
        an_order(START_MS + 2 * MINUTE_MS, user="7", session_id="s1"),
    )
    assert (world.total("sessions"), world.total("sessions_ordered")) == (1, 1)


def test_of_a_visit_counted_in_two_hours_the_earlier_one_stays() -> None:
    world = World()
    world.send(
        a_touchpoint("page_viewed", START_MS + 59 * MINUTE_MS, user=None, anonymous_id="phone", session_id="s1"),
        a_touchpoint("signed_up", START_MS + 61 * MINUTE_MS, "7", anonymous_id="phone", session_id="s1"),
    )
    assert by_hour(world, "sessions") == {0: 1, 1: 0}


def test_a_visit_that_ordered_as_a_device_and_as_a_user_has_ordered_once() -> None:
    world = World()
    world.send(
        an_order(START_MS, user=None, anonymous_id="phone", session_id="s1"),
        an_order(START_MS + HOUR_MS, user="7", session_id="s1"),
        a_touchpoint("page_viewed", START_MS + 2 * HOUR_MS, "7", anonymous_id="phone", session_id="s1"),
    )
    assert by_hour(world, "sessions") == {0: 1, 1: 0}
    assert by_hour(world, "sessions_ordered") == {0: 1, 1: 0}
    assert world.total("orders") == 2


def test_a_visit_that_ordered_as_a_device_has_ordered_when_it_orders_again_as_a_user() -> None:
    world = World()
    world.send(
        an_order(START_MS, user=None, anonymous_id="phone", session_id="s1"),
        a_touchpoint("signed_up", START_MS + MINUTE_MS, "7", anonymous_id="phone", session_id="s1"),
        an_order(START_MS + 2 * MINUTE_MS, user="7", session_id="s1"),
    )
    assert (world.total("sessions"), world.total("sessions_ordered")) == (1, 1)


def test_earlier_visits_of_the_device_and_of_the_user_stay_counted() -> None:
    world = World()
    world.send(
        a_touchpoint("page_viewed", START_MS, "7", session_id="s1"),
        a_touchpoint("page_viewed", START_MS + DAY_MS, user=None, anonymous_id="phone", session_id="s2"),
        a_touchpoint("page_viewed", START_MS + 2 * DAY_MS, user=None, anonymous_id="phone", session_id="s3"),
        a_touchpoint("signed_up", START_MS + 2 * DAY_MS + 1, "7", anonymous_id="phone", session_id="s3"),
    )
    assert by_hour(world, "sessions") == {0: 1, 24: 1, 48: 1}


def test_two_visits_whose_pages_alternate_are_two_sessions() -> None:
    world = World()
    for number in range(6):
        world.send(a_touchpoint("page_viewed", START_MS + number, "7", session_id=f"s{number % 2}"))
    world.send(an_order(START_MS + 10, user="7", session_id="s0"), an_order(START_MS + 11, user="7", session_id="s1"))
    assert (world.total("sessions"), world.total("sessions_ordered")) == (2, 2)


@pytest.mark.parametrize("order", list(itertools.permutations(("phone", "tablet", "laptop"))))
def test_in_whatever_order_devices_are_taken_in_their_common_visit_counts_once(order: tuple[str, ...]) -> None:
    world = World()
    for number, device in enumerate(("phone", "tablet", "laptop")):
        time_ms = START_MS + number * HOUR_MS
        world.send(a_touchpoint("page_viewed", time_ms, user=None, anonymous_id=device, session_id="s1"))
    for number, device in enumerate(order):
        world.send(a_touchpoint("signed_up", START_MS + DAY_MS + number, "7", anonymous_id=device, session_id="s1"))
    assert {hour: n for hour, n in by_hour(world, "sessions").items() if n} == {0: 1}


def test_the_newest_visits_are_kept() -> None:
    world = World()
    for number in range(SESSIONS_MAX + 3):
        world.send(a_touchpoint("page_viewed", START_MS + number, "7", session_id=f"s{number}"))
    profile = world.profile("u:7")
    assert profile is not None
    newest = [hash_64(f"s{number}") for number in range(3, SESSIONS_MAX + 3)]
    assert [session.id_hash for session in profile.sessions] == newest
    both, _ = united_sessions(profile.sessions, tuple(Session(START_MS + 100 + n, n) for n in range(3)))
    assert [session.id_hash for session in both] == [*newest[3:], 0, 1, 2]


def test_a_profile_stored_by_version_1_is_read_with_its_last_visit() -> None:
    profile = decode_profile(STORED_BY_VERSION_1)
    assert profile.sessions == (Session(profile.clock_ms, hash_64("s2"), profile.clock_ms),)
    assert [order.time_ms for order in profile.orders] == [START_MS + HOUR_MS]
    assert (profile.linked, profile.user_id, profile.parked) == (("u:1",), "7", ("slot",))
    assert [touch.session_hash for touch in profile.touches] == [hash_64("s1")]
    assert [conversion.order_id for conversion in profile.conversions] == ["o1"]
    assert (profile.cart, profile.runs[0].step, profile.consents[0].granted) == (None, "wait", False)
    assert profile.wake_ms == profile.slot_ms > 0
    stored = encode_profile(profile)
    assert stored[0] == VERSION
    assert decode_profile(stored) == profile


def test_a_profile_of_a_later_release_is_refused() -> None:
    with pytest.raises(NewerState, match=f"version {VERSION + 1}"):
        decode_profile(bytes([VERSION + 1]) + STORED_BY_VERSION_1[1:])
