"""Flow files: what is read from them, and which are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from streams.flows.language.files import load_flow, read_document
from streams.flows.language.mistakes import FlowError
from tests.support.flows import a_reminder

if TYPE_CHECKING:
    from pathlib import Path


def test_a_flow_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "cart.yaml"
    path.write_text(yaml.safe_dump(a_reminder(id="mine")), encoding="utf-8")
    assert load_flow(path).id == "mine"
    assert read_document(path) == a_reminder(id="mine")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"- 1", "it holds a list; a flow is a mapping of id, "),
        (b"a: [", "not valid YAML: "),
        (b"\xff\xfe\xff", "not UTF-8 from byte 0 on"),
    ],
)
def test_a_file_that_holds_no_flow_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "cart.yaml"
    path.write_bytes(content)
    with pytest.raises(FlowError, match=rf"^{path}: {message}"):
        load_flow(path)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"none\.yaml: No such file or directory"):
        load_flow(tmp_path / "none.yaml")


def test_times_of_day_need_no_quotes_and_a_time_is_a_text(tmp_path: Path) -> None:
    path = tmp_path / "night.yaml"
    path.write_text("{from: 21:00, to: 08:00, since: 2026-01-01T00:00:00Z, count: 21, none: 0}", encoding="utf-8")
    assert read_document(path) == {
        "from": "21:00",
        "to": "08:00",
        "since": "2026-01-01T00:00:00Z",
        "count": 21,
        "none": 0,
    }
