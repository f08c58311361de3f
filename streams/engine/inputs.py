"""What is attached to the engine: an input topic and the processor of its records."""

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
    """The work on one input: no I/O, all on the event loop, state only through the overlays it is given.

    What it yields is sent in one transaction with the input's offsets. Between `dropped` and the next
    `process` the same records come again.
    """

    def process(self, batch: Batch) -> Iterable[Output]:
        """Work off one partition's records; may be called several times in a cycle."""
        ...

    def conclude(self, partitions: Collection[int]) -> Iterable[Output]:
        """Say what is said once a cycle, before its commit; `partitions` are those owned and restored."""
        ...

    def wants_cycle(self) -> bool:
        """Ask for a cycle although no record has come; asked when something was learnt, and twice a second."""
        ...

    def committed(self) -> None:
        """Adopt what was pending: the cycle is durable."""
        ...

    def dropped(self) -> None:
        """Forget what is pending: the cycle was aborted."""
        ...

    def assigned(self, partition: int, overlay: Overlay[Any] | None) -> None:
        """Begin with a partition; its state, if the input has one, is restored."""
        ...

    def revoked(self, partition: int) -> None:
        """End with a partition; nothing of it is pending any more."""
        ...


class Watcher(Protocol):
    """Wants to know how far the group as a whole has come in an input; on the event loop."""

    def wants_look(self) -> bool:
        """Say whether the brokers are to be asked; what it knows then is older than the answer."""
        ...

    def looked(self, standing: GroupOffsets) -> None:
        """Learn the answer."""
        ...


@dataclass(frozen=True, slots=True)
class Input:
    """A topic that is read; with `changelog` and `codec` its processor has state by partition."""

    topic: str
    processor: Processor
    changelog: str | None = None
    codec: Codec[Any] | None = None
    watcher: Watcher | None = None

    def __post_init__(self) -> None:
        if (self.changelog is None) != (self.codec is None):
            raise ValueError(f"input {self.topic}: state needs both a changelog and a codec, or neither")
