"""Comparison of workers' local stores with the topics: what a worker would run on, if it started on a store now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from state.codec import NewerState, due_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from state.codec import Codec
    from state.store import Store

KEYS_MAX = 20
"""So many keys that differ are named for each store."""
CHANGELOG = "changelog"
"""Instead of a store's path: what a restore from the changelog alone gives."""

Changes = list[tuple[bytes, bytes | None]]
"""Records of a changelog in order."""


class StoreReport(msgspec.Struct, frozen=True):
    """How a store, completed from its changelog as a worker does at a start, differs from what it has to hold."""

    path: str
    topic: str
    """`journal` or `facts`."""
    partition: int
    keys: int
    """That it has to hold."""
    caught_up: int
    """Records that the changelog has added."""
    different: int
    """Keys whose values differ, are missing or superfluous."""
    untimed: int
    """Keys with a due time that the store's index of timers lacks, so that nothing would happen then."""
    examples: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Return whether there is no difference."""
        return not (self.different or self.untimed)


class Place(Protocol):
    """A store's place, for the report."""

    @property
    def path(self) -> str: ...
    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...


def compare_store(
    place: Place, store: Store, changes: Changes, expected: Mapping[bytes, bytes], codec: Codec[Any]
) -> StoreReport:
    """Compare a store, with the changes that it has not seen, with the state that is right.

    Values are equal if they mean the same: an earlier release may have written one and not touched it since.
    """
    last = dict(changes)
    held = {key: value for key, value in store.items() if key not in last}
    indexed = set(store.due())
    untimed = [key for key, value in held.items() if due_of(value) and (due_of(value), key) not in indexed]
    held |= {key: value for key, value in last.items() if value is not None}
    different = [key for key in held.keys() | expected.keys() if _differs(key, held.get(key), expected.get(key), codec)]
    return StoreReport(
        place.path,
        place.topic,
        place.partition,
        len(expected),
        len(changes),
        len(different),
        len(untimed),
        tuple(_named(sorted({*different, *untimed}))),
    )


def _differs(key: bytes, held: bytes | None, expected: bytes | None, codec: Codec[Any]) -> bool:
    if held == expected:
        return False
    if held is None or expected is None:
        return True
    try:
        return bool(codec.decode(key, held) != codec.decode(key, expected))
    except (NewerState, msgspec.MsgspecError, ValueError):
        return True


def _named(keys: Iterable[bytes]) -> list[str]:
    return [key.decode(errors="backslashreplace") for key in keys][:KEYS_MAX]
