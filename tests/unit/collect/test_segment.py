"""Calls that no producer should send cost a dead letter and no more."""

from __future__ import annotations

import pytest

from streams.collect.checks import RefusedRecord
from streams.collect.segment import NESTING_MAX, touchpoint_of

TRACK = (
    b'{"type":"track","event":"Product Viewed","messageId":"m-1","timestamp":"2026-03-02T10:00:00Z",'
    b'"properties":{"sku":"s-1","more":%s}}'
)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"1" + b"]" * depth


@pytest.mark.parametrize("depth", [NESTING_MAX - 1, NESTING_MAX, 1_000, 5_000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"{", b"}"), (b"[", b"]"), (b'{"properties":[', b"]}")])
def test_json_that_is_nested_too_deeply_is_malformed(opening: bytes, closing: bytes, depth: int) -> None:
    names = b'"properties":' if opening == b"{" else b""
    text = b'{"properties":[' + (opening + names) * depth + b"1" + closing * depth + b"]}"
    with pytest.raises(RefusedRecord) as refused:
        touchpoint_of(text, "EUR")
    assert refused.value.reason == "malformed"
    assert str(NESTING_MAX) in refused.value.detail


def test_json_that_is_nested_as_deeply_as_allowed_is_taken() -> None:
    assert touchpoint_of(TRACK % nested(NESTING_MAX - 2), "EUR").event_id == "m-1"


def test_brackets_in_texts_are_no_nesting() -> None:
    assert touchpoint_of(TRACK % (b'"' + b"[" * 5_000 + b'"'), "EUR").event_id == "m-1"
