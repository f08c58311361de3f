"""Methods of Faust's consumer that the engine replaces, or does not need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from faust.transport.consumer import Consumer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from faust.types import TP


class ConsumerFacade(Consumer):
    """A consumer on which Faust's conductor, tables and recovery have no effect."""

    async def commit(self, *_: Any, **__: Any) -> bool:  # noqa: ANN401 - Faust's own
        return True

    async def commit_and_end_transactions(self) -> None: ...

    async def perform_seek(self) -> None: ...

    async def seek_to_committed(self) -> Mapping[TP, int]:
        return {}

    async def verify_all_partitions_active(self) -> None: ...

    def pause_partitions(self, tps: Iterable[TP]) -> None: ...

    def resume_partitions(self, tps: Iterable[TP]) -> None: ...

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        return dict.fromkeys(partitions, 0)

    def topic_partitions(self, topic: str) -> int | None:  # noqa: ARG002 - Faust's own
        return None

    def key_partition(self, topic: str, key: bytes | None, partition: int | None = None) -> int | None:  # noqa: ARG002
        return partition

    async def create_topic(self, topic: str, *_: Any, **__: Any) -> None:  # noqa: ANN401 - Faust's own
        raise NotImplementedError(f"topics are created by a command, not by Faust: {topic}")

    def close(self) -> None: ...

    def _never(self, *_: Any, **__: Any) -> NoReturn:  # noqa: ANN401 - Faust's own
        raise NotImplementedError("the engine fetches, seeks and commits by itself")

    _commit = _getmany = _new_topicpartition = _seek = _to_message = seek_wait = _never
