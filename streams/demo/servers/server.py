"""A server as a child process: started, awaited, and ended by its pid."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from streams.demo.servers.fetching import TAIL_CHARS, Unavailable

LOCALHOST = "127.0.0.1"
# Below Linux's range of outgoing ports (32768 up). In that range a client that reconnects to a dead server could
# get the server's own port, and connect to itself.
PORTS = range(15_000, 30_000)
STOP_SECONDS = 15.0
_POLL_SECONDS = 0.05
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class DidNotStart(RuntimeError):
    """A server ended or did not answer after its start; the message contains the end of its log."""


def free_port() -> int:
    """Return a TCP port of the loopback interface on which nobody listens now."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind((LOCALHOST, port))
            except OSError:
                continue
            return port
    raise Unavailable(f"no free port between {PORTS.start} and {PORTS.stop}")


class Server:
    """One child process with its log.

    It leads its own process group, so that Ctrl-C reaches only us. The kernel kills it when the thread that started
    it ends, unless `outlives_us`. It runs in `folder`, by default that of its log.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        folder: Path | None = None,
        outlives_us: bool = False,
    ) -> None:
        self.log = log
        self._name = Path(command[0]).name
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=folder or log.parent,
                process_group=0,
                preexec_fn=None if outlives_us else _die_with_parent,  # noqa: PLW1509 - one prctl
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Return its exit code; None while it runs, negative: the signal that ended it."""
        return self._process.poll()

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Return once `ready()`; raises DidNotStart, and ends the process, if that takes too long."""
        end = time.monotonic() + seconds
        while not ready():
            if not self.running:
                code = self._process.returncode
                raise DidNotStart(f"{self._name} ended with exit code {code}:\n{self.log_tail()}")
            if time.monotonic() > end:
                self.kill()
                raise DidNotStart(f"{self._name} was not ready after {seconds:.0f} s:\n{self.log_tail()}")
            time.sleep(_POLL_SECONDS)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End it by SIGTERM, and by SIGKILL if it has not ended after `seconds`."""
        if self.running:
            os.kill(self.pid, signal.SIGTERM)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        if self.running:
            os.kill(self.pid, signal.SIGKILL)
            self._process.wait()

    def log_tail(self) -> str:
        text = self.log.read_text(errors="replace")
        return f"{text[-TAIL_CHARS:].strip()}\n(whole log: {self.log})"


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
