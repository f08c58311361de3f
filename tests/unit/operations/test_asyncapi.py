"""The AsyncAPI document: current, whole, and true of the bytes in the topics."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import fastavro
import pytest
import yaml
from typer.testing import CliRunner

from schemas import wire
from schemas.touchpoint import Mark
from streams.__main__ import app
from streams.demo.servers.places import PROJECT
from streams.operations.asyncapi import document
from streams.topics import Topics
from tests.support.flows import a_flow
from tests.support.world import HOUR_MS, START_MS, World, an_add, an_order

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = PROJECT / "deploy" / "asyncapi.yaml"
INTERNAL = {"journal", "facts", "retries", "settings", "profiles_changelog", "insights_changelog"}


def test_the_file_is_what_the_command_prints() -> None:
    """If this fails: `touchstream topics asyncapi > deploy/asyncapi.yaml`."""
    printed = CliRunner().invoke(app, ["topics", "asyncapi"])
    assert printed.exit_code == 0
    assert FILE.read_text(encoding="utf-8") == printed.output
    assert yaml.safe_load(printed.output) == document()


def test_every_topic_that_is_not_internal_is_described_under_its_name() -> None:
    channels = document()["channels"]
    names = [name.removeprefix("shop.") for name in Topics("shop").all()]
    assert {each["address"] for each in channels.values()} == {
        f"{{prefix}}.{name}" for name in names if name.replace("-", "_") not in INTERNAL
    }


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if set(part) == {"$ref"}:
            yield part["$ref"]
        for value in part.values():
            yield from references(value)


def test_every_reference_leads_to_a_part_of_the_document() -> None:
    found = list(references(document()))
    assert len(found) > 20
    for reference in found:
        part = document()
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]
        assert part


def read(message: dict[str, Any], value: bytes) -> Any:
    """As a subscriber reads it who has the document and no code of ours."""
    header = bytes.fromhex(message["x-single-object-header"])
    assert value.startswith(header)
    schema = fastavro.parse_schema(message["payload"]["schema"])
    return fastavro.schemaless_reader(io.BytesIO(value[len(header) :]), schema, None)


@pytest.mark.parametrize("name", ["trigger", "revocation", "decision", "credit", "segment_changed", "profile"])
def test_what_the_fold_emits_can_be_read_by_the_document(name: str) -> None:
    world = World(flows=[a_flow(send_time="best")])
    world.send(an_order(START_MS), an_add(START_MS + 1))
    world.pass_time(START_MS + 3 * HOUR_MS)
    world.send(an_order(START_MS + 4 * HOUR_MS))
    message = document()["components"]["messages"][name]
    kind = message["payload"]["schema"]["name"].removesuffix("View")
    records = [record for _, record in world.outputs if type(record).__name__.removesuffix("View") == kind]
    assert records
    for record in records:
        assert record is not None
        assert read(message, wire.encode(record))["customer"] == "u:1"


def test_what_the_document_says_of_the_input_is_what_collect_reads() -> None:
    messages = document()["components"]["messages"]
    assert read(messages["touchpoint"], wire.encode(an_add(START_MS)))["type"] == "product_added"
    assert read(messages["mark"], wire.encode(Mark(START_MS))) == {"time_ms": START_MS}
