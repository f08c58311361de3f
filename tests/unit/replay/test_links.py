"""How long a replay waits for what one partition of the journal has to tell another."""

from __future__ import annotations

from streams.replay.links import Links
from tests.support.world import START_MS, a_touchpoint


def test_a_link_told_in_an_hour_is_awaited_at_the_mark_after_the_next() -> None:
    links = Links()
    links.note(a_touchpoint("signed_up", START_MS, "1", anonymous_id="phone"))
    assert [links.are_under_way() for _ in range(3)] == [False, True, False]


def test_what_was_told_before_is_no_link() -> None:
    links = Links()
    for _ in range(4):
        links.note(a_touchpoint("page_viewed", START_MS, "1", anonymous_id="phone"))
        links.are_under_way()
    assert not links.are_under_way()


def test_a_device_that_changes_hands_is_linked_again() -> None:
    links = Links()
    for user in ("1", "2"):
        links.note(a_touchpoint("page_viewed", START_MS, user, anonymous_id="tablet"))
        for _ in range(3):
            links.are_under_way()
        links.note(a_touchpoint("page_viewed", START_MS, user, anonymous_id="tablet"))
    links.note(a_touchpoint("page_viewed", START_MS, "1", anonymous_id="tablet"))
    assert [links.are_under_way() for _ in range(2)] == [False, True]


def test_users_without_devices_let_a_replay_run_on() -> None:
    links = Links()
    links.note(a_touchpoint("page_viewed", START_MS, "1"))
    links.note(a_touchpoint("page_viewed", START_MS, None, anonymous_id="phone"))
    assert not any(links.are_under_way() for _ in range(3))
