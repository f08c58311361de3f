"""The newest Python that can be had here: a CPython that Maven brings, for the tests alone."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING
from zipfile import ZipFile

from streams.demo.servers.fetching import Unavailable, cached
from streams.demo.servers.java import maven

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = "3.14"
VERSION = "3.14.3-1.5.13"
"""Of the artifact: CPython's own version, and that of the presets that build it."""
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
_MACHINE = "linux-x86_64"


def newest_python() -> Path:
    """Return its program; raises Unavailable."""
    if f"{platform.system()}-{platform.machine()}".lower() != _MACHINE:
        raise Unavailable(f"CPython {VERSION} is had for {_MACHINE} only")
    return cached(f"cpython-{VERSION}", _unpack) / "org" / "bytedeco" / "cpython" / _MACHINE / "bin" / f"python{PYTHON}"


def _unpack(folder: Path) -> None:
    artifact = f"org.bytedeco:cpython:{VERSION}:jar:{_MACHINE}"
    maven(_COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={folder}", folder=folder)
    (archive,) = folder.glob("*.jar")
    with ZipFile(archive) as packed:
        packed.extractall(folder)
    archive.unlink()
    for program in folder.glob(f"**/bin/python{PYTHON}"):
        program.chmod(0o755)
