"""The door bounds by itself how deeply JSON is nested, so that no version of Python decides what it takes."""

from __future__ import annotations

import json
import random

import pytest

from schemas.nesting import is_nested_deeper

LETTERS = '{}[]"\\a1,:'


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


def document(rng: random.Random, depth: int) -> object:
    """Any value whose names and texts are full of brackets, quotes and backslashes."""
    kind = rng.randrange(3) if depth else 0
    if kind == 0:
        return "".join(rng.choices(LETTERS, k=rng.randrange(12)))
    inner = [document(rng, depth - 1) for _ in range(rng.randrange(4))]
    return inner if kind == 1 else {f"{index}{rng.choice(LETTERS)}": value for index, value in enumerate(inner)}


def test_only_what_is_nested_deeper_than_the_bound_is_so(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(2_000):
        value = document(rng, rng.randrange(8))
        text = json.dumps(value).encode()
        depth = depth_of(value)
        assert not is_nested_deeper(text, depth), text
        assert depth == 0 or is_nested_deeper(text, depth - 1), text


@pytest.mark.parametrize(
    "text",
    [
        b'{"q":"' + b"[" * 1_000 + b'"}',
        b'{"q":"\\"' + b"{[" * 1_000 + b'\\\\"}',
        b"[" + b",".join([b"[]"] * 1_000) + b"]",
        b'{"' + b"[" * 1_000 + b'":1}',
    ],
    ids=["text", "text with quotes", "many beside each other", "name"],
)
def test_brackets_that_nest_nothing_do_not_count(text: bytes) -> None:
    json.loads(text)
    assert not is_nested_deeper(text, 2)


@pytest.mark.parametrize("text", [b"[" * 1_000, b'{"a":' * 1_000, b'["", {"a":' * 1_000])
def test_what_is_never_closed_counts(text: bytes) -> None:
    assert is_nested_deeper(text, 999)
    assert not is_nested_deeper(b"]" * 1_000 + text, 2_000)
