"""Inputs of the engine: a topic and the processor of its records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from state.codec import Codec
    from state.overlay import Overlay
    from streams.engine.batch import Batch, Output
    from streams.kafka.offsets import GroupOffsets


class Processor(Protocol):
    """The work on one input: no I/O, all on the event loop, state only through the overlays that it gets.

    Its outputs are sent in one transaction with the input's offsets. After `dropped` the same records come again.
    """

    def process(self, batch: Batch) -> Iterable[Output]:
        """Process one partition's records; may be called several times in a cycle.

        It sets aside those that the batch names as condemned.
        """
        ...

    def conclude(self, partitions: Collection[int]) -> Iterable[Output]:
        """Yield the outputs of a whole cycle, before its commit; `partitions` are those owned and restored."""
        ...

    def wants_cycle(self) -> bool:
        """Return whether a cycle is needed although no record came; called after news, and twice a second."""
        ...

    def committed(self) -> None:
        """Adopt pending changes: the cycle is durable."""
        ...

    def dropped(self) -> None:
        """Forget pending changes: the cycle was aborted."""
        ...

    def assigned(self, partition: int, overlay: Overlay[Any] | None) -> None:
        """Begin with a partition; its state, if the input has any, is restored."""
        ...

    def revoked(self, partition: int) -> None:
        """End with a partition; none of its changes is pending any more."""
        ...


class Watcher(Protocol):
    """An observer of how far the group as a whole has come in an input; on the event loop."""

    def wants_look(self) -> bool:
        """Return whether to ask the brokers; whatever it knows at this call is older than the answer."""
        ...

    def looked(self, offsets: GroupOffsets) -> None:
        """Learn the answer."""
        ...


@dataclass(frozen=True, slots=True)
class Input:
    """A topic to read; with `changelog` and `codec` its processor has state by partition."""

    topic: str
    processor: Processor
    changelog: str | None = None
    codec: Codec[Any] | None = None
    watcher: Watcher | None = None
    blameless: tuple[type[Exception], ...] = ()
    """What the processor raises that no record is to blame for."""
    wants_stamps: bool = False
    """Whether the brokers' clock is read from the outputs that conclude its cycles; `Status.clock` is that clock."""

    def __post_init__(self) -> None:
        if (self.changelog is None) != (self.codec is None):
            raise ValueError(f"input {self.topic}: state needs both a changelog and a codec, or neither")
