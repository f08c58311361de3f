"""Links from devices and addresses to users, and between users: who is linked to whom, and what is forwarded where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.journal import RULES_3, RULES_4
from streams.profiles.bounds import bounded_links
from streams.profiles.joins import LINKED_MAX, with_users_kept
from streams.profiles.keys import FREED, is_address, is_device, is_user

if TYPE_CHECKING:
    from streams.profiles.profile import Profile

HOPS_MAX = 8
HOPS_OF_USERS_MAX = 200
"""A user who was merged forwards to a smaller id, so these ways end, but many merges at once may make them long."""
USERS_OF_A_DEVICE_MAX = 5
PROFILES_OF_AN_ADDRESS_MAX = 1_000


def forward_target(customer: str, profile: Profile) -> str | None:
    """Return the user to whom a device's records are forwarded, the last linked one; None: they stay.

    A device of more than USERS_OF_A_DEVICE_MAX users is shared, and forwards to none. Before rules 3 an address that a
    device had named counted as a user, and swallowed what the device did. From rules 4 on a device from which a person
    logged out forwards to none, and a user who was merged into another forwards to the survivor.
    """
    users = profile.linked
    if not users:
        return None
    if not is_device(customer):
        # of a user, only the mark of a merge is a smaller id
        is_merged = is_user(users[-1]) and users[-1] < customer and is_user(customer) and profile.rules >= RULES_4
        return users[-1] if is_merged else None
    if profile.rules >= RULES_3:
        users = tuple([key for key in users if not is_address(key)])
        if users and users[-1].startswith(FREED):
            return None
        users = tuple([key for key in users if not key.startswith(FREED)])
    return users[-1] if 0 < len(users) <= USERS_OF_A_DEVICE_MAX else None


def is_shared(linked: tuple[str, ...]) -> bool:
    """Return whether a device has had too many users to belong to one of them."""
    return sum([is_user(key) for key in linked]) > USERS_OF_A_DEVICE_MAX


def freed_ms(linked: tuple[str, ...]) -> int:
    """Return when a person last logged out from a device, ms; -1: nobody did."""
    return _logouts(linked)[0]


def used_after_ms(linked: tuple[str, ...]) -> int:
    """Return the last logout after which something came in before there was another one, ms; -1: there is none."""
    return _logouts(linked)[1]


def _logouts(linked: tuple[str, ...]) -> tuple[int, int]:
    for key in reversed(linked):
        if key.startswith(FREED):
            last_ms, _, used_ms = key.removeprefix(FREED).partition(":")
            return int(last_ms), int(used_ms or -1)
    return -1, -1


def with_logout(linked: tuple[str, ...], time_ms: int, came_ms: int) -> tuple[str, ...]:
    """Return the keys of a device from which a person has logged out, with the mark of that time last.

    `came_ms` is the device's clock when the logout came in.
    """
    last_ms, used_ms = _logouts(linked)
    if came_ms > last_ms:
        used_ms = last_ms
    mark = f"{FREED}{max(time_ms, last_ms)}" + (f":{used_ms}" if used_ms >= 0 else "")
    return with_users_kept((*[key for key in linked if not key.startswith(FREED)], mark))


def with_logout_by(linked: tuple[str, ...], to_ms: int) -> tuple[str, ...]:
    """Return the keys of a device whose clock goes back: a logout in the time ahead was before all that comes now."""
    if freed_ms(linked) <= to_ms:
        return linked
    return tuple([f"{FREED}0" if key.startswith(FREED) else key for key in linked])


def with_earlier_link(linked: tuple[str, ...], key: str) -> tuple[str, ...]:
    """Return the keys of a device with this user as one who was linked before the last logout."""
    others = [other for other in linked if other != key]
    place = next(index for index, other in enumerate(others) if other.startswith(FREED))
    return with_users_kept((*others[:place], key, *others[place:]))


def with_link(linked: tuple[str, ...], key: str, at_most: int = LINKED_MAX) -> tuple[str, ...]:
    """Return the keys with this one last; the same object if it was the last."""
    if linked and linked[-1] == key:
        return linked
    return (*(other for other in linked if other != key), key)[-at_most:]


def with_own_link(linked: tuple[str, ...], key: str) -> tuple[str, ...]:
    """Return the keys of a user or a device with this one last, from rules 4 on; the same object if it was the last."""
    keys = with_link(linked, key, len(linked) + 1)
    return keys if keys is linked else with_users_kept(keys)


def with_profile_linked(linked: tuple[str, ...], key: str) -> tuple[str, ...]:
    """Return the keys of an address with this profile last; the same object if it was the last.

    Where there are too many, the devices that were linked first go, and then the users. Anybody may type an address at
    as many devices as they like.
    """
    keys = with_link(linked, key, PROFILES_OF_AN_ADDRESS_MAX + 1)
    if keys is linked or (len(keys) <= PROFILES_OF_AN_ADDRESS_MAX and bounded_links(keys) is keys):
        return keys
    ranked = (*[each for each in keys if not is_user(each)], *[each for each in keys if is_user(each)])
    kept = set(bounded_links(ranked[-PROFILES_OF_AN_ADDRESS_MAX:]))
    return tuple([each for each in keys if each in kept])


def with_survivor(linked: tuple[str, ...], merged: str, survivor: str) -> tuple[str, ...]:
    """Return the keys with a survivor in the place of a user who was merged; the same object without that user.

    A device that is shared stays so: what it holds is of several people.
    """
    if merged not in linked or (survivor in linked and is_shared(linked)):
        return linked
    # from the last one on, as the last is the one who counts
    backwards = dict.fromkeys([survivor if key == merged else key for key in reversed(linked)])
    return tuple(reversed(backwards))
