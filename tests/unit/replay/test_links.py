"""How long a replay waits for what one partition of the journal has to tell another."""

from __future__ import annotations

from schemas.touchpoint import PREVIOUS_ID
from streams.replay.links import Links
from tests.support.world import START_MS, a_touchpoint, an_order


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


def test_a_logout_is_awaited_and_so_is_the_login_after_it() -> None:
    links = Links()
    both = a_touchpoint("page_viewed", START_MS, "1", anonymous_id="tablet")
    for event in (both, a_touchpoint("identity_unlinked", START_MS, None, anonymous_id="tablet"), both):
        links.note(event)
        assert [links.are_under_way() for _ in range(3)] == [False, True, False]


def test_an_order_that_comes_in_under_another_key_is_awaited() -> None:
    links = Links()
    links.note(an_order(START_MS, user=None, anonymous_id="phone", order_id="o-1"))
    links.note(an_order(START_MS, user=None, anonymous_id="phone", order_id="o-1"))
    assert not any(links.are_under_way() for _ in range(3))
    links.note(an_order(START_MS, user=None, order_id="o-1"))
    assert [links.are_under_way() for _ in range(3)] == [False, True, False]


def test_a_merge_of_two_users_is_awaited_and_so_is_the_one_that_waited_for_the_second_to_be_known() -> None:
    links = Links()
    merge = a_touchpoint("identity_linked", START_MS, "1", properties={PREVIOUS_ID: "2"})
    for event in (merge, a_touchpoint("page_viewed", START_MS, "2")):
        links.note(a_touchpoint("page_viewed", START_MS, "3"))
        links.note(event)
        assert [links.are_under_way() for _ in range(3)] == [False, True, False]
    links.note(a_touchpoint("page_viewed", START_MS, "2"))
    assert not any(links.are_under_way() for _ in range(3))


def test_a_merge_that_was_told_before_is_not_awaited_again() -> None:
    links = Links()
    for user, previous in (("1", "2"), ("1", "2"), ("2", "1"), ("1", "1")):
        links.note(a_touchpoint("identity_linked", START_MS, user, properties={PREVIOUS_ID: previous}))
    assert [links.are_under_way() for _ in range(3)] == [False, True, False]
    links.note(a_touchpoint("identity_linked", START_MS, "2", properties={PREVIOUS_ID: "1"}))
    assert not any(links.are_under_way() for _ in range(3))


def test_a_link_of_a_device_is_no_merge() -> None:
    links = Links()
    links.note(a_touchpoint("identity_linked", START_MS, "1"))
    links.note(a_touchpoint("identity_linked", START_MS, None, anonymous_id="phone", properties={PREVIOUS_ID: "1"}))
    assert not any(links.are_under_way() for _ in range(3))
