"""Offsets, and the partitions that they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

PartitionId = tuple[str, int]
"""A topic and a partition of it."""


class End(NamedTuple):
    """A partition's end offset, and the brokers' time before it was asked for; None: not known."""

    offset: int
    asked_ms: int | None


class GroupOffsets(NamedTuple):
    """Offsets by partition, of every partition of a topic."""

    committed: Mapping[int, int]
    """The group's; 0 where it has none."""
    ends: Mapping[int, int]
    """Asked after the committed offsets; they include open transactions."""
