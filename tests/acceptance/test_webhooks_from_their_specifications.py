"""Every event that shops, mail providers and Google Analytics name in their specifications has a home."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from schemas import wire
from schemas.touchpoint import CUSTOM, Touchpoint
from streams.collect.collector import Collected, collect_json
from streams.collect.door import DoorSettings
from streams.collect.doors import DOORS
from streams.settings import DomainSettings

pytestmark = pytest.mark.acceptance

_FILES: Final = sorted((Path(__file__).parents[1] / "fixtures" / "webhooks").glob("*.json"))
_NOW_MS: Final = 1_767_225_600_000
SETTINGS: Final = DomainSettings.model_validate({"reporting_currency": "USD"})


@cache
def examples(door: str) -> list[dict[str, Any]]:
    """The published examples of a provider, transcribed, each with the types that it becomes."""
    (file,) = [each for each in _FILES if each.stem == door]
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["examples"]
    return found


def came_in(door: str, document: Any) -> list[Touchpoint]:
    """What the journal has of a document, as the collector lets it in."""
    value = json.dumps(document).encode()
    found = collect_json(value, (("door", door.encode()), ("source", b"mine")), _NOW_MS, wire.SINGLE_OBJECT, SETTINGS)
    journal = []
    for each in found:
        assert isinstance(each, Collected), each
        journal.append(wire.SINGLE_OBJECT.decode_one_of((Touchpoint,), each.value))
    return journal


@pytest.mark.parametrize("door", [file.stem for file in _FILES])
def test_no_example_is_refused(door: str) -> None:
    refused = {}
    for number, example in enumerate(examples(door)):
        try:
            types = [event.type for event in came_in(door, example["document"])]
        except Exception as error:  # noqa: BLE001 - all are counted
            refused[number] = f"{type(error).__name__}: {error}"
            continue
        assert types == example["becomes"], (number, example["document"])
    assert refused == {}


@pytest.mark.parametrize("door", [file.stem for file in _FILES])
def test_the_same_example_is_the_same_event(door: str) -> None:
    """What a provider sends again counts once: by the ids that its first sending had."""
    for example in examples(door):
        once, again = came_in(door, example["document"]), came_in(door, example["document"])
        assert [event.event_id for event in once] == [event.event_id for event in again]
        assert len({event.event_id for event in once}) == len(once)


@pytest.mark.parametrize("door", [file.stem for file in _FILES])
def test_events_without_a_canonical_type_have_a_name(door: str) -> None:
    for example in examples(door):
        for event in came_in(door, example["document"]):
            assert (event.name is not None) == (event.type == CUSTOM)


@pytest.mark.parametrize("door", ["sendgrid", "mailgun", "postmark", "ses"])
def test_nothing_of_a_machine_or_an_address_is_kept(door: str) -> None:
    """Neither the address, nor where it came from, nor with which program: not even among what may be let go."""
    for example in examples(door):
        text = json.dumps(example["document"])
        arrived = DOORS[door](example["document"], DoorSettings("mine", "USD"))
        journal = repr(came_in(door, example["document"]))
        for word in ("Mozilla", "255.255.255.255", "188.2.95.4", "50.56.129.169", "192.0.2.1"):
            assert word not in repr(arrived) + journal or word not in text, (word, arrived)
        assert "@" not in journal


def test_all_seven_are_here() -> None:
    assert {file.stem for file in _FILES} <= DOORS.keys()
    assert len(_FILES) == 7
    assert sum(len(examples(file.stem)) for file in _FILES) > 110
