"""Users who are to become one with a user, as marks among the keys of that user: w:<user ids>:<key>.

With 0 ids the link waits, because one of the two is not known yet, or because others are about to come. Else room for
so many ids is kept, and the other profile is about to come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.limits import OWN_LINKS_BYTES_MAX
from streams.profiles.bounds import text_bytes
from streams.profiles.keys import ASKED, FREED, is_user

if TYPE_CHECKING:
    from collections.abc import Iterable

LINKED_MAX: Final = 50
USERS_OF_A_PERSON_MAX: Final = 10
"""User ids that merges make one person. A shop, an app, a till, a marketplace and an import may each give two.

One more is not merged: an id that strangers were linked to by mistake makes one customer of 10 of them at most. As many
links may wait. So 9 other ids, or room for them, and 10 that wait are 19 of the 50 keys of a profile. The longest have
9 x 522 + 10 x 521 bytes, which is less than OWN_LINKS_BYTES_MAX.
"""
GONE: Final = -1
"""In the place of the user ids of a link: it waited for an id that is not known, and had to go for a later one."""


def users_of(linked: Iterable[str]) -> int:
    """Return how many user ids a user has who has these keys."""
    return 1 + sum([is_user(key) for key in linked])


def kept_room(linked: Iterable[str]) -> int:
    """Return for how many user ids room is kept."""
    return sum([_parsed(key)[0] for key in linked if key.startswith(ASKED)])


def waiting(linked: Iterable[str]) -> tuple[str, ...]:
    """Return the users whose links wait."""
    asked = [_parsed(key) for key in linked if key.startswith(ASKED)]
    return tuple([key for users, key in asked if not users])


def has_room_for(linked: Iterable[str], key: str) -> bool:
    """Return whether room is kept for a user."""
    return any(_parsed(mark)[0] > 0 and _parsed(mark)[1] == key for mark in linked if mark.startswith(ASKED))


def with_asked(linked: tuple[str, ...], key: str, users: int) -> tuple[str, ...]:
    """Return the keys with room kept for a user's ids, or with 0 with their link as one that waits."""
    return with_users_kept((*without_asked(linked, key), f"{ASKED}{users}:{key}"))


def without_asked(linked: tuple[str, ...], key: str) -> tuple[str, ...]:
    """Return the keys without the mark of a user; the same object if there is none."""
    kept = tuple([other for other in linked if not other.startswith(ASKED) or _parsed(other)[1] != key])
    return linked if len(kept) == len(linked) else kept


def without_waiting(linked: tuple[str, ...]) -> tuple[str, ...]:
    """Return the keys without the links that wait; the same object if there are none."""
    kept = tuple([key for key in linked if not key.startswith(ASKED) or _parsed(key)[0]])
    return linked if len(kept) == len(linked) else kept


def with_users_kept(linked: tuple[str, ...]) -> tuple[str, ...]:
    """Return the keys of a user or a device for which there is room, from rules 4 on; the same object if all have.

    Devices and addresses leave first, and of a device then its users; of each the one that was linked first. The user
    ids of a user always have room, and marks stay.
    """
    count, size = len(linked) - LINKED_MAX, sum(map(text_bytes, linked)) - OWN_LINKS_BYTES_MAX
    if count <= 0 and size <= 0:
        return linked
    gone = set()
    for key in sorted(linked, key=_worth):
        if count <= 0 and size <= 0:
            break
        gone.add(key)
        count -= 1
        size -= text_bytes(key)
    return tuple([key for key in linked if key not in gone])


def _worth(key: str) -> int:
    if key.startswith((ASKED, FREED)):
        return 2
    return int(is_user(key))


def _parsed(mark: str) -> tuple[int, str]:
    """Return the number of user ids and the key of a mark."""
    _, users, key = mark.split(":", 2)
    return int(users), key
