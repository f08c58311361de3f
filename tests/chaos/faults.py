"""What is done to a running prefix. Each kind is a function that returns the time from which recovery is awaited."""

from __future__ import annotations

import resource
import shutil
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

from tests.chaos.crew import SESSION_MS, DidNotHappen
from tests.chaos.late import late_requests
from tests.chaos.worker import RAISE_IN_AGENT, RAISE_IN_BATCH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    from tests.chaos.crew import Crew, Slot
    from tests.late_requests.lab import Lab

_FULL_SECONDS = 60.0
_LIMITS_BYTES = (100_000, 400_000)
_DESCRIPTORS_MIN, _DESCRIPTORS_SHORT = 24, 40
_JUMPS_SECONDS = (7_200.0, 400 * 86_400.0, -86_400.0)
FULL = "File too large"
"""What a disk that is full makes a worker log."""
_FILES = ("*.sst", "*.log", "MANIFEST-*", "CURRENT")


class Stage:
    """Those that faults happen to; `notes` counts what they did in particular."""

    def __init__(self, crew: Crew, lab: Lab, chance: Random) -> None:
        self.crew = crew
        self.broker, self.proxy = lab
        self.chance = chance
        self.kills = 0
        self.notes: Counter[str] = Counter()

    def kill(self, slot: Slot) -> None:
        self.kills += slot.running
        slot.kill()

    def any_slot(self) -> Slot:
        return self.chance.choice([slot for slot in self.crew.slots if slot.running] or self.crew.slots)

    def working_slot(self) -> Slot:
        return self.chance.choice([slot for slot in self.crew.slots if slot.works] or self.crew.slots)


def kill(stage: Stage) -> float:
    """SIGKILL at any moment; the supervisor starts it again."""
    stage.kill(stage.any_slot())
    return time.time()


def kill_all(stage: Stage) -> float:
    """SIGKILL of all at once: nobody is there to take over."""
    for slot in stage.crew.slots:
        stage.kill(slot)
    return time.time()


def wipe(stage: Stage) -> float:
    """SIGKILL, and its local state is gone."""
    slot = stage.any_slot()
    stage.kill(slot)
    shutil.rmtree(slot.folder / "state", ignore_errors=True)
    return time.time()


def corrupt(stage: Stage) -> float:
    """SIGKILL, and a file of each store is not what it was: a bit flipped or, but for manifests, cut short.

    A manifest cut off between two of its records is a younger one's beginning, which RocksDB cannot tell.
    """
    slot = stage.any_slot()
    stage.kill(slot)
    for store in slot.states:
        files = [file for pattern in _FILES for file in sorted(store.glob(pattern)) if file.stat().st_size > 1]
        if files:
            _damage(stage, stage.chance.choice(files))
    return time.time()


def _damage(stage: Stage, file: Path) -> None:
    content = bytearray(file.read_bytes())
    place = stage.chance.randrange(1, len(content))
    if file.name.startswith("MANIFEST") or stage.chance.random() < 0.7:
        content[place] ^= 1 << stage.chance.randrange(8)
        stage.notes["files with a bit flipped"] += 1
    else:
        del content[place:]
        stage.notes["files cut short"] += 1
    file.write_bytes(content)


def terminate(stage: Stage) -> float:
    """SIGTERM: it has to leave in order, with exit code 0, unless it had not yet begun, or its disk was full before."""
    slot = stage.any_slot()
    was_running = slot.running
    code = slot.terminate()
    if was_running and code not in {0, -signal.SIGTERM} and FULL not in slot.log.read_text("utf-8", "replace"):
        stage.notes[f"exit code {code} after SIGTERM"] += 1
    return time.time()


def freeze(stage: Stage) -> float:
    """SIGSTOP for longer than its session, then SIGCONT: a zombie, with a cycle of long ago in its hands."""
    slot, since = stage.any_slot(), time.time()
    slot.signal(signal.SIGSTOP)
    stage.crew.pause(SESSION_MS / 1_000 * stage.chance.uniform(1.3, 2.5))
    slot.signal(signal.SIGCONT)
    return since


