"""How `make cost` judges what was counted; the counting itself needs valgrind, and CI runs it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.bench.cost.base import NoBase, base_commit
from tests.bench.cost.counting import ALL, BY_CI, Case
from tests.bench.cost.figures import (
    KEPT,
    RENEW,
    Change,
    build_of,
    compared,
    judge,
    read_kept,
    write_kept,
)
from tests.support.compiled import NEEDS_COMPILER
from tests.support.files import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SHOP = Case("made shop, ten flows", is_compiled=False)
CLICKS = Case("clickstream, ten flows", is_compiled=False)


def a_project(folder: Path) -> Path:
    (folder / KEPT).parent.mkdir(parents=True)
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def committed(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    git(folder, "add", name)
    git(folder, "commit", "-m", text)
    return git(folder, "rev-parse", "HEAD")


def test_a_case_above_the_limit_fails_and_is_named_with_both_figures() -> None:
    holds, lines = judge([Change(SHOP, 100_000, 103_001), Change(CLICKS, 100_000, 80_000)])
    assert not holds
    assert lines == [
        "made shop, ten flows, interpreted: 100,000 before, 103,001 now, +3.00 %; the limit is +3 %",
        f"where that is wanted: {RENEW}",
    ]


def test_a_case_at_the_limit_passes_without_a_word() -> None:
    assert judge([Change(SHOP, 100_000, 103_000), Change(CLICKS, 100_000, 97_000)]) == (True, [])


def test_a_case_that_became_cheaper_passes_with_a_hint_to_keep_that() -> None:
    holds, (line, hint) = judge([Change(SHOP, 100_000, 96_000)])
    assert holds
    assert "-4.00 %" in line
    assert RENEW in hint


def test_totals_are_compared_and_cases_without_an_earlier_figure_are_not() -> None:
    before = {SHOP: {"fold": 90, "total": 100}}
    now = {SHOP: {"fold": 80, "total": 101}, CLICKS: {"fold": 1, "total": 2}}
    assert compared(before, now) == [Change(SHOP, 100, 101)]


def test_what_is_kept_is_read_again_for_this_build_only(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    assert read_kept(root).figures(SHOP) is None
    write_kept(root, {SHOP: {"total": 7}}, "first")
    kept = read_kept(root)
    assert (kept.reason, kept.figures(SHOP), kept.figures(CLICKS)) == ("first", {"total": 7}, None)
    (root / KEPT).write_text((root / KEPT).read_text().replace("constraints ", "constraints of others "))
    assert read_kept(root).figures(SHOP) is None


def test_a_renewal_takes_away_the_figures_of_other_builds(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    write_kept(root, {SHOP: {"total": 7}, CLICKS: {"total": 8}}, "first")
    (root / KEPT).write_text((root / KEPT).read_text().replace("constraints ", "constraints of others "))
    write_kept(root, {SHOP: {"total": 9}}, "second")
    assert read_kept(root).builds == {build_of(SHOP): {str(SHOP): {"total": 9}}}


@NEEDS_COMPILER
def test_the_compiler_decides_for_compiled_cases_only() -> None:
    assert build_of(SHOP._replace(is_compiled=True)) == f"{build_of(SHOP)}, {build_of(BY_CI[0]).rsplit(', ', 1)[1]}"


def test_the_file_has_every_case_that_is_counted_and_a_reason() -> None:
    kept = read_kept(ROOT)
    by_case = {name: figures for cases in kept.builds.values() for name, figures in cases.items()}
    assert set(by_case) == set(map(str, ALL))
    assert kept.reason
    assert kept.renewed


def test_the_base_is_the_last_commit_that_changed_the_kept_figures(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    git(root, "init")
    committed(root, "other", "before")
    with pytest.raises(NoBase, match="no commit has"):
        base_commit(root)
    committed(root, str(KEPT), "first figures")
    renewed = committed(root, str(KEPT), "second figures")
    committed(root, "other", "after")
    assert base_commit(root) == renewed


def test_a_clone_without_that_commit_has_no_base(tmp_path: Path) -> None:
    root = a_project(tmp_path / "whole")
    git(root, "init")
    committed(root, str(KEPT), "figures")
    committed(root, "other", "after")
    git(tmp_path, "clone", "--depth=1", root.as_uri(), "shallow")
    with pytest.raises(NoBase, match="unshallow"):
        base_commit(tmp_path / "shallow")


def test_outside_of_a_repository_there_is_no_base(tmp_path: Path) -> None:
    with pytest.raises(NoBase, match="git does not tell"):
        base_commit(tmp_path)
