"""The product as a compiled wheel, unpacked in a folder of its own."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import sysconfig
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree, which
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import pytest

from streams.demo.servers.places import in_ci
from tests.support.files import ROOT

_SOURCES = ("streams", "state", "schemas")
_DECIDING = ("pyproject.toml", "hatch_build.py")
_TOOLS = ("hatchling", "mypy", "setuptools")
_VARIABLES = ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS")


def compiler() -> str | None:
    """The C compiler that this Python was built with, or another `cc`, if it is on PATH; None: there is none."""
    names = (str(name).split()[0] for name in (sysconfig.get_config_var("CC"), "cc") if name)
    return next((name for name in names if which(name)), None)


def has_compiler() -> bool:
    """Whether there is a C compiler."""
    return compiler() is not None


# in CI there has to be one: without it the wheel fails to build
NEEDS_COMPILER = pytest.mark.skipif(not has_compiler() and not in_ci(), reason="there is no C compiler here")


def compiler_version() -> str:
    """What the C compiler says of itself; RuntimeError where there is none."""
    program = compiler()
    if program is None:
        raise RuntimeError("there is no C compiler here (cc)")
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


def compiled_product() -> Path:
    """The folder that PYTHONPATH has to name, under build/compiled; built once for the same sources and tools.

    Processes that ask at the same time wait for the first. RuntimeError as `compile_product`.
    """
    kept = ROOT / "build" / "compiled"
    kept.mkdir(parents=True, exist_ok=True)
    folder = kept / _digest()
    with (kept / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            with TemporaryDirectory(dir=kept) as work:
                compile_product(Path(work) / "product")
                (Path(work) / "product").rename(folder)
    return folder / "site"


def compile_product(folder: Path) -> Path:
    """Build again, and return the folder for PYTHONPATH. RuntimeError, with pip's output, if that fails."""
    rmtree(folder, ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT],
        env={**os.environ, "HATCH_BUILD_HOOKS_ENABLE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"no compiled wheel:\n{done.stdout[-4_000:]}{done.stderr[-4_000:]}")
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def _digest() -> str:
    """Hash of all that decides what is compiled: sources, tools, the compiler and what it is told."""
    digest = sha256()
    tools = [f"{name} {version(name)}" for name in _TOOLS]
    told = [f"{name}={os.environ.get(name)}" for name in _VARIABLES]
    for text in (sys.version, compiler_version(), *tools, *told):
        digest.update(text.encode() + b"\0")
    files = (path for folder in _SOURCES for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts)
    for path in sorted((*files, *(ROOT / name for name in _DECIDING))):
        if path.is_file():
            content = path.read_bytes()
            digest.update(f"{path.relative_to(ROOT)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]
