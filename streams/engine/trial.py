"""A record at which a worker may have hung is tried alone, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import structlog

from state.overlay import Overlay
from streams.engine.batch import Batch
from streams.engine.hung import Hung, digest_of, note_hung
from streams.engine.restore import restore
from streams.engine.step_watch import StepLimit
from streams.fold.record import Both
from streams.kafka.reader import read_committed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from threading import Event

    from streams.engine.restore import Restoration
    from streams.engine.settings import EngineSettings
    from streams.kafka.offsets import PartitionId

TRIAL_LOG = "trial.log"
_SAID = "trial.out"
KNOWN = "trial.known"
"""The file of what is known to hang: no command line, which others on the machine see, names customers."""
_HUNG_EXIT = 1
"""What `faulthandler` ends a process with. So does a trial that raises, but without a timeout's first line."""
FAILED_EXIT = 3
_POLL_SECONDS = 0.05
_COMPUTED_SHARE = 0.25
"""A record hangs if the process has used this share of the limit: else it waited for a disk, or was not let run."""
_FACTORS = (1, 4)
"""By which the limit is made longer from one attempt to the next, on a machine that does not let it run."""
_DETAIL_MAX = 6_000
_TIMEOUT = re.compile(r"^Timeout \(\d+:\d\d:\d\d", re.MULTILINE)
"""The first line of what `faulthandler` writes."""

_log = structlog.get_logger(__name__)


class _Ended(NamedTuple):
    """How a process ended: its exit code, and the seconds that it computed."""

    code: int
    computed_s: float


class TrialProcess:
    """Runs `command TOPIC PARTITION LAST LIMIT`, which must call `try_alone`; it blocks, also for minutes.

    The limit is in seconds. What is known to hang is in the file KNOWN. The process reads one line, `given`, and has to
    end when its standard input does.
    """

    def __init__(self, command: Sequence[str], given: bytes, settings: EngineSettings) -> None:
        self._command = command
        self._given = given
        self._folder = settings.state_dir
        self._seconds = settings.step_seconds_max

    def __call__(self, place: PartitionId, last: int, known: Sequence[Hung], cancelled: Event) -> Hung | None:
        """Return the first record up to `last` that hangs, besides the known; None: there is none, or it is unknown."""
        (self._folder / KNOWN).write_bytes(msgspec.json.encode(list(known)))
        for factor in _FACTORS:
            limit_s = self._seconds * factor
            words = [place[0], str(place[1]), str(last), str(limit_s)]
            ended = self._run([*self._command, *words], cancelled)
            hung = self._hung(ended.code)
            if hung is None or ended.computed_s >= self._seconds * _COMPUTED_SHARE:
                return hung
            _log.warning("trial waited instead of computing", limit_s=limit_s, computed_s=round(ended.computed_s, 1))
        return None

    def _run(self, command: Sequence[str], cancelled: Event) -> _Ended:
        with (self._folder / _SAID).open("wb") as said, (self._folder / TRIAL_LOG).open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=log)  # noqa: S603 - ours
            try:
                computed_s = self._wait(process, cancelled)
            finally:
                process.kill()
                process.wait()
                if process.stdin is not None:
                    process.stdin.close()
        return _Ended(process.returncode, computed_s)

    def _wait(self, process: subprocess.Popen[bytes], cancelled: Event) -> float:
        """Wait until it has ended, and return the seconds that it computed."""
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                # unbuffered: a line is less than a pipe holds
                os.write(process.stdin.fileno(), self._given + b"\n")
        while not cancelled.is_set():
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                return usage.ru_utime + usage.ru_stime
            time.sleep(_POLL_SECONDS)
        return 0.0

    def _hung(self, code: int) -> Hung | None:
        """Return the record at which a process with this exit code has hung."""
        log = (self._folder / TRIAL_LOG).read_text(errors="replace")
        lines = (self._folder / _SAID).read_text().splitlines()
        timeout = _TIMEOUT.search(log)
        if code == _HUNG_EXIT and timeout is not None and lines:
            offset, digest, *timer = lines[-1].split(" ", 2)
            named = msgspec.json.decode(timer[0], type=tuple[str, str]) if timer else None
            return Hung(int(offset), digest, log[timeout.start() :][:_DETAIL_MAX], named)
        if code:
            _log.warning("trial failed", exit_code=code, log=log[-_DETAIL_MAX:])
        return None


class _Saying:
    """A guard that says which timer is fired next, or that the record itself goes on."""

    def __init__(self, record: str) -> None:
        self._record = record

    def __call__(self, customer: str, timer: str, _firing: int) -> None:
        named = " " + msgspec.json.encode((customer, timer)).decode() if timer else ""
        sys.stdout.write(f"{self._record}{named}\n")
        sys.stdout.flush()


def try_alone(wanted: Restoration, last: int, limit_s: float) -> None:
    """Process the records of a partition up to `last` one by one, and say which one is next; commit nothing.

    The worker's own restored state is below them. A record that hangs ends this process. One that raises is passed: a
    worker deals with it.
    """
    source, number = wanted.source, wanted.number
    restored = restore(wanted)
    if restored is None or restored.start > last:
        return
    store, codec = restored.store, source.codec
    overlay = None if store is None or codec is None else Overlay[Any](store, codec)
    source.processor.assigned(number, overlay)
    limit = StepLimit(limit_s)
    settings, start = wanted.settings, max(restored.start, 0)
    known = msgspec.json.decode((settings.state_dir / KNOWN).read_bytes(), type=list[Hung])
    for message in read_committed(settings.brokers, source.topic, settings.client, [number], {number: start}):
        offset = message.offset() or 0
        if offset > last:
            break
        batch = Batch(source.topic, number, [message], offset + 1)
        note_hung(batch, known)
        batch.bind(source.processor.process, overlay)
        saying, failing = _Saying(f"{offset} {digest_of(message)}"), batch.guards.get(offset)
        saying("", "", 0)
        # a timer that fails is not fired
        batch.guards = {offset: saying if failing is None else Both(failing, saying)}
        limit.renew()
        batch.run()
    limit.lift()
    if store is not None:
        store.close()
