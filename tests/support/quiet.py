"""What a processor of the engine has to have, where it keeps nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from state.overlay import Overlay
    from streams.engine.batch import Output


class Quiet:
    """A processor's bookkeeping where there is nothing to keep."""

    def conclude(self, partitions: Collection[int]) -> Iterable[Output]:  # noqa: ARG002 - of the protocol
        return ()

    def wants_cycle(self) -> bool:
        return False

    def committed(self) -> None: ...

    def dropped(self) -> None: ...

    def assigned(self, partition: int, overlay: Overlay[Any] | None) -> None: ...

    def revoked(self, partition: int) -> None: ...
