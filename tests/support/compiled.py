"""The product as a compiled wheel, unpacked in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from shutil import rmtree, which
from typing import TYPE_CHECKING
from zipfile import ZipFile

from tests.support.files import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def has_compiler() -> bool:
    """Whether the C compiler that this Python was built with, or another `cc`, is on PATH."""
    return any(which(str(name).split()[0]) for name in (sysconfig.get_config_var("CC"), "cc") if name)


def compile_product(folder: Path) -> Path:
    """The folder that PYTHONPATH has to name; builds anew. RuntimeError, with what pip said, if that fails."""
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
