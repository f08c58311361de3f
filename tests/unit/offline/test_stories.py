"""Stories: what flow files are said to do, they do; and a story that is not true says where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner

from streams.__main__ import app
from streams.flows.language.files import LIBRARY, flow_files, load_flow, read_yaml
from streams.flows.language.mistakes import FlowError
from streams.flows.language.steps import TriggerStep
from streams.offline.stories import Stories, play, story_files
from streams.settings import SettingsError
from tests.support.flows import a_flow

if TYPE_CHECKING:
    from pathlib import Path

FLOWS = {file.name: load_flow(file) for file in flow_files(LIBRARY)}
ADDED = {
    "at": "2026-03-02 10:00",
    "type": "product_added",
    "products": [{"sku": "mug", "price_minor": 900, "quantity": 1}],
}
REMINDED = {"at": "2026-03-02 12:00", "flow": "cart", "step": "reminder"}
SAID = "at 2026-03-02 12:00:00, flow cart, step reminder"


@pytest.mark.parametrize("file", story_files(LIBRARY), ids=lambda file: file.name)
def test_the_products_flows_do_what_their_stories_tell(file: Path) -> None:
    for played in play(file, LIBRARY):
        assert played.differences == (), played.story


def test_every_flow_of_the_product_has_stories_that_reach_each_of_its_messages() -> None:
    assert {f"{flow.id}.yaml" for flow in FLOWS.values()} == set(FLOWS)
    assert [file.name for file in story_files(LIBRARY)] == list(FLOWS)
    for file in story_files(LIBRARY):
        flow = FLOWS[file.name]
        told = Stories.model_validate(read_yaml(file))
        assert len(told.stories) > 1
        expected = {message.step for story in told.stories for message in story.expect if message.flow == flow.id}
        assert expected == {step.name for step in flow.steps if isinstance(step, TriggerStep)}


def written(folder: Path, *stories: dict[str, Any], **changes: Any) -> Path:
    (folder / "stories").mkdir()
    (folder / "cart.yaml").write_text(yaml.safe_dump(plain(a_flow(id="cart", holdout_percent=100))), encoding="utf-8")
    file = folder / "stories" / "cart.yaml"
    file.write_text(yaml.safe_dump({"flows": ["cart"], "stories": list(stories), **changes}), encoding="utf-8")
    return file


def plain(document: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in document.items()}


def a_story(*expect: dict[str, Any], given: tuple[dict[str, Any], ...] = (ADDED,)) -> dict[str, Any]:
    return {"story": "It is so", "given": list(given), "expect": list(expect)}


@pytest.mark.parametrize(
    ("expect", "difference"),
    [
        ([{**REMINDED, "at": "2026-03-02 12:01"}], f"1: expected {SAID.replace('12:00', '12:01')}, but got {SAID}"),
        ([], f"1: expected none, but got {SAID}, channel email, customer u:1, products ('mug',)"),
        ([REMINDED, REMINDED], f"2: expected {SAID}, but got none"),
        (
            [{**REMINDED, "products": ["cup"]}],
            f"1: expected {SAID}, products ('cup',), but got {SAID}, products ('mug',)",
        ),
    ],
)
def test_a_story_that_is_not_true_says_what_came_and_why(
    tmp_path: Path, expect: list[dict[str, Any]], difference: str
) -> None:
    (played,) = play(written(tmp_path, a_story(*expect)), tmp_path)
    first, *why = played.differences
    assert first == f"message {difference}"
    assert why[-1].startswith("  2026-03-02 12:00:00 u:1 cart reminder: sent. The message was due 2h after")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"at": "tomorrow"}, r"stories\[0\]\.given\[0\]\.at is 'tomorrow': write a local time of the shop, .*"),
        ({"type": "product_lost"}, r"stories\[0\]\.given\[0\]\.type is 'product_lost': Input should be .*"),
        ({"products": [{"sku": "mug"}]}, r"stories\[0\]\.given\[0\]: Object missing required field .*"),
        ({"colour": "red"}, r"stories\[0\]\.given\[0\]\.colour is not a field of a touchpoint .*"),
        (
            {"products": [{"sku": "a", "price_minor": 1, "quantity": 1, "hue": "red"}]},
            r"stories\[0\]\.given\[0\]\.products\[0\]\.hue is not a field of a touchpoint .*",
        ),
    ],
)
def test_a_mistake_in_a_story_is_named_with_its_place(tmp_path: Path, given: dict[str, Any], message: str) -> None:
    file = written(tmp_path, a_story(REMINDED, given=(ADDED | given,)))
    with pytest.raises(FlowError, match=rf"^{file}: {message}$"):
        play(file, tmp_path)


def test_a_story_about_a_flow_or_a_setting_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"other\.yaml: No such file"):
        play(written(tmp_path, a_story(REMINDED), flows=["other"]), tmp_path)
    file = tmp_path / "stories" / "cart.yaml"
    file.write_text(file.read_text().replace("- other", "- cart") + "settings: {moon: full}\n")
    with pytest.raises(SettingsError, match=r"moon is 'full'"):
        play(file, tmp_path)


def test_the_command_tells_each_story_and_fails_when_one_is_not_true(tmp_path: Path) -> None:
    written(tmp_path, a_story(REMINDED), a_story())
    failed = CliRunner().invoke(app, ["flows", "test", str(tmp_path)])
    assert failed.exit_code == 1
    assert failed.output.splitlines()[0] == "ok      cart.yaml: It is so"
    assert failed.output.splitlines()[1] == "FAILED  cart.yaml: It is so"
    assert failed.output.splitlines()[-1] == "2 stories, 1 failed"
    (tmp_path / "stories" / "cart.yaml").unlink()
    refused = CliRunner().invoke(app, ["flows", "test", str(tmp_path)])
    assert refused.exit_code == 2
    assert "no stories" in refused.stderr
