"""Marks of users who are to become one with a user."""

from __future__ import annotations

from schemas.limits import KEY_BYTES_MAX, OWN_LINKS_BYTES_MAX
from streams.profiles.joins import (
    LINKED_MAX,
    USERS_OF_A_PERSON_MAX,
    has_room_for,
    kept_room,
    users_of,
    waiting,
    with_asked,
    with_users_kept,
    without_asked,
    without_waiting,
)

LINKED = ("a:phone", "u:2")


def test_room_and_links_that_wait_are_kept_apart() -> None:
    linked = with_asked(with_asked(LINKED, "u:a:b", 3), "u:c", 0)
    assert (users_of(linked), kept_room(linked), waiting(linked)) == (2, 3, ("u:c",))
    assert [has_room_for(linked, key) for key in ("u:a:b", "u:c", "u:2")] == [True, False, False]
    assert without_waiting(linked) == (*LINKED, "w:3:u:a:b")
    assert without_asked(linked, "u:a:b") == (*LINKED, "w:0:u:c")
    assert without_asked(linked, "u:a") is linked
    assert without_waiting(LINKED) is LINKED


def test_an_id_has_one_mark() -> None:
    assert with_asked(with_asked(LINKED, "u:3", 0), "u:3", 2) == (*LINKED, "w:2:u:3")


def test_devices_go_before_user_ids_where_there_is_no_room_for_all() -> None:
    devices = tuple([f"a:{number}" for number in range(LINKED_MAX)])
    assert with_users_kept(devices) is devices
    kept = with_asked(("u:2", *devices), "u:3", 0)
    assert kept == ("u:2", *devices[2:], "w:0:u:3")


def test_devices_linked_last_stay_where_there_is_no_room_for_the_bytes_of_all() -> None:
    devices = tuple([f"a:{number:0300}" for number in range(LINKED_MAX)])
    room = OWN_LINKS_BYTES_MAX // 305
    assert with_users_kept(devices) == devices[-room:]
    assert with_users_kept(devices[:room]) == devices[:room]


def test_the_longest_ids_of_a_person_and_those_that_wait_always_have_room() -> None:
    longest = KEY_BYTES_MAX - 2
    ids = tuple([f"u:{number:0{longest}}" for number in range(2 * USERS_OF_A_PERSON_MAX - 1)])
    known, asked = ids[: USERS_OF_A_PERSON_MAX - 1], ids[USERS_OF_A_PERSON_MAX - 1 :]
    linked = (*known, *[f"a:{number:0{longest}}" for number in range(LINKED_MAX)])
    for key in asked:
        linked = with_asked(linked, key, 0)
    assert [key for key in linked if not key.startswith("a:")] == [*known, *[f"w:0:{key}" for key in asked]]
    assert sum(len(key) + 3 for key in linked) <= OWN_LINKS_BYTES_MAX


def test_addresses_leave_before_the_users_of_a_device_and_the_mark_of_a_logout_stays() -> None:
    users = tuple([f"u:{number}" for number in range(LINKED_MAX)])
    addresses = tuple([f"e:{number}" for number in range(LINKED_MAX)])
    assert with_users_kept((*users[:6], "f:7", *addresses)) == (*users[:6], "f:7", *addresses[7:])
    assert with_users_kept(("f:7", *users, *addresses)) == ("f:7", *users[1:])
