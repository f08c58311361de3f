"""A journal in which every key has a partition of its own, so that records of different keys overtake each other."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from schemas import wire
from streams.collect.keys import key_of
from streams.fold.attempt import Refused, as_it_is, attempt
from streams.fold.record import Record
from tests.support.world import World

if TYPE_CHECKING:
    from random import Random

    from schemas.touchpoint import Touchpoint


class Interleaved:
    """A world whose records are folded in the order of each key's partition, and of all keys by chance."""

    def __init__(self, random: Random, **settings: Any) -> None:
        self.world = World(**settings)
        self._random = random
        self._waiting: dict[str, deque[Record]] = {}
        self.dead_letters: list[str] = []
        self.hops = 0
        """The most that a record took."""

    def send(self, *events: Touchpoint) -> None:
        """Puts touchpoints at the ends of their partitions, and folds some records of any partition meanwhile."""
        for event in events:
            key = key_of(event)
            assert key is not None
            self.append(Record(key.decode(), event, wire.encode(event), event.time_ms, 0))
            for _ in range(self._random.choice((0, 0, 1, 2, 6))):
                self._fold_any()

    def fold(self) -> None:
        """Folds all that waits, and what follows from it, until nothing does."""
        while self._waiting:
            self._fold_any()

    def _fold_any(self) -> None:
        if not self._waiting:
            return
        key = self._random.choice(sorted(self._waiting))
        record = self._waiting[key].popleft()
        if not self._waiting[key]:
            del self._waiting[key]
        self.hops = max(self.hops, record.hops)
        world = self.world
        outcome = attempt(world.fold, as_it_is, record, world.overlay.roll_back)
        if isinstance(outcome, Refused):
            self.dead_letters.append(f"{outcome.reason} {outcome.detail}")
            return
        effects = outcome.effects
        world.outputs += effects.outputs
        world.counts.update(effects.counts)
        for target, value, headers in effects.journal:
            raw = value if isinstance(value, bytes) else wire.encode(value)
            named = dict(headers)
            received_ms = int.from_bytes(named.get("received_at_ms", b""), "big")
            self.append(Record(target or "", wire.decode(raw), raw, received_ms, named.get("hops", b"\x00")[0]))

    def append(self, record: Record) -> None:
        """Put a record at the end of its key's partition."""
        self._waiting.setdefault(record.key, deque()).append(record)
