"""What `touchstream flows` says of files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from typer.testing import CliRunner

from streams.__main__ import app
from streams.flows.language.files import LIBRARY, flow_files
from tests.support.flows import a_flow_named as flow

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, *documents: dict[str, Any]) -> Path:
    for number, document in enumerate(documents):
        (folder / f"{number}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder


def test_lint_tells_each_conflict_and_fails(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["flows", "lint", str(written(tmp_path, flow("a"), flow("b", wait={"for": "3d"})))])
    assert said.exit_code == 1
    assert said.output.splitlines() == [
        "a, b: product_added starts both, for the same customers (same_audience)",
        "conflicts: 1",
    ]
    sound = CliRunner().invoke(app, ["flows", "lint"])
    assert (sound.exit_code, sound.output) == (0, "no conflicts\n")


def test_every_wrong_file_is_named_at_once(tmp_path: Path) -> None:
    folder = written(tmp_path, flow("a", stage="hot"), flow("b", priority=101), flow("c"), flow("c"))
    said = CliRunner().invoke(app, ["flows", "lint", str(folder)])
    assert said.exit_code == 2
    for place in ("0.yaml: stage is 'hot'", "1.yaml: priority is 101", "2.yaml: id is 'c', which"):
        assert place in said.stderr


def test_the_files_to_copy_are_listed() -> None:
    said = CliRunner().invoke(app, ["flows", "files"]).output
    for file in flow_files(LIBRARY):
        assert str(file) in said


def test_a_flow_about_absence_is_listed_with_its_floor_and_the_history_that_it_needs() -> None:
    lines = CliRunner().invoke(app, ["flows", "files"]).output.splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.startswith("win_back v")]
    assert lines[at + 1 : at + 3] == [
        "  starts at Hibernating, Lost, 90d or more after the last order",
        "  needs a shop with a history of 180d",
    ]


def test_lint_names_the_segment_of_a_flow_about_absence_without_a_floor(tmp_path: Path) -> None:
    absent = flow("a") | {"entry": {"segment": ["New", "Lost"]}}
    said = CliRunner().invoke(app, ["flows", "lint", str(written(tmp_path, absent))])
    assert said.exit_code == 1
    assert said.output.splitlines()[0] == (
        "a: the segment Lost says who is away longer than most, which may be days: let the entry's condition ask for "
        "last_order_age of at_least some days (no_floor)"
    )
