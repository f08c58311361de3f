"""The compiled wheel does what the sources do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from streams.demo.servers.places import data_dir
from tests.support.compiled import ROOT, compiled_product, has_compiler

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.timeout(1_800),
    pytest.mark.skipif(not has_compiler(), reason="there is no C compiler here"),
]
TESTS = (
    "test_attribution",
    "test_fold",
    "test_flows",
    "test_flows_conditions",
    "test_flows_fold",
    "test_flows_laws",
    "test_flows_library_laws",
    "test_flows_send_time",
    "test_flows_steps",
    "test_overlay",
    "test_prices",
    "test_scores",
    "test_sessions",
    "test_settling",
    "test_upgrades",
    "test_wire",
)
"""Of what is compiled; those that put something in the place of a compiled function cannot be among them."""


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


def test_the_tests_of_what_is_compiled_pass_on_it(compiled: Path) -> None:
    # appended, so that the compiled packages stay in front of the sources
    options = ("--import-mode=append", "-p", "no:cacheprovider", "-q", "-m", "not heavy and not slow")
    units = (f"tests/unit/{name}.py" for name in TESTS)
    laws = ("tests/acceptance/test_flow_laws.py", "tests/acceptance/test_same_bytes.py")
    done = _run(compiled, "pytest", *options, *units, "tests/contract", *laws)
    assert done.returncode == 0, done.stdout[-6_000:]
