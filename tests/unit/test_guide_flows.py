"""The guide to flows: its examples are read, linted and played, and it leaves out nothing that a file may say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest
import yaml
from pydantic import BaseModel
from typer.testing import CliRunner

from streams.__main__ import app
from streams.flows.language import fields
from streams.flows.language.conditions import CONDITIONS
from streams.flows.language.conflicts import Kind
from streams.flows.language.events import Channel, EventType
from streams.flows.language.files import LIBRARY, flow_files, load_flow, read_yaml
from streams.flows.language.flow import Flow
from streams.flows.language.mistakes import parse_flow
from streams.flows.language.steps import STEPS
from streams.flows.runtime.receipts import OUTCOMES
from streams.offline.stories import Stories, read_stories, story_files
from streams.operations.settings_file import configured
from streams.settings import DomainSettings
from tests.support.guide import GUIDE, PAGES, read_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.guide import Block

PAGE = read_page(GUIDE / "flows.md")
BLOCKS = [block for path in PAGES for block in read_page(path).blocks if block.language == "yaml"]
KINDS = {"door", "flow", "mapping", "part", "settings", "stories"}
"""A door's file is read in tests/unit/test_guide.py."""
FOLDER = "my-flows"
WORDS = {code for code in PAGE.codes if " " not in code}


def of_kind(kind: str) -> list[Block]:
    return [block for block in BLOCKS if block.words[0] == kind]


def a_case(block: Block) -> Any:
    return pytest.param(block, id=block.place)


def document(block: Block, folder: Path) -> dict[str, Any]:
    """As a file with this text is read."""
    file = folder / "block.yaml"
    file.write_text(block.text, "utf-8")
    read: dict[str, Any] = read_yaml(file)
    return read


