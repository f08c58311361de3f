"""The workers of a chaos run, and the supervisor that starts those again that have ended."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from streams.demo.servers.places import PROJECT
from streams.demo.servers.server import LOCALHOST, Server, free_port
from streams.settings import ENVIRONMENT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.running import Place

SESSION_MS, TRANSACTION_MS = 5_000, 3_000
_RESTART_SECONDS = 0.3
_LOOK_SECONDS = 0.05
_NO_LIMIT = resource.RLIM_INFINITY
_CRASHES = {signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL}
"""What native code ends a process with; nobody sends it here."""


class DidNotHappen(AssertionError):
    """What a chaos run waited for; the message says what, and how long."""


@dataclass
class Slot:
    """A worker's place: the same instance, state folder and logs over all of its lives."""

    instance: str
    folder: Path
    settings: dict[str, object]
    server: Server | None = None
    starts: int = 0
    limit_bytes: int = _NO_LIMIT
    """No file of its may grow beyond."""
    limit_descriptors: int = _NO_LIMIT
    """It gets no more of them, besides those that it has."""
    ended_at: float | None = None
    codes: Counter[int] = field(default_factory=Counter)
    """Exit codes of the lives that ended, a signal as its negative."""
    crashes: list[str] = field(default_factory=list)
    """What native code said when it ended a life."""

    @property
    def running(self) -> bool:
        return self.server is not None and self.server.running

    @property
    def states(self) -> list[Path]:
        """Folders of the local state, by partition."""
        return sorted(each for each in self.folder.glob("state/*/*/*-[0-9]*") if ".unreadable-" not in each.name)

    @property
    def works(self) -> bool:
        """It has got a partition in this life."""
        return self.running and b'"partition ready"' in self.log.read_bytes()

    @property
    def log(self) -> Path:
        return self.folder / f"{self.starts:03}.log"

    def start(self) -> None:
        self.starts += 1
        variables = [f"{ENVIRONMENT_PREFIX}{name.upper()}={value}" for name, value in self.settings.items()]
        self.shift_clock(0)
        shifted = ["-m", "tests.support.shifted_worker", str(self._shift)]
        command = ["env", *variables, sys.executable, *shifted, "tests.chaos.worker"]
        self.server = Server(command, self.log, folder=PROJECT)
        self.ended_at = None
        self.limit()

    @property
    def _shift(self) -> Path:
        return self.folder / "shift"

    def shift_clock(self, seconds: float) -> None:
        """Moves the wall clock of its machine."""
        self._shift.write_text(str(seconds))

    def limit(self) -> None:
        if self.server is not None and self.server.running:
            resource.prlimit(self.server.pid, resource.RLIMIT_FSIZE, (self.limit_bytes, _NO_LIMIT))
            _, most = resource.prlimit(self.server.pid, resource.RLIMIT_NOFILE)
            few = most if self.limit_descriptors == _NO_LIMIT else min(self.limit_descriptors, most)
            resource.prlimit(self.server.pid, resource.RLIMIT_NOFILE, (few, most))

    @property
    def descriptors(self) -> int:
        """How many it has open; 0 if it does not run."""
        if self.server is None or not self.server.running:
            return 0
        return len(list(Path(f"/proc/{self.server.pid}/fd").iterdir()))

    def signal(self, number: signal.Signals | int) -> None:
        if self.server is not None and self.server.running:
            os.kill(self.server.pid, number)

    def kill(self) -> None:
        """As a power cut would: SIGKILL."""
        if self.server is not None:
            self.server.kill()

    def terminate(self) -> int | None:
        """SIGTERM, and the exit code; one that hangs is killed."""
        if self.server is None:
            return None
        self.server.stop()
        return self.server.exit_code

    def note_end(self) -> None:
        if self.server is None or self.ended_at is not None or self.server.exit_code is None:
            return
        self.ended_at = time.monotonic()
        self.codes[self.server.exit_code] += 1
        if -self.server.exit_code in _CRASHES:
            name = signal.Signals(-self.server.exit_code).name
            self.crashes.append(f"worker {self.instance} ended by {name}: {_last_words(self.log)}")


def _last_words(log: Path) -> str:
    """The end of a log besides its records."""
    lines = log.read_text("utf-8", "replace").splitlines()
    return next((line for line in reversed(lines) if line and line[0] != "{"), "it said nothing")


class Crew:
    """Its workers and their supervisor: time passes for them in `pause` and `wait_until` only."""

    def __init__(self, place: Place, workers: int, **given: object) -> None:
        self.slots = [self._slot(place, str(number), given) for number in range(workers)]

    @staticmethod
    def _slot(place: Place, instance: str, given: dict[str, object]) -> Slot:
        folder = place.folder / f"worker-{instance}"
        folder.mkdir(parents=True)
        return Slot(
            instance,
            folder,
            {
                "brokers": place.settings.brokers,
                "prefix": place.settings.prefix,
                "instance": instance,
                "state_dir": folder / "state",
                "web_host": LOCALHOST,
                "web_port": free_port(),
                "session_timeout_ms": SESSION_MS,
                "transaction_timeout_ms": TRANSACTION_MS,
                **given,
            },
        )

    def tend(self) -> None:
        """Start those that ended a moment ago."""
        for slot in self.slots:
            slot.note_end()
            if slot.running:
                continue
            if slot.ended_at is None or time.monotonic() - slot.ended_at > _RESTART_SECONDS:
                slot.start()

    def pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.tend()
            time.sleep(_LOOK_SECONDS)

    def wait_until(self, holds: Callable[[], bool], seconds: float, what: str) -> None:
        until = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > until:
                raise DidNotHappen(f"waited {seconds:.0f} s in vain until {what}")
            self.tend()
            time.sleep(_LOOK_SECONDS)

    def stop(self) -> list[int | None]:
        """All of them, by SIGTERM; the exit codes."""
        return [slot.terminate() for slot in self.slots]

    @property
    def crashes(self) -> list[str]:
        return [crash for slot in self.slots for crash in slot.crashes]

    def kill(self) -> None:
        for slot in self.slots:
            slot.kill()

    @property
    def codes(self) -> Counter[int]:
        return sum((slot.codes for slot in self.slots), Counter())

    def logged(self, text: str) -> int:
        """How often a text is in the logs of all lives."""
        logs = [log for slot in self.slots for log in slot.folder.glob("*.log")]
        return sum(log.read_text("utf-8", "replace").count(text) for log in logs)
