"""Valgrind of Debian's package, unpacked without installing: its tool callgrind counts instructions."""

from pathlib import Path

from streams.demo.servers.debian import unpack_packages
from streams.demo.servers.fetching import cached


def fetch_valgrind() -> Path:
    """Folder with the package unpacked, brought by apt once; raises Unavailable."""
    return cached("valgrind", _unpack)


def valgrind_program() -> Path:
    """Return the program, not the package's script around it, which expects an installation; raises Unavailable."""
    return fetch_valgrind() / "usr" / "bin" / "valgrind.bin"


def valgrind_environment() -> dict[str, str]:
    """Variables that the program needs to find its tools; raises Unavailable."""
    return {"VALGRIND_LIB": str(fetch_valgrind() / "usr" / "libexec" / "valgrind")}


def valgrind_headers() -> Path:
    """Folder that C code includes `valgrind/callgrind.h` from; raises Unavailable."""
    return fetch_valgrind() / "usr" / "include"


def _unpack(folder: Path) -> None:
    # callgrind does without libc6-dbg, which the package depends on: that is for tools that look into libc
    unpack_packages(["valgrind"], folder)
