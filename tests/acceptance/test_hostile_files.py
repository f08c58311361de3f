"""A hostile file is answered with a short message that names it, whichever command reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from streams.flows.language.files import LIBRARY, read_document
from streams.flows.language.mistakes import FlowError
from streams.operations.settings_file import configured
from streams.replay.files.mapping import MappingError, load_mapping
from streams.settings import DOMAIN_PREFIX, SettingsError
from tests.support.commands import refused
from tests.support.hostile_files import JSON, YAML, Hostile

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance

MESSAGE_MAX = 6_000
HOSTILE = pytest.mark.parametrize("hostile", YAML.values(), ids=YAML.keys())


def is_short(message: str, path: Path, hostile: Hostile) -> bool:
    return str(path) in message and hostile.said in message and len(message) < MESSAGE_MAX


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    (tmp_path / "stories").mkdir()
    return tmp_path / "welcome.yaml"


@HOSTILE
def test_a_hostile_flow_file(path: Path, hostile: Hostile) -> None:
    path.write_text(hostile.text)
    said = refused("flows", "lint", str(path))
    assert is_short(said, path, hostile), said[:500]


@HOSTILE
def test_a_hostile_file_of_stories(path: Path, hostile: Hostile) -> None:
    stories = path.parent / "stories" / "welcome.yaml"
    stories.write_text(hostile.text)
    said = refused("flows", "test", str(path.parent))
    assert is_short(said, stories, hostile), said[:500]


@HOSTILE
def test_a_hostile_file_of_settings(path: Path, hostile: Hostile) -> None:
    path.write_text(hostile.text)
    if not hostile.text:
        configured(path, environment={})
        return
    with pytest.raises((SettingsError, FlowError)) as raised:
        configured(path, environment={})
    assert is_short(str(raised.value), path, hostile), str(raised.value)[:500]


@HOSTILE
def test_a_hostile_mapping(path: Path, hostile: Hostile) -> None:
    path.write_text(hostile.text)
    with pytest.raises(MappingError) as raised:
        load_mapping(str(path))
    assert is_short(str(raised.value), path, hostile), str(raised.value)[:500]


@pytest.mark.parametrize("hostile", JSON.values(), ids=JSON.keys())
@pytest.mark.parametrize("name", ["CUTS_FIXED", "FLOWS", "REPORTING_CURRENCY"])
def test_a_hostile_variable(name: str, hostile: Hostile) -> None:
    with pytest.raises((SettingsError, FlowError)) as raised:
        configured(environment={f"{DOMAIN_PREFIX}{name}": hostile.text})
    message = str(raised.value)
    assert f"{DOMAIN_PREFIX}{name}" in message or "flows" in message
    assert hostile.said in message
    assert len(message) < MESSAGE_MAX


@pytest.mark.parametrize(
    "given",
    [
        {"flows": ["a\0b"]},
        {"flows": ["x" * 5_000]},
        {"flows": ["../" * 50 + "etc/passwd"]},
        {"settings": {"grace": 10**17}},
        {"settings": {"grace_ms": 1e308}},
        {"settings": {"reporting_time_zone": "../" * 20}},
        {"stories": [{"story": "s", "given": [{"at": "0001-01-01", "type": "signed_up"}], "expect": []}]},
        {"stories": [{"story": "s", "given": [{"at": "9999-12-31", "type": "signed_up"}], "expect": []}]},
        {"stories": [{"story": "s", "given": [{"at": "2026-03-02", "type": "signed_up", "x": {}}], "expect": []}]},
        {"stories": [{"story": "s", "given": [{"at": "2026-03-02", "type": "signed_up", "order": 1}], "expect": []}]},
    ],
    ids=lambda given: str(given)[:50],
)
def test_stories_that_mean_something_else(path: Path, given: dict[str, object]) -> None:
    path.write_text(yaml.safe_dump(read_document(LIBRARY / "welcome.yaml")))
    story = {"story": "s", "given": [{"at": "2026-03-02", "type": "signed_up"}], "expect": []}
    (path.parent / "stories" / "welcome.yaml").write_text(
        yaml.safe_dump({"flows": ["welcome"], "stories": [story], **given})
    )
    assert len(refused("flows", "test", str(path.parent))) < MESSAGE_MAX
