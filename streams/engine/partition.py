"""A partition that this worker owns."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any

from streams.engine.stable import NOT_COMMITTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from state.overlay import Overlay
    from streams.engine.hung import Hung
    from streams.engine.inputs import Input
    from streams.kafka.offsets import PartitionId


class Partition:
    """A partition from its assignment to its revocation; `ready` once its state is restored.

    `committed` is the group's offset (-1: none yet), `pending` the one that the open cycle has reached.
    """

    __slots__ = ("cancelled", "committed", "hung", "input", "number", "overlay", "pending", "ready", "tag")

    def __init__(self, source: Input, number: int, tag: int) -> None:
        self.input = source
        self.number = number
        self.tag = tag
        self.overlay: Overlay[Any] | None = None
        self.committed = NOT_COMMITTED
        self.pending: int | None = None
        self.ready = False
        self.hung: Sequence[Hung] = ()
        """Records and timers that hang."""
        self.cancelled = Event()

    @property
    def place(self) -> PartitionId:
        return self.input.topic, self.number

    @property
    def position(self) -> int:
        """Return the offset of the next record to process; -1 if it is the topic's first and none was committed."""
        return self.committed if self.pending is None else self.pending

    @property
    def reached(self) -> int:
        """Return the offset that the open cycle will commit; 0 before the first record."""
        return max(self.position, 0)

    def advance(self) -> None:
        """Note that the cycle was committed."""
        self.committed, self.pending = self.reached, None
