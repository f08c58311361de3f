"""The compiled wheel: HATCH_BUILD_HOOKS_ENABLE=1 pip wheel .

mypyc compiles the modules that pyproject.toml names, in a separate folder, so that no compiled file is beside the
sources. The codecs, which the interpreter generates from the schemas as it starts, are written to a file and compiled
too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns, rmtree
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NATIVE = """
import sys
from mypyc.build import mypycify
from setuptools import setup
modules = mypycify(sys.argv[1:], opt_level="2", debug_level="0", group_name="touchstream")
setup(name="touchstream", packages=[], ext_modules=modules, script_args=["-q", "build_ext", "--inplace"])
"""


class CompileHook(BuildHookInterface):
    """A hook that adds compiled modules to the wheel; Python prefers them to the sources beside them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, unless the wheel is for an editable installation, which runs the sources."""
        if version == "editable":
            return
        self._folder = Path(mkdtemp())
        for package in self.build_config.packages:
            copytree(Path(self.root, package), self._folder / package, ignore=ignore_patterns("*.so", "__pycache__"))
        written = subprocess.run(
            [sys.executable, "-m", "schemas.writing"], cwd=self._folder, check=True, capture_output=True, text=True
        )
        (self._folder / "schemas" / "written.py").write_text(written.stdout, "utf-8")
        left_out = {self._folder / name for name in self.config["left-out"]}
        found = {path for glob in self.config["modules"] for path in self._folder.glob(glob)}
        modules = sorted(str(path.relative_to(self._folder)) for path in found - left_out)
        settings = ["--config-file", str(Path(self.root, "pyproject.toml"))]
        subprocess.run(  # noqa: S603 - this Python, on files of this project
            [sys.executable, "-c", NATIVE, *settings, *modules],
            cwd=self._folder,
            check=True,
            env={**os.environ, "PYTHONPATH": str(self._folder)},
        )
        rmtree(self._folder / "build")
        for path in self._folder.rglob("*.so"):
            build_data["force_include"][str(path)] = str(path.relative_to(self._folder))
        build_data.update(infer_tag=True, pure_python=False)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - hatchling's
        """Remove the folder."""
        if version != "editable":
            rmtree(self._folder)
