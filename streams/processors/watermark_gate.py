"""Watermark alignment: time passes in a journal partition only when all partitions have folded what came before it.

A withdrawal of consent by address, or a device's order, reaches the customer's partition through another partition.
Collected records are in the journal before they are announced. So when every partition has committed the ends seen
after the announcement, all of them are folded, and records that they forwarded are in the journal. When every
partition has committed the ends seen then, the forwarded records are folded too, and so on. Progress written after
that comes after all of them in the log of each partition.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from streams.fold.partition_state import Times
    from streams.kafka.offsets import GroupOffsets

ROUNDS = 4
"""The longest way of a withdrawal: from a device to its user, to the address, to another device, to its user."""
WAVES_MAX = 8
"""Waves under way at once; times collected meanwhile go with the next one."""


@dataclass(slots=True)
class _Wave:
    """Collected times of one moment, and how far they have come."""

    times: dict[int, Times]
    """By journal partition."""
    ends: Mapping[int, int] | None = None
    """Ends that this round must pass; None before the first look."""
    rounds_left: int = ROUNDS


class WatermarkGate:
    """The progress that may be announced to this worker's journal partitions; its state is that of the folds.

    It may be lost: what was announced stays true. A new owner of a partition finds the collected times in its state,
    and begins again.
    """

    def __init__(self) -> None:
        self._collected: dict[int, Times] = {}
        self._begun: dict[int, Times] = {}
        self._waves: deque[_Wave] = deque()
        self._settled: dict[int, Times] = {}
        self._announced: dict[int, Times] = {}

    def note(self, partition: int, collected: Times) -> None:
        """Take in the collected times that a partition's fold knows."""
        if max(collected, default=-1) >= 0:
            self._collected[partition] = collected

    def forget(self, partition: int) -> None:
        """Forget a partition that went to another worker."""
        for known in (
            self._collected,
            self._begun,
            *(wave.times for wave in self._waves),
            self._settled,
            self._announced,
        ):
            known.pop(partition, None)

    def wants_look(self) -> bool:
        """Return whether any time waits; the next look begins with all times noted until now."""
        fresh = {p: times for p, times in self._collected.items() if times != self._begun.get(p)}
        if fresh and len(self._waves) < WAVES_MAX:
            self._waves.append(_Wave(fresh))
            self._begun |= fresh
        return bool(self._waves)

    def looked(self, standing: GroupOffsets) -> None:
        """Take in a look that began after `wants_look`."""
        is_still = _passed(standing.committed, standing.ends)  # nothing is under way
        for wave in self._waves:
            if wave.ends is None:
                wave.ends = standing.ends
            elif _passed(standing.committed, wave.ends):
                wave.ends, wave.rounds_left = standing.ends, wave.rounds_left - 1
        while self._waves and (is_still or not self._waves[0].rounds_left):
            self._settled |= self._waves.popleft().times

    def unannounced(self, partitions: Iterable[int]) -> Iterator[tuple[int, Times]]:
        """Yield those of these partitions that need an announcement, with its times."""
        return ((p, self._settled[p]) for p in partitions if self._settled.get(p) != self._announced.get(p))

    def announce(self, partition: int, times: Times) -> None:
        """Note that an announcement was sent."""
        self._announced[partition] = times

    def dropped(self) -> None:
        """Forget announcements, which may be lost; announcing twice does no harm."""
        self._announced.clear()

    def held_back_ms(self) -> dict[int, int]:
        """Return by partition how far the announced time is behind the collected one; only after an announcement."""
        return {
            p: max(0, min(times) - min(self._announced[p]))
            for p, times in self._collected.items()
            if p in self._announced and min(self._announced[p]) >= 0
        }


def _passed(committed: Mapping[int, int], ends: Mapping[int, int]) -> bool:
    return all(committed.get(partition, 0) >= end for partition, end in ends.items())
