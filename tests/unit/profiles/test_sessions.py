"""A visit is one session in the facts, whichever customer it turns out to be."""

from __future__ import annotations

import itertools

import pytest

from streams.profiles.effects import hash_64
from streams.profiles.profile import SESSIONS_MAX, Session
from streams.profiles.sessions import united_sessions
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, World, a_touchpoint, an_order


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
