"""Chromium without a window, of Debian's package, unpacked without installing: a real browser for tests."""

from pathlib import Path

from streams.demo.servers.debian import libraries_of, unpack_with_needs
from streams.demo.servers.fetching import cached


def fetch_chromium() -> Path:
    """Folder with the browser and the libraries that this machine lacks, brought by apt once; raises Unavailable."""
    return cached("chromium", _unpack)


def chromium_command(folder: Path, page: str) -> list[str]:
    """Return the command that opens a page and stays; `folder` gets the browser's profile. Raises Unavailable."""
    home = fetch_chromium()
    program = home / "usr" / "lib" / "chromium" / "chromium-headless-shell"
    # without a sandbox, which a container's root may not make; it opens our own pages only
    options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"]
    options.append("--remote-debugging-port=0")
    return ["env", libraries_of(home), str(program), *options, f"--user-data-dir={folder}", page]


def _unpack(folder: Path) -> None:
    unpack_with_needs("chromium-headless-shell", folder)
