"""wrk of Debian's package, unpacked without installing: it measures how many requests an HTTP server answers."""

from pathlib import Path

from streams.demo.servers.debian import libraries_of, unpack_packages
from streams.demo.servers.fetching import cached


def fetch_wrk() -> Path:
    """Folder with the package unpacked, brought by apt once; raises Unavailable."""
    return cached("wrk", _unpack)


def wrk_command(*arguments: str) -> list[str]:
    """Return the command with what its libraries need; raises Unavailable."""
    folder = fetch_wrk()
    return ["env", libraries_of(folder), str(folder / "usr" / "bin" / "wrk"), *arguments]


def _unpack(folder: Path) -> None:
    unpack_packages(["wrk", "libluajit-5.1-2"], folder)
