"""`verify` over a prefix on Kafka: its journal as far as the workers have folded it."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from streams.replay.verify import fold_hashes, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from confluent_kafka import Message

    from streams.prefix import Prefix
    from streams.replay.checkpoints import Checkpoints
    from streams.replay.verify import Verification


class NotStill(Exception):
    """Workers committed while topics were read: stop them, or wait until they have nothing to do."""


class FoldedPrefix:
    """The prefix with its journal cut off where the workers' committed offsets stand."""

    def __init__(self, prefix: Prefix) -> None:
        self.ends = prefix.folded_to()
        self._prefix = prefix

    def read(self, topic: str, partition: int, start: int = 0) -> Iterable[Message]:
        if topic == "journal":
            return self.journal(partition, start, self.ends[partition])
        return self._prefix.read(topic, partition, start)

    def is_still(self) -> bool:
        """Whether no record has been folded since; offsets also move past the markers of transactions."""
        now = zip(self.ends, self._prefix.folded_to(), strict=True)
        return not any(
            next(iter(self.journal(partition, before, after)), None)
            for partition, (before, after) in enumerate(now)
            if after != before
        )

    def journal(self, partition: int, start: int, end: int) -> Iterator[Message]:
        """Records of one partition between two offsets."""
        messages = self._prefix.read("journal", partition, start)
        return takewhile(lambda message: (message.offset() or 0) < end, messages)


def verify_prefix(
    prefix: Prefix, on_partition: Callable[[int], None] = lambda _: None, checkpoints: Checkpoints | None = None
) -> Verification:
    """Folds the journal of a prefix again, from the last checkpoints on, and compares; writes only further ones.

    Raises:
        NotStill: a worker committed meanwhile, so that journal and topics were read at different times.
        UnfitCheckpoint: a checkpoint is damaged, or of another journal.
    """
    folded = FoldedPrefix(prefix)
    found = verify(folded, prefix.domain.journal_partitions, prefix.wire, on_partition, checkpoints)
    if not folded.is_still():
        raise NotStill(
            f"workers of prefix {prefix.settings.prefix} committed meanwhile: "
            "stop them, or wait until they have nothing to do, and verify again"
        )
    return found


def hashes_of(prefix: Prefix) -> dict[str, str]:
    """Hash by topic of what the journal gives, folded once more into empty state."""
    return fold_hashes(FoldedPrefix(prefix), prefix.domain.journal_partitions, prefix.wire)
