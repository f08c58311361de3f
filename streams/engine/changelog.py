"""Changes of state, as records of a compacted topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.engine.batch import Output

if TYPE_CHECKING:
    from streams.engine.partition import Partition
    from streams.engine.transaction import Transactions
    from streams.kafka.offsets import PartitionId


class ChangelogWriter:
    """A sender of the overlays' frozen changes, which learns where each partition's changelog then ends.

    Only the last record of a partition asks for its delivery report: its offset is the checkpoint.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._ends: dict[PartitionId, int] = {}
        self._awaited: set[PartitionId] = set()

    def write(self, partition: Partition) -> None:
        """Send the last state of each key that changed in the open cycle."""
        overlay, topic = partition.overlay, partition.input.changelog
        if overlay is None or topic is None:
            return
        records = overlay.freeze()
        if not records:
            return
        number = partition.number
        outputs = [Output(topic, number, key, value) for key, value in records]
        last = outputs.pop()
        self._transactions.send(outputs)
        self._awaited.add(partition.place)
        self._transactions.send_reported(
            [last], lambda message: self._ends.__setitem__(partition.place, message.offset() + 1)
        )

    def position(self, partition: Partition) -> int | None:
        """Return, after a flush, the changelog position after the written records; None if there are none."""
        if partition.place not in self._awaited:
            return None
        return self._ends[partition.place]