def completed(part: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A part of a flow file in the guide's first flow, in the place of what that says."""
    first = next(block for block in of_kind("flow") if block.page == "flows.md")
    frame = document(first, folder)
    if "channels" in part:
        del frame["channel"]
    return frame | part


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The flows of the guide and their stories, saved where it says."""
    folder = tmp_path_factory.mktemp("guide")
    for block in PAGE.blocks:
        if block.file is not None:
            file = folder / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, "utf-8")
    return folder / FOLDER


def test_every_example_says_what_it_is() -> None:
    assert {block.place for block in BLOCKS if not block.words or block.words[0] not in KINDS} == set()


@pytest.mark.parametrize("block", [a_case(block) for block in of_kind("part")])
def test_a_part_of_a_flow_file_may_stand_in_one(block: Block, tmp_path: Path) -> None:
    parse_flow(completed(document(block, tmp_path), tmp_path), block.place)


@pytest.mark.parametrize("block", [a_case(block) for block in of_kind("flow")])
def test_a_whole_flow_is_one(block: Block, tmp_path: Path) -> None:
    parse_flow(document(block, tmp_path), block.place)


@pytest.mark.parametrize("block", [a_case(block) for block in of_kind("settings")])
def test_settings_can_be_published(block: Block, tmp_path: Path) -> None:
    given = document(block, tmp_path)
    domain = configured(tmp_path / "block.yaml", environment={}).model_dump(mode="json")
    assert {name: domain[name] for name in given} == given


def test_the_flows_of_the_guide_do_not_fight(folder: Path) -> None:
    linted = CliRunner().invoke(app, ["flows", "lint", str(folder)])
    assert (linted.exit_code, linted.stdout) == (0, "no conflicts\n")


def test_the_stories_of_the_guide_are_true(folder: Path) -> None:
    played = CliRunner().invoke(app, ["flows", "test", str(folder)])
    assert played.exit_code == 0, played.stdout
    assert played.stdout.splitlines()[-1].endswith(" stories, 0 failed")


def test_every_flow_of_the_guide_has_stories_that_reach_each_of_its_messages(folder: Path) -> None:
    for file in flow_files(folder):
        flow = load_flow(file)
        told = [story for each in story_files(folder) for story in read_stories(each).stories]
        reached = {message.step for story in told for message in story.expect if message.flow == flow.id}
        assert reached == {step.name for step in flow.steps if step.do == "trigger"}


def set_fields(value: Any) -> Iterator[str]:
    """Model.field of everything that a file said, down to its leaves."""
    if isinstance(value, BaseModel):
        for name in value.model_fields_set & type(value).model_fields.keys():
            yield f"{_named(type(value))}.{type(value).model_fields[name].alias or name}"
            yield from set_fields(getattr(value, name))
    elif isinstance(value, tuple):
        for each in value:
            yield from set_fields(each)


def all_fields(model: type[BaseModel]) -> set[str]:
    """Model.field of everything that a file may say."""
    seen: set[type[BaseModel]] = set()
    waiting = [model]
    while waiting:
        part = waiting.pop()
        if part not in seen:
            seen.add(part)
            waiting += [each for field in part.model_fields.values() for each in _models(field.annotation)]
    return {f"{_named(part)}.{field.alias or name}" for part in seen for name, field in part.model_fields.items()}


def _named(part: type[BaseModel]) -> str:
    return next((name for name, kind in STEPS.items() if kind is part), part.__name__)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def test_every_field_of_a_flow_file_has_an_example(tmp_path: Path) -> None:
    shown: set[str] = set()
    for block in [*of_kind("flow"), *of_kind("part")]:
        given = document(block, tmp_path)
        flow = parse_flow(completed(given, tmp_path) if block.words[0] == "part" else given, block.place)
        shown.update(set_fields(flow))
    expected = all_fields(Flow)
    assert len(expected) > 70
    assert expected - shown == set()


def test_every_field_of_a_story_has_an_example(tmp_path: Path) -> None:
    shown: set[str] = set()
    for block in of_kind("stories"):
        shown.update(set_fields(Stories.model_validate(document(block, tmp_path))))
    assert all_fields(Stories) - shown == set()


def test_every_field_is_in_a_table() -> None:
    rows = [line for line in PAGE.lines if line.startswith("|")]
    named = {name.rpartition(".")[2] for name in all_fields(Flow) | all_fields(Stories)}
    said = {part for code in _codes(rows) for part in code.replace(".", " ").split()}
    assert named - said == set()


def _codes(rows: list[str]) -> list[str]:
    return [code for row in rows for code in row.split("`")[1::2]]


@pytest.mark.parametrize(
    "names",
    [
        pytest.param({*STEPS}, id="steps"),
        pytest.param({*OUTCOMES}, id="outcomes"),
        pytest.param({*get_args(Kind)}, id="conflicts"),
        pytest.param({*get_args(EventType)}, id="events"),
        pytest.param({*get_args(Channel)}, id="channels"),
        pytest.param({*get_args(fields.DateField)}, id="dates"),
        pytest.param({*fields.STAGES}, id="stages"),
        pytest.param({*get_args(fields.NumberField), *get_args(fields.EventNumberField)}, id="numbers"),
        pytest.param({*get_args(fields.CountField), *get_args(fields.AgeField)}, id="counts and ages"),
        pytest.param({*get_args(fields.TextField), *get_args(fields.EventTextField)}, id="texts"),
    ],
)
def test_every_name_that_a_file_or_a_record_may_hold_is_explained(names: set[str]) -> None:
    assert len(names) > 2 or "segment" in names
    assert names - WORDS == set()


def test_every_segment_and_kind_of_condition_is_explained(tmp_path: Path) -> None:
    assert {name for name in fields.SEGMENTS if f"`{name}`" not in PAGE.prose} == set()
    shown = set[str]()
    for block in of_kind("part"):
        shown.update(set_fields(parse_flow(completed(document(block, tmp_path), tmp_path), block.place)))
    assert {kind for kind in CONDITIONS if not any(name.startswith(f"{kind}.") for name in shown)} == set()


def test_every_flow_of_the_product_is_listed() -> None:
    section = PAGE.section("The flows of the product")
    assert {
        file.name.removesuffix(".yaml") for file in flow_files(LIBRARY) if f"| `{file.name[:-5]}` |" not in section
    } == set()


def test_settings_that_flows_obey_are_settings() -> None:
    section = PAGE.section("Settings for all flows")
    (block,) = [block for block in of_kind("settings") if block.page == "flows.md"]
    listed = {line.split("`")[1] for line in section.splitlines() if line.startswith("| `")}
    assert listed == set(yaml.safe_load(block.text)) <= set(DomainSettings.model_fields)
