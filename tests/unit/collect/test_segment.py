"""Calls that no producer should send cost a dead letter and no more."""

from __future__ import annotations

import pytest

from streams.collect.checks import RefusedRecord
from streams.collect.segment import touchpoint_of

DEPTH = 5_000


@pytest.mark.parametrize(("opening", "closing"), [(b'{"properties":', b"}"), (b'{"properties":[', b"]}")])
def test_json_that_is_nested_too_deeply_is_malformed(opening: bytes, closing: bytes) -> None:
    with pytest.raises(RefusedRecord) as refused:
        touchpoint_of(opening * DEPTH + b"1" + closing * DEPTH, "EUR")
    assert refused.value.reason == "malformed"
