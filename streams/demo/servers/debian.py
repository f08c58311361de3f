"""Programs of Debian's packages, unpacked into a folder without installing them and without rights."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from streams.demo.servers.fetching import Unavailable, run

_UNLOCKED = ("-o", "Debug::NoLocking=1")
"""Nothing is installed, so nobody needs to be kept from it."""


def unpack_packages(packages: Sequence[str], folder: Path) -> None:
    """Download `packages` by apt, without those that they depend on, and unpack them into `folder`.

    Raises:
        Unavailable: this machine has no apt, or apt does not know the packages.
    """
    with tempfile.TemporaryDirectory() as work:
        for package in _download(packages, Path(work)):
            run(["dpkg", "-x", str(package), str(folder)])


def unpack_with_needs(package: str, folder: Path) -> None:
    """Do the same with a package and whatever it depends on that this machine has not installed.

    Raises:
        Unavailable: this machine has no apt, or apt does not know the package.
    """
    with tempfile.TemporaryDirectory() as text:
        work = Path(text)
        own = _own_lists(work)
        wanted = ["--no-install-recommends", "--download-only", "--yes", "install", package]
        try:
            run(["apt-get", "-q", "-o", f"Dir::Cache={work / 'cache'}", *_UNLOCKED, *wanted])
        except Unavailable:
            run(["apt-get", "-q", *own, "update"])
            run(["apt-get", "-q", *own, *_UNLOCKED, *wanted])
        for each in sorted((work / "cache" / "archives").glob("*.deb")):
            run(["dpkg", "-x", str(each), str(folder)])


def libraries_of(folder: Path) -> str:
    """Return the variable by which a program finds the libraries that were unpacked into `folder`."""
    found = sorted({str(each.parent) for each in folder.rglob("*.so*")})
    return f"LD_LIBRARY_PATH={':'.join(found)}"


def _own_lists(work: Path) -> list[str]:
    """Return options for lists and a cache in `work`, which need no rights."""
    lists, cache = work / "lists", work / "cache"
    (lists / "partial").mkdir(parents=True)
    (cache / "archives" / "partial").mkdir(parents=True)
    return ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache}"]


def _download(packages: Sequence[str], work: Path) -> list[Path]:
    try:
        run(["apt-get", "-q", "download", *packages], work)
    except Unavailable:
        # the machine's lists may be empty or old
        own = _own_lists(work)
        run(["apt-get", "-q", *own, "update"], work)
        run(["apt-get", "-q", *own, "download", *packages], work)
    return sorted(work.glob("*.deb"))
