"""The compiled wheel does what the sources do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from streams.demo.servers.places import data_dir
from tests.support.compiled import NEEDS_COMPILER, compiled_product
from tests.support.files import ROOT

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.timeout(1_800),
    NEEDS_COMPILER,
]
# a compiled function calls another directly: what a test puts in the other's place is never called
CHOSEN = "not heavy and not slow and not interpreted"

LAWS = tuple(
    f"tests/acceptance/test_{name}.py"
    for name in ("flow_laws", "same_bytes", "consent_by_purpose", "identity", "one_order_one_owner")
)


@pytest.fixture(scope="module")
def compiled() -> Path:
    return compiled_product()


def _run(product: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Of tests and product those of the folder named first: its compiled modules, or the sources."""
    paths = {"PYTHONPATH": f"{product}{os.pathsep}{ROOT}", "TOUCHPOINT_DATA": str(data_dir())}
    environment = {**os.environ, **paths, "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def _folded(product: Path) -> dict[str, Any]:
    done = _run(product, "tests.support.shop_folded")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_a_compiled_fold_gives_the_same_bytes(compiled: Path) -> None:
    ours, sources = _folded(compiled), _folded(ROOT)
    assert (ours.pop("compiled"), sources.pop("compiled")) == (True, False)
    assert {"Trigger", "Decision", "Credit", "SegmentChanged", "ProfileView"} <= set(sources["kinds"])
    assert ours == sources


def _unit_tests() -> list[str]:
    """Folders of unit tests, each of a folder of the product in which something is compiled."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    compiled = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["modules"]
    folders = {Path(glob).parent.as_posix().removeprefix("streams/") for glob in compiled}
    return [f"tests/unit/{folder}" for folder in sorted(folders)]


def test_the_tests_of_what_is_compiled_pass_on_it(compiled: Path) -> None:
    # appended, so that the compiled packages stay in front of the sources
    options = ("--import-mode=append", "-p", "no:cacheprovider", "-q", "-m", CHOSEN)
    done = _run(compiled, "pytest", *options, *_unit_tests(), "tests/contract", *LAWS)
    assert done.returncode == 0, done.stdout[-6_000:]


def test_a_record_that_hangs_in_compiled_code_is_set_aside(compiled: Path) -> None:
    options = ("--import-mode=append", "-p", "no:cacheprovider", "-q")
    done = _run(compiled, "pytest", *options, "tests/acceptance/test_hanging_records.py")
    assert done.returncode == 0, done.stdout[-6_000:]
