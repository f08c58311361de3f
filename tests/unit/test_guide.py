"""What README and guides point at is there; what they list is complete; their sentences are short."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml

from schemas.catalogue import raw_schema
from streams.collect.checks import TYPES
from streams.demo.servers.places import PROJECT
from streams.operations.asyncapi import document
from streams.serve.metrics import DoorMetrics
from streams.serve.settings import SERVE_PREFIX, ServeSettings, read_config
from streams.settings import DOMAIN_PREFIX, ENVIRONMENT_PREFIX, DomainSettings
from streams.telemetry.metrics import Metrics
from streams.topics import NAMES
from streams.worker_settings import WorkerSettings
from tests.support.guide import GUIDE, PAGES, anchor_of, read_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.guide import Page

WORDS_MAX = 25
ALERTS = [
    rule["alert"]
    for group in yaml.safe_load((PROJECT / "deploy" / "prometheus" / "rules.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
    if "alert" in rule
]
MARKDOWN = [*PAGES, PROJECT / "CHANGELOG.md", *sorted((PROJECT / "deploy" / "decisions").glob("*.md"))]
_MEMBERS = re.compile(r"^(streams|state|schemas|tests|deploy)/[\w./-]+$")
_VARIABLE = re.compile(rf"\b{ENVIRONMENT_PREFIX}[A-Z_]*[A-Z]\b")
_OUTSIDE = re.compile(r"\b(?:TOUCHPOINT|PEER)_[A-Z]+\b")
_METRIC = re.compile(r"\btouchstream_[a-z_]+\b")

pages = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)


def text_of(page: Page) -> str:
    return "\n".join(page.lines)


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_every_relative_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    for link in read_page(path).links:
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), link
        assert file.is_relative_to(PROJECT), link
        if anchor:
            assert anchor in {heading.anchor for heading in read_page(file).headings}, link


@pages
def test_every_file_that_is_named_is_there(path: Path) -> None:
    named = [code for code in read_page(path).codes if _MEMBERS.match(code)]
    assert [code for code in named if not (PROJECT / code).exists()] == []


@pages
def test_every_variable_that_is_named_is_read(path: Path) -> None:
    known = {f"{ENVIRONMENT_PREFIX}{name.upper()}" for name in WorkerSettings.model_fields}
    known |= {f"{SERVE_PREFIX}{name.upper()}" for name in ServeSettings.model_fields}
    known |= {f"{DOMAIN_PREFIX}{name.upper()}" for name in DomainSettings.model_fields}
    found = {name.removesuffix("_FILE") for name in _VARIABLE.findall(text_of(read_page(path)))}
    assert {name for name in found - known if not name.startswith(f"{ENVIRONMENT_PREFIX}KAFKA_")} == set()


@pages
def test_every_variable_of_the_demo_and_the_benchmarks_is_read(path: Path) -> None:
    sources = "".join(
        file.read_text("utf-8")
        for folder in ("streams/demo", "tests/bench")
        for file in (PROJECT / folder).rglob("*.py")
    )
    assert [name for name in _OUTSIDE.findall(text_of(read_page(path))) if f'"{name}"' not in sources] == []


@pages
def test_every_metric_that_is_named_is_measured(path: Path) -> None:
    declared = (PROJECT / "streams" / "telemetry" / "metrics.py").read_text("utf-8")
    measured = {f"{name}{end}" for name in [*_names(Metrics()), *_names(a_doors())] for end in ("", "_total")}
    measured |= set(re.findall(r'"(touchstream_\w+)"', declared))
    assert set(_METRIC.findall(text_of(read_page(path)))) <= measured


def a_doors() -> DoorMetrics:
    metrics = DoorMetrics()
    metrics.watch(float, float, float)
    return metrics


def _names(metrics: Metrics | DoorMetrics) -> Iterator[str]:
    for family in metrics.registry.collect():
        yield family.name


def test_every_file_of_the_door_is_right(tmp_path: Path) -> None:
    blocks = [block for path in PAGES for block in read_page(path).blocks if block.words[:1] == ("door",)]
    assert len(blocks) > 1
    for block in blocks:
        file = tmp_path / "door.yaml"
        file.write_text(block.text, "utf-8")
        read_config(file)
    read_config(PROJECT / "deploy" / "door" / "door.yaml")


@pages
def test_every_table_of_contents_names_each_section(path: Path) -> None:
    page = read_page(path)
    contents = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    sections = [heading for heading in page.headings if heading.level == 2]
    if contents and path.name != "runbook.md":
        assert {heading.anchor for heading in sections} <= contents


@pages
def test_sentences_are_short(path: Path) -> None:
    long = [said for said in _sentences(read_page(path).prose) if len(said.split()) > WORDS_MAX]
    assert long == []


def _sentences(prose: str) -> Iterator[str]:
    """Of paragraphs, list items and cells of tables; a colon at the end of a line ends one too."""
    joined = re.sub(r"\n(?!\n|[-|#]|\d+\. |   - )\s*", " ", prose)
    for paragraph in joined.splitlines():
        if set(paragraph) <= set("|- "):
            continue
        for part in paragraph.strip().strip("|").split(" | "):
            plain = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", part)
            plain = re.sub(r"`[^`]*`", "x", plain)
            # a list of names reads like one word
            plain = re.sub(r"\bx(?:(?:,| and| or|, and|, or) x)+\b", "x", plain)
            yield from re.split(r"(?<=[.:?;])(?:\*\*)?\s+", plain)


def test_the_runbook_has_one_heading_an_alert_and_each_says_what_to_do() -> None:
    page = read_page(GUIDE / "runbook.md")
    assert [heading.title for heading in page.headings if heading.level == 2] == ALERTS
    for alert in ALERTS:
        section = page.section(alert)
        asked = [section.index(f"**{part}.**") for part in ("What it means", "Look at", "Do")]
        assert asked == sorted(asked)


def test_every_alert_links_its_heading_in_the_runbook() -> None:
    rules = (PROJECT / "deploy" / "prometheus" / "rules.yml").read_text("utf-8")
    links = re.findall(r'runbook_url: "([^"]+)"', rules)
    assert links == [f"deploy/guide/runbook.md#{anchor_of(alert)}" for alert in ALERTS]


def test_what_a_trigger_and_a_revocation_hold_is_explained_field_by_field() -> None:
    page = read_page(GUIDE / "messages.md")
    section = page.section("What a trigger holds")
    for record in ("trigger", "revocation"):
        for field in raw_schema(record)["fields"]:
            assert re.search(rf"^\|[^|]*`{field['name']}`", section, re.MULTILINE), f"{record}.{field['name']}"
    for field in next(each for each in raw_schema("trigger")["fields"] if each["name"] == "products")["type"]["items"][
        "fields"
    ]:
        assert f"`{field['name']}`" in section


def test_every_topic_is_listed_and_those_for_others_with_key_and_content() -> None:
    section = read_page(GUIDE / "messages.md").section("Topics")
    others = {name.replace("_", "-") for name in document()["channels"]}
    assert set(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)) == others
    ours = {name.replace("_", "-") for name in NAMES} - others
    assert {name for name in ours if f"`{name}`" not in section} == {"profiles-changelog", "insights-changelog"}


def test_every_type_of_touchpoint_and_every_reason_to_refuse_one_is_explained() -> None:
    page = read_page(GUIDE / "messages.md")
    types = page.section("Write touchpoints")
    assert {name for name in TYPES if f"`{name}`" not in types} == set()
    reasons = page.section("Why a touchpoint is refused")
    assert {name for name in _reasons() if f"`{name}`" not in reasons} == set()


def _reasons() -> set[str]:
    """As the sources have them."""
    collect = "".join(file.read_text("utf-8") for file in (PROJECT / "streams" / "collect").glob("*.py"))
    wire = (PROJECT / "schemas" / "wire.py").read_text("utf-8")
    found = {*re.findall(r'RefusedRecord\(\s*"(\w+)"', collect), *re.findall(r'WireError\(\s*"(\w+)"', wire), "raised"}
    assert len(found) > 15
    return found
