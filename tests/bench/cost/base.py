"""The commit that the kept figures are of, counted by its own code: for a build that has no figures yet."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from streams.demo.servers.places import data_dir
from tests.bench.cost.counting import Case, Figures
from tests.bench.cost.figures import KEPT
from tests.support.files import ROOT


class NoBase(RuntimeError):
    """There is no commit to compare with; the message says why."""


def count_base(cases: tuple[Case, ...]) -> tuple[str, dict[Case, Figures]]:
    """The base commit, abbreviated, and what it costs in this build.

    Raises:
        NoBase: it is not here, or cannot count.
    """
    commit = base_commit(ROOT)
    archive = _git(ROOT, "archive", "--format=tar", commit)
    with TemporaryDirectory() as work:
        with tarfile.open(fileobj=BytesIO(archive)) as tar:
            tar.extractall(work, filter="data")
        return commit[:7], _count_in(Path(work), cases)


def base_commit(root: Path) -> str:
    """The last commit that changed the kept figures, in the repository at `root`.

    What came after it was within the limit where its figures hold, so all of it is compared here at once. Compared
    with the commit before, costs could grow by little steps.

    Raises:
        NoBase: it is not here.
    """
    commit = _git(root, "log", "-1", "--format=%H", "--", str(KEPT)).decode().strip()
    if not commit:
        raise NoBase(f"no commit has {KEPT}")
    if commit in _git(root, "rev-list", "--max-parents=0", "HEAD").decode().split() and _is_shallow(root):
        raise NoBase("the history was cut off when this clone was made: git fetch --unshallow")
    return commit


def _count_in(folder: Path, cases: tuple[Case, ...]) -> dict[Case, Figures]:
    written = folder / "figures.json"
    options = ["--only", *map(str, cases), "--write", str(written)]
    environment = {**os.environ, "PYTHONPATH": str(folder), "TOUCHPOINT_DATA": str(data_dir())}
    command = [sys.executable, "-m", "tests.bench.cost", *options]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode or not written.exists():
        raise NoBase(f"it cannot count:\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}")
    by_name = msgspec.json.decode(written.read_bytes(), type=dict[str, Figures])
    return {case: by_name[str(case)] for case in cases if str(case) in by_name}


def _is_shallow(root: Path) -> bool:
    return _git(root, "rev-parse", "--is-shallow-repository").strip() == b"true"


def _git(root: Path, *arguments: str) -> bytes:
    try:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoBase(f"git does not tell: {error}") from error
