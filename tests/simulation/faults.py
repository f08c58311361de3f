"""What goes wrong in a simulation, and when: at which call of which kind, counted over all workers."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from tests.simulation.scheduler import Killed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.simulation.scheduler import Process

CYCLE = ("begin", "produce", "flush", "send_offsets", "commit", "write")
"""The calls of a commit cycle, in order; `write` is the local store's."""
AROUND = (
    "init",
    "subscribe",
    "assign",
    "unassign",
    "committed",
    "watermarks",
    "open",
    "read",
    "resume",
    "poll",
    "seek",
    "abort",
)
"""The calls of coming and going, and of an abort."""
ENDS = (
    "crash before",
    "crash after",
    "crash and wipe before",
    "crash and wipe after",
    "crash and forget before",
    "crash and forget after",
)
"""A worker is killed; its disk stays, is wiped, or forgets its newest writes."""
ANSWERS = {
    "refuse": ("init", "send_offsets", "commit", "abort"),
    "lose_answer": ("init", "send_offsets", "commit", "abort"),
    "spoil": ("send_offsets", "commit"),
    "deny": ("commit",),
    "late": ("flush", "send_offsets", "commit", "abort"),
    "undelivered": ("flush",),
    "full": ("produce",),
}
"""What a call itself does: no answer; done, but no answer; done, but the answer is an error; asked twice, and one
comes late; and so on."""
WORLD = (
    "hold",
    "hold",
    "hold briefly",
    "replace",
    "stop",
    "rebalance",
    "rebalance",
    "slow marker",
    "stall",
    "compact",
    "raise",
)
"""What happens around a call: its process is stopped for a while, another worker leaves, and so on."""
DISK = {"read-only disk": ("open", "write"), "no descriptors": ("open",)}
"""For a while a worker's disk refuses the calls. Drawn apart: seeds keep the other faults that they had."""
_DISK_SHARE = 0.1
_RARE = {
    "init": 3,
    "subscribe": 2,
    "assign": 4,
    "unassign": 3,
    "abort": 3,
    "open": 6,
    "committed": 10,
    "watermarks": 6,
    "resume": 8,
    "read": 4,
    "produce": 150,
    "poll": 40,
}
_OFTEN = 20
FAULTS_MAX = 8
_HELD_SHARE, _UNSETTLED_SHARE = 0.15, 0.15
_UNSETTLED = (
    ("spoil", "send_offsets"),
    ("spoil", "commit"),
    ("deny", "commit"),
    ("late", "commit"),
    ("late", "abort"),
    ("raise", "produce"),
    ("raise", "flush"),
    ("slow marker", "commit"),
    ("rebalance", "commit"),
    ("stop", "commit"),
)
"""One abort and one change of owners after the other."""
_LONG = 40


class Fault(NamedTuple):
    """`kind` at the `number`-th call of `call`."""

    kind: str
    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind} {self.call} #{self.number}"


def some_faults(chance: Random) -> tuple[Fault, ...]:
    """Draw what goes wrong in a case: of every kind, or long stops again and again, or cycles that do not end well."""
    count, share = chance.randint(1, FAULTS_MAX), chance.random()
    if share < _HELD_SHARE:
        return tuple(Fault("hold", chance.choice(CYCLE), chance.randint(1, _OFTEN)) for _ in range(count))
    if share < _HELD_SHARE + _UNSETTLED_SHARE:
        return tuple(Fault(*chance.choice(_UNSETTLED), chance.randint(1, _LONG)) for _ in range(FAULTS_MAX))
    return tuple(a_fault(chance) for _ in range(count))


def a_fault(chance: Random) -> Fault:
    group = chance.random()
    call = chance.choice(CYCLE if chance.random() < 0.6 else AROUND)
    if group < 0.5:
        kind = chance.choice(ENDS)
    elif group < 0.75:
        kind = chance.choice(tuple(ANSWERS))
        call = chance.choice(ANSWERS[kind])
    else:
        kind = chance.choice(WORLD)
    return Fault(kind, call, chance.randint(1, _RARE.get(call, _OFTEN)))


def disk_faults(seed: int) -> tuple[Fault, ...]:
    """Draw what the disks refuse in a seed's case: in most of them nothing."""
    chance = Random(f"disk {seed}")
    if chance.random() > _DISK_SHARE:
        return ()
    kind = chance.choice(tuple(DISK))
    call = chance.choice(DISK[kind])
    return (Fault(kind, call, chance.randint(1, _RARE.get(call, _OFTEN))),)


class Faults:
    """Plays faults; `play` is told of each with the process that made the call."""

    def __init__(self, faults: Iterable[Fault], play: Callable[[Fault, Process], None]) -> None:
        self._waiting = {(fault.kind.endswith("after"), fault.call, fault.number): fault for fault in faults}
        self._play = play
        self._counts: Counter[tuple[bool, str]] = Counter()
        self.happened: list[Fault] = []
        self.missed: list[Fault] = []
        """At the end: what did not happen though its call came."""

    def expect(self, fault: Fault) -> None:
        """Play one more, its call counted from now on."""
        is_after = fault.kind.endswith("after")
        number = self._counts[is_after, fault.call] + fault.number
        self._waiting[is_after, fault.call, number] = fault._replace(number=number)

    def stop(self) -> None:
        """Play no more."""
        self.missed = [
            fault for (is_after, call, number), fault in self._waiting.items() if number <= self._counts[is_after, call]
        ]
        self._waiting.clear()

    def before(self, call: str, process: Process) -> str | None:
        """Count the call; the kind of what it has to do by itself."""
        fault = self._due(call, is_after=False)
        if fault is None:
            return None
        if fault.kind in ANSWERS:
            return fault.kind
        self._play(fault, process)
        if not process.is_alive:
            raise Killed
        return None

    def after(self, call: str, process: Process) -> None:
        fault = self._due(call, is_after=True)
        if fault is not None:
            self._play(fault, process)
            if not process.is_alive:
                raise Killed

    def _due(self, call: str, *, is_after: bool) -> Fault | None:
        self._counts[is_after, call] += 1
        fault = self._waiting.pop((is_after, call, self._counts[is_after, call]), None)
        if fault is not None:
            self.happened.append(fault)
        return fault
