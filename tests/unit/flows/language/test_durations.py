"""Durations in flow files."""

from __future__ import annotations

import pytest

from streams.flows.language.durations import duration_text, parse_duration


@pytest.mark.parametrize(("text", "ms"), [("30s", 30_000), ("30m", 1_800_000), ("2h", 7_200_000), ("7d", 604_800_000)])
def test_durations_are_a_number_and_a_unit(text: str, ms: int) -> None:
    assert parse_duration(text) == ms
    assert duration_text(ms) == text
