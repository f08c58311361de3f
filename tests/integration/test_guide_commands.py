"""The guides' commands, run in order on a real broker as a reader would run them."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.support.guide import GUIDE, read_page
from tests.support.shell import Shell, commands

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.guide import Block
    from tests.support.shell import Command

pytestmark = [pytest.mark.heavy]

NOT_AT_REST = "has unprocessed records"
_ATTEMPTS = 5


@pytest.fixture
def shell(kafka: str, tmp_path: Path) -> Iterator[Shell]:
    with Shell(tmp_path, kafka, uuid4().hex[:8]) as opened:
        yield opened


def followed(shell: Shell, page: str) -> dict[str, str]:
    """What each command of a page said; files are saved as the page says, and blocks that are only shown are left."""
    said: dict[str, str] = {}
    for block in read_page(GUIDE / page).blocks:
        if block.file is not None:
            file = shell.folder / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, "utf-8")
        if block.language == "sh" and "show" not in block.words:
            said |= {command.text: output for command, output in _run(shell, block)}
    return said


def _run(shell: Shell, block: Block) -> Iterator[tuple[Command, str]]:
    if "stopped" in block.words:
        shell.wait_idle()
        shell.stop_worker()
    for command in commands(block.text):
        yield command, _at_rest(shell, command) if "repartition" in command.text else shell.run(command)


def _at_rest(shell: Shell, command: Command) -> str:
    """On the brokers' clock time is written each second: as the guide says, the worker has to go on for a moment."""
    for _ in range(_ATTEMPTS):
        try:
            return shell.run(command)
        except AssertionError as error:
            if NOT_AT_REST not in str(error):
                raise
        shell.start_worker_again()
        time.sleep(1)
        shell.stop_worker()
    raise AssertionError(f"{command.text}: never at rest")


def test_running(shell: Shell) -> None:
    said = followed(shell, "running.md")
    assert "fail" not in said["touchstream doctor"]
    for verified in ("touchstream verify", "touchstream verify --prefix shop2"):
        assert re.search(r"^[1-9]\d* records of the journal read: no difference$", said[verified], re.MULTILINE)
    assert " touchpoints, 0 dead letters" in said["touchstream replay shop.avro"]


def test_messages(shell: Shell) -> None:
    """On the prefix and the worker of running.md, which this page begins with."""
    running = next(block for block in read_page(GUIDE / "running.md").blocks if "topics create" in block.text)
    for command in commands(running.text):
        shell.run(command)
    said = followed(shell, "messages.md")
    read = said["python read.py"]
    assert "'flow_id': 'hello'" in read
    assert "'user_id': '1'" in read
    assert said["python hash_address.py Ada@Example.com"].strip() in read
    assert "hello v1 greeting: sent." in said["touchstream explain u:1"]


def test_flows(shell: Shell) -> None:
    said = followed(shell, "flows.md")
    assert "no conflicts" in said["touchstream flows lint my-flows"]
    assert "thanks v1: live" in said["touchstream flows publish my-flows/thanks.yaml my-flows/reorder.yaml"]
    assert "for 10 % of the customers" in said["touchstream flows publish my-flows/thanks.yaml --percent 10"]
    assert "decides but sends nothing" in said["touchstream flows publish my-flows/thanks.yaml --percent 0"]
    assert "thanks: paused since" in said["touchstream flows pause thanks"]
    assert "thanks v3: live" in said["touchstream flows publish my-flows/thanks.yaml --expect backtest.json"]
    assert (shell.folder / "backtest.html").read_text("utf-8").startswith("<!")


def test_http(shell: Shell) -> None:
    said = followed(shell, "http.md")
    assert "2 keys and 0 sources" in said["touchstream serve --config door.yaml --check"]


def test_security(shell: Shell) -> None:
    (said,) = followed(shell, "security.md").values()
    assert "# subscriber" in said


@pytest.mark.parametrize("page", sorted(path.name for path in GUIDE.glob("*.md")))
def test_every_page_with_commands_is_run(page: str) -> None:
    runs = any(block.language == "sh" and "show" not in block.words for block in read_page(GUIDE / page).blocks)
    assert runs == (f"test_{page.removesuffix('.md')}" in globals())
