"""Links of devices to users in a replay, which must reach the user's partition before time moves on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.profiles.effects import hash_64

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint


class Links:
    """A memory of each device's last user; it takes in touchpoints in the order of time."""

    def __init__(self) -> None:
        self._user_of: dict[int, int] = {}
        self._has_sent = False
        self._had_sent = False

    def note(self, touchpoint: Touchpoint) -> None:
        """Note that a touchpoint links its device and user, unless this user was the device's last one."""
        if not touchpoint.anonymous_id or not touchpoint.user_id:
            return
        device, user = hash_64(touchpoint.anonymous_id), hash_64(touchpoint.user_id)
        if self._user_of.get(device) != user:
            self._user_of[device] = user
            self._has_sent = True

    def are_under_way(self) -> bool:
        """Return whether links noted before the last mark may still be under way; call it once before each mark."""
        are_under_way = self._had_sent
        self._had_sent, self._has_sent = self._has_sent, False
        return are_under_way
