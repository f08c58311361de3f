"""Every command in README and guides is one that exists, with options that exist; what needs no broker is run."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from streams.__main__ import app
from tests.support.command_line import (
    PROGRAM,
    NotACommand,
    check_command,
    check_mention,
    known_options,
    needs_brokers,
    options_of,
)
from tests.support.guide import GUIDE, PAGES, read_page
from tests.support.guide_lines import check_compose, check_install, check_line, check_make, check_python
from tests.support.shell import commands

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.guide import Block

on_each_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)


def shell_blocks(path: Path) -> Iterator[Block]:
    yield from (block for block in read_page(path).blocks if block.language == "sh")


@on_each_page
def test_every_line_of_a_block_is_a_command_that_exists(path: Path) -> None:
    files = {block.file for block in read_page(path).blocks if block.file is not None}
    for block in shell_blocks(path):
        lines = list(commands(block.text))
        assert lines, block.place
        for command in lines:
            try:
                check_line(command.text, files)
            except AssertionError as error:
                raise AssertionError(f"{block.place}: {error}") from error


@on_each_page
def test_every_command_in_a_sentence_exists(path: Path) -> None:
    for code in read_page(path).codes:
        match code.split():
            case ["touchstream", *words]:
                check_mention(words)
            case ["make", *words]:
                check_make(words)
            case ["python", *words]:
                check_python(words)
            case ["pip", *words]:
                check_install(shlex.split(" ".join(words)))
            case ["docker", *words]:
                check_compose(words)


@on_each_page
def test_every_option_in_a_sentence_is_one_of_a_command(path: Path) -> None:
    named = {code.split()[0] for code in read_page(path).codes if code.startswith("--")}
    assert named - known_options() == set()


@on_each_page
def test_what_needs_no_broker_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in (*read_page(GUIDE / "flows.md").blocks, *read_page(path).blocks):
        if block.file is not None:
            file = tmp_path / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, "utf-8")
    for words in sorted(offline(path)):
        result = CliRunner().invoke(app, list(words), env={"TOUCHSTREAM_BROKERS": "127.0.0.1:9"})
        assert result.exit_code == 0, f"{words}: {result.output}"


def offline(path: Path) -> set[tuple[str, ...]]:
    """Commands of a page that are whole, and ask no broker and no file that another command makes."""
    page = read_page(path)
    lines = [command.text for block in page.blocks if block.language == "sh" for command in commands(block.text)]
    found = set()
    for text in [*lines, *page.codes]:
        program, *words = shlex.split(text) if text.startswith(f"{PROGRAM} ") else ["", ""]
        if program and not needs_brokers(words) and not any(word.isupper() for word in words):
            try:
                check_command(words)
            except NotACommand:
                continue  # a name in a sentence, without its arguments
            if words[0] not in {"demo", "backtest"}:
                found.add(tuple(words))
    return found


def test_some_commands_run_without_a_broker() -> None:
    found = set[tuple[str, ...]]().union(*(offline(path) for path in PAGES))
    assert {("settings",), ("flows", "lint", "my-flows"), ("flows", "test", "my-flows"), ("flows", "schema")} <= found


@pytest.mark.parametrize("command", ["publish", "pause", "resume", "list", "files", "lint", "diff", "schema", "test"])
def test_every_command_about_flows_is_in_their_guide_with_its_options(command: str) -> None:
    page = read_page(GUIDE / "flows.md")
    text = "\n".join(page.lines)
    assert f"touchstream flows {command}" in text
    named = {code.split()[0] for code in page.codes} | set(re.findall(r"--[a-z-]+", text))
    assert options_of("flows", command) - named - {"--brokers", "--prefix"} == set()


@pytest.mark.parametrize("command", ["backtest"])
def test_every_option_of_a_backtest_is_in_the_guide_of_flows(command: str) -> None:
    named = set(re.findall(r"--[a-z-]+", "\n".join(read_page(GUIDE / "flows.md").lines)))
    assert options_of(command) - named - {"--brokers", "--prefix", "--compare"} == set()


@pytest.mark.parametrize(
    "words",
    [
        ["flow", "list"],
        ["flows", "lists"],
        ["flows", "publish", "file.yaml", "--percents", "1"],
        ["flows", "publish", "file.yaml", "--percent", "some"],
        ["flows", "pause", "one", "two"],
    ],
)
def test_a_command_that_is_none_is_found(words: list[str]) -> None:
    with pytest.raises(NotACommand):
        check_command(words)


@pytest.mark.parametrize(
    "line",
    [
        "make demmo",
        "make demo KEEEP=1",
        "export TOUCHSTREAM_BROKER=kafka:9092",
        "export TOUCHSTREAM_KAFKA_SASL_MECHANISMUS=PLAIN",
        "TOUCHSTREAM_DOMAIN_CLOCK=sun touchstream topics create",
        "python -m tests.chaoss",
        "python missing.py",
        "pip install '.[everything]'",
        "docker compose exec workers touchstream settings",
        "docker compose up --builds",
        "curl --fail http://127.0.0.1:6066/health",
        "kafka-topics.sh --list",
    ],
)
def test_a_line_that_would_not_work_is_found(line: str) -> None:
    with pytest.raises((AssertionError, ValueError, ModuleNotFoundError)):
        check_line(line, ())
