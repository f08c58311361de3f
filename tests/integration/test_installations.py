"""The package installs and works: plainly, at its lowest bounds, and on the newest Python."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from streams.demo.servers.fetching import Unavailable
from streams.demo.servers.places import PROJECT, in_ci
from tests.support.newest_python import PYTHON, newest_python
from tests.support.plain_install import PRODUCT, needed

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(900)]

CONSTRAINTS = PROJECT / "deploy" / "constraints.txt"
UNIT_TESTS = ("tests/unit", "tests/contract")
RUNTIME_EXTRAS = ("bench", "demo", "registry", "serve")
NEEDED_BY_TESTS = ("hypothesis", "jsonschema", "pandas", "pytest", "pytest-timeout")
LEFT_TO_PIP = {"multidict", "pydantic-core"}
"""What the lowest aiohttp and pydantic need in an older version than the one that is pinned."""


class Environment:
    """A virtual environment of its own."""

    def __init__(self, python: str | Path, folder: Path) -> None:
        self.folder = folder
        self.call(python, "-m", "venv", folder)

    def call(self, program: str | Path, *arguments: str | Path) -> str:
        """Run a program to its end and return what it printed; fails with its output."""
        done = subprocess.run(
            [program, *arguments],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"{program} {' '.join(map(str, arguments))}:\n{done.stdout[-8_000:]}")
        return done.stdout

    def install(self, *wanted: str | Path, constraints: Path = CONSTRAINTS) -> None:
        self.python("-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted, "-c", constraints)

    def python(self, *arguments: str | Path) -> str:
        return self.call(self.folder / "bin" / "python", *arguments)

    def unit_tests(self, *options: str) -> str:
        """The last line that pytest prints."""
        return self.python("-m", "pytest", "-q", "-p", "no:cacheprovider", *UNIT_TESTS, *options).splitlines()[-1]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Gone after the test: an environment takes up to a gigabyte."""
    with TemporaryDirectory(prefix="touchstream-install-") as name:
        yield Path(name)


def test_the_plain_wheel_brings_what_it_needs_and_works(folder: Path) -> None:
    environment = Environment(sys.executable, folder / "venv")
    environment.install(PROJECT)
    listed = environment.python("-m", "pip", "list", "--format=freeze").splitlines()
    brought = {canonicalize_name(line.partition("==")[0]) for line in listed}
    assert brought - {PRODUCT, "pip", "setuptools"} == needed()
    command = folder / "venv" / "bin" / PRODUCT
    assert "flows" in environment.call(command, "--help")
    environment.call(command, "flows", "lint")
    environment.call(command, "flows", "test")


def test_the_unit_tests_pass_at_the_lowest_bounds(folder: Path) -> None:
    lowest = folder / "lowest.txt"
    lowest.write_text("\n".join(lowest_bounds()), "utf-8")
    environment = Environment(sys.executable, folder / "venv")
    environment.install("-e", f"{PROJECT}[{','.join(RUNTIME_EXTRAS)}]", *NEEDED_BY_TESTS, constraints=lowest)
    # these judge the pins and the guides, and want the newest of what they judge by
    of_newest = ("test_packaging", "test_guide_commands")
    assert " passed" in environment.unit_tests(*(f"--ignore=tests/unit/{name}.py" for name in of_newest))


def test_the_unit_tests_pass_on_the_newest_python(folder: Path) -> None:
    try:
        python = newest_python()
    except Unavailable as missing:
        if in_ci():
            raise
        # it is downloaded, and made for one kind of machine; in CI it has to be there
        pytest.skip(f"Python {PYTHON} is not to be had here: {missing}")
    environment = Environment(python, folder / "venv")
    environment.install("-e", f"{PROJECT}[dev]")
    assert " passed" in environment.unit_tests()


def lowest_bounds() -> list[str]:
    """Constraints: the lowest version of what we name, and what is pinned of all else."""
    table = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = table["optional-dependencies"]
    texts = [*table["dependencies"], *(text for name in ("parquet", *RUNTIME_EXTRAS) for text in extras[name])]
    found = {
        canonicalize_name(wanted.name): each.version
        for wanted in map(Requirement, texts)
        for each in wanted.specifier
        if each.operator == ">="
    }
    pinned = dict(line.split("==") for line in CONSTRAINTS.read_text("utf-8").splitlines())
    for name, version in pinned.items():
        if canonicalize_name(name) not in LEFT_TO_PIP:
            found.setdefault(canonicalize_name(name), version)
    return [f"{name}=={version}" for name, version in found.items()]
