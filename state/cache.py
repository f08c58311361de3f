"""Decoded values kept in memory: the most recently used, bounded by the bytes that they were decoded from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection

T = TypeVar("T")

BYTES_MAX = 24 << 20
"""Bytes of encoded values, for all partitions of a worker. A decoded profile takes six times its bytes."""


class Cache(Generic[T]):
    """Two generations: what is used moves to the young one, and once that is full, the old one is forgotten.

    `bytes_max` counts encoded bytes, and may change at any time. A value that grew counts with the size that it had on
    coming into its generation.
    """

    __slots__ = ("_old", "_old_mean", "_weight", "_young", "bytes_max")

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        self._young: dict[bytes, T] = {}
        self._old: dict[bytes, T] = {}
        self._weight = 0
        self._old_mean = 0

    def get(self, key: bytes) -> T | None:
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value, self._old_mean)
        return value

    def put(self, key: bytes, value: T, size: int) -> None:
        """Keep a value of `size` encoded bytes."""
        if key not in self._young:
            self._weight += size
        self._young[key] = value
        if self._weight * 2 >= self.bytes_max:
            self._old, self._old_mean = self._young, self._weight // len(self._young)
            self._young, self._weight = {}, 0

    def pop(self, key: bytes) -> None:
        # its weight stays counted until the generation is full
        self._young.pop(key, None)
        self._old.pop(key, None)


def share(caches: Collection[Cache[Any]], bytes_max: int = BYTES_MAX) -> None:
    """Give each cache an equal part, so that a worker's memory does not depend on how many partitions it has."""
    for cache in caches:
        cache.bytes_max = bytes_max // len(caches)
