"""Where work is kept that a record does at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.insights.work import WORK

if TYPE_CHECKING:
    from streams.insights.state import Partition


class Scratch:
    """A partition of which a record does all work at once: nothing of it is stored in between."""

    def __init__(self, state: Partition) -> None:
        self._state = state
        self._work: dict[bytes, Any] = {}

    def get(self, key: bytes) -> Any:  # noqa: ANN401 - as the partition's
        return self._work.get(key) if key.startswith(WORK) else self._state.get(key)

    def put(self, key: bytes, value: Any, due_ms: int) -> None:  # noqa: ANN401 - as the partition's
        if key.startswith(WORK):
            self._work[key] = value
        else:
            self._state.put(key, value, due_ms)

    def delete(self, key: bytes) -> None:
        if key.startswith(WORK):
            self._work.pop(key, None)
        else:
            self._state.delete(key)
