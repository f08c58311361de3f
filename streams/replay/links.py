"""What partitions send each other in a replay, which must arrive before time moves on: links, merges, order owners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.touchpoint import IDENTITY_LINKED, IDENTITY_UNLINKED, PREVIOUS_ID
from streams.collect.keys import key_of
from streams.profiles.effects import hash_64
from streams.profiles.order_changes import KINDS

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint


class Links:
    """A memory of devices' last users, of orders' keys and of merges; it takes in touchpoints in the order of time."""

    def __init__(self) -> None:
        self._user_of: dict[int, int] = {}
        self._key_of: dict[int, int] = {}
        self._merged: set[tuple[int, int]] = set()
        """Users who are one person, the smaller hash first."""
        self._previous: set[int] = set()
        """Users whom a merge named as the second id, and who may not have been known then."""
        self._has_sent = False
        self._had_sent = False

    def note(self, touchpoint: Touchpoint) -> None:
        """Note that a touchpoint links its device and user, frees it, merges users, or is of an order of another key.

        A link is not sent again while the user is the device's last one, nor an order while the key is its last one. A
        merge waits until both users are known, so it is awaited once more when the second one comes in.
        """
        if touchpoint.type == IDENTITY_UNLINKED:
            if touchpoint.anonymous_id:
                self._user_of.pop(hash_64(touchpoint.anonymous_id), None)
                self._has_sent = True
            return
        if touchpoint.order is not None and touchpoint.type in KINDS:
            order, key = hash_64(touchpoint.order.order_id), hash_64((key_of(touchpoint) or b"").decode())
            if self._key_of.setdefault(order, key) != key:
                self._key_of[order] = key
                self._has_sent = True
        if not touchpoint.user_id:
            return
        user = hash_64(touchpoint.user_id)
        if self._previous or touchpoint.type == IDENTITY_LINKED:
            self._note_merge(touchpoint, user)
        if not touchpoint.anonymous_id:
            return
        device = hash_64(touchpoint.anonymous_id)
        if self._user_of.get(device) != user:
            self._user_of[device] = user
            self._has_sent = True

    def _note_merge(self, touchpoint: Touchpoint, user: int) -> None:
        if user in self._previous:
            self._previous.remove(user)
            self._has_sent = True
        name = touchpoint.properties.get(PREVIOUS_ID) if touchpoint.type == IDENTITY_LINKED else None
        if not name or name == touchpoint.user_id:
            return
        previous = hash_64(name)
        pair = (min(user, previous), max(user, previous))
        if pair not in self._merged:
            self._merged.add(pair)
            self._previous.add(previous)
            self._has_sent = True

    def are_under_way(self) -> bool:
        """Return whether what was noted before the last mark may still be under way; call it once before each mark."""
        are_under_way = self._had_sent
        self._had_sent, self._has_sent = self._has_sent, False
        return are_under_way
