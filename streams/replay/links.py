"""When a replay's devices turn out to be users', and how long that keeps the journal's partitions together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.profiles.effects import hash_64

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint


class Links:
    """Takes in touchpoints in the order of time; remembers each device's last user."""

    def __init__(self) -> None:
        self._user_of: dict[int, int] = {}
        self._is_told = False
        self._was_told = False

    def note(self, touchpoint: Touchpoint) -> None:
        """A device told with a user links the two, unless it was told with him last."""
        if not touchpoint.anonymous_id or not touchpoint.user_id:
            return
        device, user = hash_64(touchpoint.anonymous_id), hash_64(touchpoint.user_id)
        if self._user_of.get(device) != user:
            self._user_of[device] = user
            self._is_told = True

    def are_under_way(self) -> bool:
        """Asked once before each mark: whether links told before the last mark may still be on their way."""
        are_under_way = self._was_told
        self._was_told, self._is_told = self._is_told, False
        return are_under_way
