"""Texts of a row."""

from __future__ import annotations

import pytest

from streams.replay.files.parts import Value
from streams.replay.files.values import text_of

AT = {"a": 0, "b": 1}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ("a", "x.0"),
        ("b", None),
        ({"constant": "c"}, "c"),
        ({"column": "a", "drop_suffix": ".0"}, "x"),
        ({"column": "a", "values": {"x.0": "known"}}, "known"),
        ({"column": "a", "values": {"y": "known"}}, None),
        ({"column": "b", "otherwise": "a"}, "x.0"),
        ({"column": "b", "otherwise": {"constant": "c"}}, "c"),
        ({"column": "a", "otherwise": "b"}, "x.0"),
        ({"column": "b", "otherwise": {"column": "b", "otherwise": {"column": "a", "drop_suffix": ".0"}}}, "x"),
    ],
)
def test_a_value_is_read_from_a_row(given: object, expected: str | None) -> None:
    value = None if given is None else Value.model_validate(given)
    assert text_of(value, AT)(("x.0", "")) == expected
