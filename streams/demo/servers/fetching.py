"""A cache of servers: each is fetched once, whole or not at all, and then used without a network."""

import fcntl
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.demo.servers.places import cache_dir

TAIL_CHARS = 2_000


class Unavailable(RuntimeError):
    """A server is not available on this machine; the message says what is missing."""


def cached(name: str, fill: Callable[[Path], None]) -> Path:
    """Return the folder `name` of the cache; `fill(empty folder)` makes it if it does not exist yet.

    Processes that ask at the same time wait for the first; a `fill` that raises leaves nothing behind.
    """
    folder = cache_dir() / name
    if folder.is_dir():
        return folder
    with _alone(folder):
        if not folder.is_dir():
            _make(folder, fill)
    return folder


def run(command: list[str], folder: Path | None = None) -> None:
    """Run a tool to its end; raises Unavailable, with the end of its output, if it is missing or fails."""
    if shutil.which(command[0]) is None:
        raise Unavailable(f"{command[0]} is not installed: it is needed for `{' '.join(command)}`")
    done = subprocess.run(
        command,
        cwd=folder,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        tail = done.stdout[-TAIL_CHARS:].strip()
        raise Unavailable(f"`{' '.join(command)}` failed with exit code {done.returncode}:\n{tail}")


def _make(folder: Path, fill: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as work:
        made = Path(work) / folder.name
        made.mkdir()
        fill(made)
        made.rename(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