def kill_broker(stage: Stage) -> float:
    """SIGKILL of the broker, and its start on the same records after a moment."""
    stage.broker.kill()
    stage.crew.pause(stage.chance.uniform(0, 3))
    stage.broker.start()
    return time.time()


def fill_disk(stage: Stage) -> float:
    """No file of a worker may grow, over its end and its next start; then there is room again."""
    slot = stage.any_slot()
    starts = slot.starts
    slot.limit_bytes = stage.chance.randrange(*_LIMITS_BYTES)
    slot.limit()
    try:
        stage.crew.wait_until(lambda: slot.starts > starts, _FULL_SECONDS, "the full disk ended the worker")
        stage.crew.pause(stage.chance.uniform(0, 6))
        stage.notes["workers ended by a full disk"] += slot.starts - starts
    except DidNotHappen:
        # its tables were not yet large enough; nothing was asked of the disk that it refused
        stage.notes["disks that were not full"] += 1
    finally:
        slot.limit_bytes = resource.RLIM_INFINITY
        slot.limit()
    return time.time()


def take_descriptors(stage: Stage) -> float:
    """A worker ends and starts again with too few descriptors, and again, until there are enough."""
    slot = stage.any_slot()
    starts = slot.starts
    slot.limit_descriptors = max(_DESCRIPTORS_MIN, slot.descriptors - stage.chance.randrange(1, _DESCRIPTORS_SHORT))
    slot.kill()
    stage.crew.pause(stage.chance.uniform(4, 10))
    stage.notes["lives begun with too few descriptors"] += slot.starts - starts
    slot.limit_descriptors = resource.RLIM_INFINITY
    slot.limit()
    return time.time()


def fail_batch(stage: Stage) -> float:
    """A processor raises in the middle of a batch."""
    stage.working_slot().signal(RAISE_IN_BATCH)
    return time.time()


def fail_agent(stage: Stage) -> float:
    """An agent raises, and Faust starts another."""
    stage.working_slot().signal(RAISE_IN_AGENT)
    return time.time()


def jump_clock(stage: Stage) -> float:
    """The wall clock of a worker's machine is wrong for a while."""
    slot, since = stage.any_slot(), time.time()
    slot.shift_clock(stage.chance.choice(_JUMPS_SECONDS))
    stage.crew.pause(stage.chance.uniform(1, 6))
    slot.shift_clock(0)
    return since


KINDS: dict[str, Callable[[Stage], float]] = {
    "kill -9 of a worker": kill,
    "kill -9 of all workers": kill_all,
    "kill -9, state wiped": wipe,
    "kill -9, state corrupted": corrupt,
    "SIGTERM of a worker": terminate,
    "zombie (SIGSTOP > session)": freeze,
    "kill -9 of the broker": kill_broker,
    "full disk": fill_disk,
    "too few descriptors": take_descriptors,
    "batch raises": fail_batch,
    "agent raises": fail_agent,
    "late requests": late_requests,
    "wall clock jumps": jump_clock,
}
KILLS = tuple(KINDS)[:4]
_SHARES = (0.5, 0.15, 0.2, 0.15)
_KILLS_TO_ONE = {
    "SIGTERM of a worker": 6,
    "zombie (SIGSTOP > session)": 6,
    "kill -9 of the broker": 10,
    "full disk": 10,
    "too few descriptors": 10,
    "batch raises": 8,
    "agent raises": 12,
    "late requests": 6,
    "wall clock jumps": 8,
}


def plan(chance: Random, kills: int) -> list[str]:
    """Kinds in the order that they come: so many that kill workers, of each other kind its part, at least one."""
    first = list(KILLS)[: max(1, kills)]
    killing = [*first, *chance.choices(KILLS, _SHARES, k=max(0, kills - len(first)))]
    others = [kind for kind, kills_to_one in _KILLS_TO_ONE.items() for _ in range(max(1, kills // kills_to_one))]
    kinds = [*killing, *others]
    chance.shuffle(kinds)
    return kinds
