"""Commands of a guide, run as a reader would: one after another in one shell, with workers that run meanwhile."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

from streams.demo.servers.places import PROJECT
from streams.demo.servers.server import free_port
from streams.demo.worker import wait_until_idle
from streams.operations.create import read_domain
from streams.worker_settings import parse_worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

WORKER = "touchstream worker"
_EXIT_CODE = re.compile(r"# exit code (\d+)")
_SECONDS = 60.0
_BROKERS, _PORT = "kafka:9092", "6066"
_PREFIX = re.compile(r"(TOUCHSTREAM_PREFIX=|--prefix |--into )([a-z0-9-]+)")


class Command(NamedTuple):
    """A command of a block, on one line, and the exit code that a comment behind it promises."""

    text: str
    exit_code: int


def commands(text: str) -> Iterator[Command]:
    """Of a block; lines that end with a backslash go on."""
    for line in text.replace("\\\n", " ").splitlines():
        code, _, comment = line.partition(" #")
        if code.strip() and not code.lstrip().startswith("#"):
            promised = _EXIT_CODE.search(f"#{comment}")
            yield Command(" ".join(code.split()), int(promised[1]) if promised else 0)


class Shell:
    """A bash in `folder`, where the repository's folders are in reach; brokers, prefixes and port are the test's own.

    `touchstream worker` is put into the background, and awaited until it is ready. It is one at a time.
    """

    def __init__(self, folder: Path, brokers: str, suffix: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._brokers, self._suffix = brokers, suffix
        self._worker_log = folder / "worker.log"
        for name in ("streams", "schemas", "deploy"):
            (folder / name).symlink_to(PROJECT / name)
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "JAVA_HOME") if name in os.environ}
        variables = {
            **kept,
            "PATH": f"{Path(sys.executable).parent}:{kept.get('PATH', '')}",
            "TOUCHSTREAM_WEB_PORT": str(self.port),
            "TOUCHSTREAM_STATE_DIR": str(folder / "state"),
            "COLUMNS": "200",
        }
        self._bash = subprocess.Popen(
            ["bash", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env=variables,
            start_new_session=True,
        )
        self._works = False
        self._last_worker = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if self._bash.poll() is None and error is None:
                self.stop_worker()
        finally:
            # the shell, and a worker that a failure has left
            os.killpg(self._bash.pid, signal.SIGKILL)
            self._bash.communicate()

    def prefix(self, name: str) -> str:
        """What replaces a prefix of the guide."""
        return f"{name}-{self._suffix}"

    def run(self, command: Command) -> str:
        """Its output; AssertionError where it ends with another exit code than is promised."""
        text = command.text.replace(_BROKERS, self._brokers).replace(f":{_PORT}", f":{self.port}")
        text = _PREFIX.sub(lambda found: found[1] + self.prefix(found[2]), text)
        if text.endswith(WORKER):
            self._start_worker(text)
            return ""
        output, code = self._ask(text)
        assert code == command.exit_code, f"{text}\nends with {code}, not {command.exit_code}:\n{output}"
        assert "Traceback" not in output, f"{text}\n{output}"
        return output

    def stop_worker(self) -> None:
        """Ends it as an operator does, where one runs; it has to end in order."""
        if self._works:
            self._works = False
            _, code = self._ask('kill -TERM "$worker" && wait "$worker"')
            assert code == 0, f"the worker ended with {code}:\n{self._worker_log.read_text()[-4000:]}"

    def start_worker_again(self) -> None:
        """The one that ran last."""
        self._start_worker(self._last_worker)

    def wait_idle(self) -> None:
        """Returns when the worker has nothing to process."""
        if self._works:
            prefix = _PREFIX.search(self._last_worker)
            name = prefix[2] if prefix else self._ask('echo "$TOUCHSTREAM_PREFIX"')[0].strip()
            settings = parse_worker({}, brokers=self._brokers, prefix=name)
            wait_until_idle(settings, read_domain(settings))

    def _start_worker(self, text: str) -> None:
        self.stop_worker()
        self._works, self._last_worker = True, text
        # env, so that variables before the command reach it and the process is the worker itself
        self._ask(f"env {text} > {shlex.quote(str(self._worker_log))} 2>&1 & worker=$!")
        give_up_at = time.monotonic() + _SECONDS
        while not self._is_ready():
            _, ended = self._ask('kill -0 "$worker" 2> /dev/null')
            assert not ended, f"{text}\nended:\n{self._worker_log.read_text()[-4000:]}"
            assert time.monotonic() < give_up_at, f"{text}\nis not ready after {_SECONDS:.0f} s"
            time.sleep(0.2)

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=5):
                return True
        except (URLError, OSError):
            return False

    def _ask(self, text: str) -> tuple[str, int]:
        """Output and exit code of a line."""
        bash = self._bash
        assert bash.stdin is not None
        assert bash.stdout is not None
        bash.stdin.write(f'{{ {text}\n}} < /dev/null; code=$?; echo; echo "@done $code"\n')
        bash.stdin.flush()
        output = ""
        for line in bash.stdout:
            if line.startswith("@done "):
                return output, int(line.split()[1])
            output += line
        raise AssertionError(f"{text}\nended the shell:\n{output}")
