"""Folders of this machine; only this module and the settings read the environment."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]


def cache_dir() -> Path:
    """Return the folder for downloaded servers, shared by all checkouts: `$XDG_CACHE_HOME/touchstream`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "touchstream"


def data_dir() -> Path:
    """Return the folder of the real data (`TOUCHPOINT_DATA`); it may be absent."""
    return _folder("TOUCHPOINT_DATA", "data")


def bench_dir() -> Path:
    """Return the folder of the yardstick job (`TOUCHPOINT_BENCH`); it may be absent."""
    return _folder("TOUCHPOINT_BENCH", "bench")


def java_home() -> Path | None:
    """Return the Java of `JAVA_HOME`; None if PATH decides."""
    home = os.environ.get("JAVA_HOME")
    return Path(home) if home else None


def in_ci() -> bool:
    """Return whether `CI` is set: then an unavailable server is an error, not a reason to skip."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false"}


def _folder(variable: str, name: str) -> Path:
    return Path(os.environ.get(variable) or PROJECT.parent / "shared" / name).resolve()
