"""Time passes in a journal partition only when what was collected up to it is folded in all of them.

A withdrawal told by an address, or a device's order, reaches the customer's partition through another one. What was
collected is in the journal before it is told to be; so when every partition has committed the ends that were seen
after that, all of it is folded, and what it made the folds forward stands in the journal. When they have committed
the ends seen then, the forwarded records are folded too, and what those made; and so on. Progress that is written
after that comes, in the log of each partition, after all of them.
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
"""The longest way of a withdrawal: from a device to its user, to the address, to another device of it, to its user."""
WAVES_MAX = 8
"""Under way at once; what is collected meanwhile goes with the next."""


@dataclass(slots=True)
class _Wave:
    """What was collected at one time, and how far it has come."""

    times: dict[int, Times]
    """By journal partition."""
    ends: Mapping[int, int] | None = None
    """To be passed in this round; None before the first look."""
    rounds_left: int = ROUNDS


class WatermarkGate:
    """What this worker's journal partitions may be told as progress; the state behind it is the folds'.

    Nothing is lost with it: what is told stays true, and who takes a partition over finds in its state what was
    collected, and begins again.
    """

    def __init__(self) -> None:
        self._collected: dict[int, Times] = {}
        self._begun: dict[int, Times] = {}
        self._waves: deque[_Wave] = deque()
        self._settled: dict[int, Times] = {}
        self._announced: dict[int, Times] = {}

    def note(self, partition: int, collected: Times) -> None:
        """Takes in what a partition's fold knows to be collected."""
        if max(collected, default=-1) >= 0:
            self._collected[partition] = collected

    def forget(self, partition: int) -> None:
        """The partition has gone to another worker."""
        for known in (
            self._collected,
            self._begun,
            *(wave.times for wave in self._waves),
            self._settled,
            self._announced,
        ):
            known.pop(partition, None)

    def wants_look(self) -> bool:
        """Whether anything waits to be settled; what was noted until now is what the next look begins with."""
        fresh = {p: times for p, times in self._collected.items() if times != self._begun.get(p)}
        if fresh and len(self._waves) < WAVES_MAX:
            self._waves.append(_Wave(fresh))
            self._begun |= fresh
        return bool(self._waves)

    def looked(self, standing: GroupOffsets) -> None:
        """Takes in a look that began after `wants_look`."""
        is_still = _passed(standing.committed, standing.ends)  # nothing at all is under way
        for wave in self._waves:
            if wave.ends is None:
                wave.ends = standing.ends
            elif _passed(standing.committed, wave.ends):
                wave.ends, wave.rounds_left = standing.ends, wave.rounds_left - 1
        while self._waves and (is_still or not self._waves[0].rounds_left):
            self._settled |= self._waves.popleft().times

    def unannounced(self, partitions: Iterable[int]) -> Iterator[tuple[int, Times]]:
        """Of these partitions those to be told, with what."""
        return ((p, self._settled[p]) for p in partitions if self._settled.get(p) != self._announced.get(p))

    def announce(self, partition: int, times: Times) -> None:
        """It is on its way."""
        self._announced[partition] = times

    def dropped(self) -> None:
        """What was on its way may not have arrived; telling it twice does no harm."""
        self._announced.clear()

    def held_back_ms(self) -> dict[int, int]:
        """By partition: how far what was told is behind what was collected; not before something was told."""
        return {
            p: max(0, min(times) - min(self._announced[p]))
            for p, times in self._collected.items()
            if p in self._announced and min(self._announced[p]) >= 0
        }


def _passed(committed: Mapping[int, int], ends: Mapping[int, int]) -> bool:
    return all(committed.get(partition, 0) >= end for partition, end in ends.items())
