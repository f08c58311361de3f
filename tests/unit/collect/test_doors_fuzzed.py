"""Whatever a door is given, it makes touchpoints of it or refuses it with a reason; it never fails otherwise."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any, Final

import pytest

from streams.collect.arrived import Arrived
from streams.collect.door import DoorSettings
from streams.collect.doors import DOORS
from streams.collect.refused import RefusedRecord

_FILES: Final = sorted((Path(__file__).parents[2] / "fixtures" / "webhooks").glob("*.json"))
_ROUNDS: Final = 3_000
ODD: Final[tuple[Any, ...]] = (
    None,
    "",
    "x",
    0,
    -1,
    1.5,
    10**30,
    1e300,
    True,
    False,
    [],
    {},
    [None],
    [{}],
    {"a": 1},
    "null",
    "(not set)",
    "\u0000",
    "é" * 600,
    "9" * 5_000,
    "1e999999",
    "2026-13-45T99:99:99Z",
    "0001-01-01T00:00:00+23:59",
)


def spoilt(value: Any, rng: random.Random) -> Any:
    """The same document with a value here and there that nobody would expect."""
    if rng.random() < 0.06:
        return rng.choice(ODD)
    if isinstance(value, dict):
        kept = {key: spoilt(each, rng) for key, each in value.items() if rng.random() > 0.03}
        return {**kept, rng.choice(("id", "x", "timestamp")): rng.choice(ODD)} if rng.random() < 0.1 else kept
    if isinstance(value, list):
        return [spoilt(each, rng) for each in value]
    return value


@pytest.mark.parametrize("door", [file.stem for file in _FILES])
def test_any_document_comes_in_or_is_refused(door: str) -> None:
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    (file,) = [each for each in _FILES if each.stem == door]
    documents = [each["document"] for each in json.loads(file.read_text(encoding="utf-8"))["examples"]]
    refused = longest = 0
    for number in range(_ROUNDS):
        document = spoilt(rng.choice(documents), rng)
        if not isinstance(document, dict):
            continue
        try:
            found = DOORS[door](document, DoorSettings("mine", "EUR", received_ms=1_767_225_600_000))
        except RefusedRecord as error:
            refused += 1
            longest = max(longest, len(error.detail))
        except Exception as error:
            error.add_note(f"seed {seed}, round {number}, {document!r}")
            raise
        else:
            assert all(isinstance(each, Arrived) for each in found)
    assert 0 < refused < _ROUNDS, seed
    assert longest < 1_000, seed


@pytest.mark.parametrize(
    ("door", "document"),
    [
        (
            "shopify",
            {"topic": "orders/create", "payload": {"id": 1, "line_items": [{"sku": "a", "price": 1}] * 10_000}},
        ),
        (
            "woocommerce",
            {"topic": "order.updated", "payload": {"status": "completed", "refunds": [{"total": 1}] * 9_999}},
        ),
        ("ga4", {"event_name": "view_item", "event_timestamp": 1, "items": [{"item_id": "a"}] * 10_000}),
        ("ses", {"eventType": "Bounce", "mail": {"timestamp": 1, "destination": ["a@x.de"] * 100_000}}),
        ("sendgrid", {"event": "open", "timestamp": 1, **{f"a{number}": "x" * 50 for number in range(10_000)}}),
    ],
)
def test_large_documents_take_a_time_in_proportion(door: str, document: dict[str, Any]) -> None:
    started = time.process_time()
    try:
        DOORS[door](document, DoorSettings("mine", "EUR"))
    except RefusedRecord as refused:
        assert refused.reason  # noqa: PT017 - both ends are right
    assert time.process_time() - started < 2
