"""The unit tests mirror the sources, and share nothing but what is in tests/support."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from tests.support.files import ROOT
from tests.support.sources import imported_names, tree_of

if TYPE_CHECKING:
    from pathlib import Path

TESTS = ROOT / "tests"
UNIT = TESTS / "unit"
OF_THE_WHOLE = {
    "cost": "how instructions are counted",
    "guide": "the guides, and the commands and flows in them",
    "layout": "the tests",
    "packaging": "what is installed, and with what",
    "plain_install": "the product without its extras",
    "readme": "the README",
    "structure": "the sources",
    "plain_words": "the words in all texts",
}
"""Subjects of files at the top of tests/unit, besides the modules at the top of streams/."""
HELPERS = {"__init__.py", "conftest.py"}


def sources_of(folder: PurePosixPath) -> Path:
    """The folder of the product that a folder of unit tests is about."""
    return ROOT / folder if folder.parts[:1] in {("state",), ("schemas",)} else ROOT / "streams" / folder


def astray(file: PurePosixPath) -> str | None:
    """What is wrong with where a file is within tests/unit, or with its name; None if it is a mirror.

    A test file is named after a module of the folder's counterpart, with a subject behind it if there are several; or
    after the folder itself, if it is about all of that.
    """
    folder, name = file.parent, file.stem.removeprefix("test_")
    if file.name in HELPERS:
        return None
    if not file.name.startswith("test_"):
        return f"{file}: no test; what tests share is in tests/support"
    there = sources_of(folder)
    if not there.is_dir():
        return f"{file}: the sources have no folder {folder}"
    subjects = {path.stem.strip("_") for path in there.glob("*.py")} | {folder.name}
    subjects |= set() if folder.parts else OF_THE_WHOLE.keys()
    if not any(name == subject or name.startswith(f"{subject}_") for subject in subjects - {"", "init"}):
        return f"{file}: {there.relative_to(ROOT)} has no module that begins its name"
    return None


def test_the_unit_tests_mirror_the_sources() -> None:
    files = [PurePosixPath(path.relative_to(UNIT)) for path in UNIT.rglob("*.py")]
    assert len(files) > 100
    assert [said for file in sorted(files) if (said := astray(file))] == []


@pytest.mark.parametrize(
    "file",
    [
        "test_flows_steps.py",
        "flows/test_steps.py",
        "flows/runtime/test_steps.py",
        "unheard/test_fold.py",
        "fold/builders.py",
        "state/test_fold.py",
    ],
)
def test_a_file_without_a_counterpart_would_be_found(file: str) -> None:
    assert astray(PurePosixPath(file))


@pytest.mark.parametrize(
    "file",
    [
        "test_settings.py",
        "test_guide_flows.py",
        "cli/test_cli.py",
        "flows/language/test_steps.py",
        "fold/test_fold_laws.py",
        "state/test_cache.py",
        "fold/conftest.py",
    ],
)
def test_a_file_beside_its_counterpart_is_in_its_place(file: str) -> None:
    assert astray(PurePosixPath(file)) is None


def test_no_test_module_is_imported() -> None:
    imported = {
        f"{path.relative_to(TESTS)} imports {module}"
        for path in TESTS.rglob("*.py")
        for module, name in imported_names(tree_of(path))
        if module.startswith("tests") and any(part.startswith("test_") for part in [*module.split("."), name or ""])
    }
    assert imported == set()
