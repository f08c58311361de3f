"""Which profiles an address keeps."""

from __future__ import annotations

from schemas.limits import LINKED_BYTES_MAX
from streams.profiles.links import PROFILES_OF_AN_ADDRESS_MAX, with_profile_linked


def linked(*keys: str) -> tuple[str, ...]:
    found: tuple[str, ...] = ()
    for key in keys:
        found = with_profile_linked(found, key)
    return found


def test_users_stay_however_many_devices_come_after_them() -> None:
    for length in (1, 500):
        found = linked("u:1", *[f"a:{number:04}{'x' * length}" for number in range(PROFILES_OF_AN_ADDRESS_MAX + 50)])
        assert found[0] == "u:1"
        assert len(found) <= PROFILES_OF_AN_ADDRESS_MAX
        assert sum(len(key) + 3 for key in found) <= LINKED_BYTES_MAX
        assert found[-1].startswith(f"a:{PROFILES_OF_AN_ADDRESS_MAX + 49}")


def test_of_too_many_users_those_that_were_linked_first_go() -> None:
    users = [f"u:{number}" for number in range(PROFILES_OF_AN_ADDRESS_MAX + 1)]
    assert linked("a:1", *users) == tuple(users[1:])
    assert linked(*users[1:], "a:1") == tuple(users[1:])


def test_a_profile_that_is_linked_again_is_the_last() -> None:
    assert linked("u:1", "u:2", "a:3", "u:1") == ("u:2", "a:3", "u:1")
    once = linked("u:1", "u:2")
    assert with_profile_linked(once, "u:2") is once
