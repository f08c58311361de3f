"""Programs of Debian's packages, unpacked into a folder without installing them and without rights."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from streams.demo.servers.fetching import Unavailable, run


def unpack_packages(packages: Sequence[str], folder: Path) -> None:
    """Download `packages` by apt, without those that they depend on, and unpack them into `folder`.

    Raises:
        Unavailable: this machine has no apt, or apt does not know the packages.
    """
    with tempfile.TemporaryDirectory() as work:
        for package in _download(packages, Path(work)):
            run(["dpkg", "-x", str(package), str(folder)])


def _download(packages: Sequence[str], work: Path) -> list[Path]:
    try:
        run(["apt-get", "-q", "download", *packages], work)
    except Unavailable:
        # the machine's lists may be empty or old: fetch lists of our own, which needs no rights
        lists, cache = work / "lists", work / "cache"
        (lists / "partial").mkdir(parents=True)
        (cache / "archives" / "partial").mkdir(parents=True)
        own = ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={cache}"]
        run(["apt-get", "-q", *own, "update"], work)
        run(["apt-get", "-q", *own, "download", *packages], work)
    return sorted(work.glob("*.deb"))
