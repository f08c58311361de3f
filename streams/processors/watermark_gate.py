"""The watermark of a journal partition advances only when what was collected up to it is folded in all partitions.

A withdrawal that comes through an address, or a device's order, reaches the customer's partition from another one. What
was collected is in the journal before it is announced. So all of it is folded once every partition has committed the
ends seen after that, and what the folds forwarded is in the journal. Once they have committed the ends seen then, that
is folded too, and so on for what it made them forward. Progress is written after that, so in the log of each partition
it comes after all of them.
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
"""The longest way of a withdrawal: from a device to its user, the address, another device of it, and its user."""
WAVES_MAX = 8
"""How many are under way at once; what is collected meanwhile goes with the next."""


@dataclass(slots=True)
class _Wave:
    """What was collected at one time, and how many rounds it still has to pass."""

    times: dict[int, Times]
    """By journal partition."""
    ends: Mapping[int, int] | None = None
    """Offsets to be committed in this round; None before the first look."""
    rounds_left: int = ROUNDS


class WatermarkGate:
    """Finds the watermarks that may be announced to this worker's journal partitions, from what the folds collected.

    Nothing is lost with it: what was announced stays true. The next owner of a partition finds in its state what was
    collected, and begins again.
    """

    def __init__(self) -> None:
        self._collected: dict[int, Times] = {}
        self._begun: dict[int, Times] = {}
        self._waves: deque[_Wave] = deque()
        self._settled: dict[int, Times] = {}
        self._announced: dict[int, Times] = {}

    def note(self, partition: int, collected: Times) -> None:
        """Take in what is collected, by the state of a partition's fold."""
        if max(collected, default=-1) >= 0:
            self._collected[partition] = collected

    def forget(self, partition: int) -> None:
        """Forget a partition that another worker owns now."""
        for times in (
            self._collected,
            self._begun,
            *(wave.times for wave in self._waves),
            self._settled,
            self._announced,
        ):
            times.pop(partition, None)

    def wants_look(self) -> bool:
        """Return whether anything waits to be folded; the next look begins with what was noted until now."""
        fresh = {p: times for p, times in self._collected.items() if times != self._begun.get(p)}
        if fresh and len(self._waves) < WAVES_MAX:
            self._waves.append(_Wave(fresh))
            self._begun |= fresh
        return bool(self._waves)

    def looked(self, offsets: GroupOffsets) -> None:
        """Take in offsets that were asked for after `wants_look`."""
        is_idle = _passed(offsets.committed, offsets.ends)  # everything is folded
        for wave in self._waves:
            if wave.ends is None:
                wave.ends = offsets.ends
            elif _passed(offsets.committed, wave.ends):
                wave.ends, wave.rounds_left = offsets.ends, wave.rounds_left - 1
        while self._waves and (is_idle or not self._waves[0].rounds_left):
            self._settled |= self._waves.popleft().times

    def unannounced(self, partitions: Iterable[int]) -> Iterator[tuple[int, Times]]:
        """Yield those of the partitions whose watermarks are to be announced, with the times."""
        return ((p, self._settled[p]) for p in partitions if self._settled.get(p) != self._announced.get(p))

    def announce(self, partition: int, times: Times) -> None:
        """Note that times are on their way to a partition."""
        self._announced[partition] = times

    def dropped(self) -> None:
        """Announce all again: what was on its way may not have arrived, and twice does no harm."""
        self._announced.clear()

    def held_back_ms(self) -> dict[int, int]:
        """Return by how much the announced watermark is behind what was collected, by partition.

        A partition without an announcement is left out.
        """
        return {
            p: max(0, min(times) - min(self._announced[p]))
            for p, times in self._collected.items()
            if p in self._announced and min(self._announced[p]) >= 0
        }


def _passed(committed: Mapping[int, int], ends: Mapping[int, int]) -> bool:
    return all(committed.get(partition, 0) >= end for partition, end in ends.items())
