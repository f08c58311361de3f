"""touchstream serve: what it says before it listens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from streams.__main__ import app

if TYPE_CHECKING:
    from pathlib import Path


def test_the_file_is_checked_without_a_broker(tmp_path: Path) -> None:
    file = tmp_path / "door.yaml"
    file.write_text("keys: {web: {key: a-key-of-16-or-more, source: web}}", "utf-8")
    said = CliRunner().invoke(app, ["serve", "--config", str(file), "--check"])
    assert (said.exit_code, said.output) == (0, f"{file}: 1 keys and 0 sources\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, "name it with --config"), ("keys: {web: {key: short, source: web}}", "keys.web.key")],
)
def test_what_is_missing_or_wrong_is_one_line(text: str | None, expected: str, tmp_path: Path) -> None:
    file = tmp_path / "door.yaml"
    options = []
    if text is not None:
        file.write_text(text, "utf-8")
        options = ["--config", str(file)]
    said = CliRunner().invoke(app, ["serve", *options])
    assert said.exit_code == 2
    assert expected in said.stderr
    assert said.stderr.count("\n") == 1
    assert "short" not in said.stderr
