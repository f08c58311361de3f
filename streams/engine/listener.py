"""Who listens to the polling thread, and what it hands over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from streams.engine.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.kafka.offsets import PartitionId

Tagged = tuple[int, Batch]
"""A batch with its partition's tag at the time of fetching."""


class Listener(Protocol):
    """The receiver, on the event loop, of what the thread meets."""

    async def on_assigned(self, tags: Mapping[PartitionId, int]) -> None:
        """Take over paused partitions; `Poller.resume` each when it is ready."""
        ...

    async def on_revoked(self, places: Sequence[PartitionId], *, lost: bool) -> None:
        """Finish with the partitions; they are given up when this returns or raises."""
        ...

    def on_chunk(self, chunk: Sequence[Tagged]) -> None:
        """Take batches; `Poller.release` makes room for the next chunk."""
        ...

    def on_lost(self, place: PartitionId, first: int, begin: int) -> None:
        """Learn, on the thread, that records from `first` to `begin` are gone unread; raise to end the thread."""
        ...

    async def on_failed(self, error: BaseException) -> None: ...
