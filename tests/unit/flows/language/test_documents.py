"""A file from a foreign hand costs a short message: the place, the value and what is allowed, in bounded time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from schemas.limits import DIGITS_MAX, DOCUMENT_BYTES_MAX, DOCUMENT_LEVELS_MAX, DOCUMENT_VALUES_MAX
from streams.flows.language.documents import DocumentError, listed, parse_json, parse_yaml, read_text, shown
from tests.support.hostile_files import JSON, YAML, laughs
from tests.support.linear import FACTOR_MAX, growth

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UNITS = [
    *("[", "]", "{", "}", "- ", "? ", ": ", ":", "&a ", "*a ", "'", '"', "|\n", ">\n", "#", "%", "!", "a: ", "a\n"),
    *("a, ", "\t", " ", "\n", "---\n", "\\", "é", "- a\n", "[a", "{a: ", "<<: ", "!!str ", "\u2028", "0", "1:1:"),
    *("1_", "-", "...\n"),
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def refusal(read: Callable[[], Any]) -> str:
    """What a reader says; nothing if it takes the text."""
    try:
        read()
    except DocumentError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", [name for name, hostile in YAML.items() if hostile.said and "bytes" not in name])
def test_hostile_yaml_is_refused_in_a_short_message(name: str) -> None:
    said = refusal(lambda: parse_yaml(YAML[name].text))
    assert YAML[name].said in said
    assert len(said) < 400


@pytest.mark.parametrize("name", [name for name, hostile in JSON.items() if hostile.said])
def test_hostile_json_is_refused_in_a_short_message(name: str) -> None:
    said = refusal(lambda: parse_json(JSON[name].text))
    assert JSON[name].said in said
    assert len(said) < 400


@given(VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    assert parse_yaml(yaml.safe_dump(value)) == value
    assert parse_json(json.dumps(value)) == value


def test_a_value_may_be_used_again_and_merged() -> None:
    text = "a: &a {x: 1, y: 2}\nb: [*a, *a]\nc: {<<: *a, y: 3}"
    assert parse_yaml(text) == {"a": {"x": 1, "y": 2}, "b": [{"x": 1, "y": 2}] * 2, "c": {"x": 1, "y": 3}}
    assert len(parse_yaml(laughs(3, 10))["l3"]) == 10


def test_times_are_texts_as_in_json() -> None:
    text = "from: 21:00\nat: 2026-03-02T10:00:00Z\nday: 2026-03-02\nmany: 1_000\noctal: 0o17"
    read = {"from": "21:00", "at": "2026-03-02T10:00:00Z", "day": "2026-03-02", "many": 1_000, "octal": "0o17"}
    assert parse_yaml(text) == read


def test_levels_values_and_digits_end_where_the_limits_say() -> None:
    assert refusal(lambda: parse_yaml("[" * (DOCUMENT_LEVELS_MAX - 1) + "1" + "]" * (DOCUMENT_LEVELS_MAX - 1))) == ""
    assert refusal(lambda: parse_yaml("[" * DOCUMENT_LEVELS_MAX + "1" + "]" * DOCUMENT_LEVELS_MAX))
    assert refusal(lambda: parse_yaml(f"[{'1,' * (DOCUMENT_VALUES_MAX - 1)}]")) == ""
    assert refusal(lambda: parse_yaml(f"[{'1,' * DOCUMENT_VALUES_MAX}]"))
    assert parse_yaml("9" * DIGITS_MAX) == parse_json("9" * DIGITS_MAX) == 10**DIGITS_MAX - 1
    assert refusal(lambda: parse_yaml("9" * (DIGITS_MAX + 1)))
    assert refusal(lambda: parse_json("9" * (DIGITS_MAX + 1)))
    assert refusal(lambda: parse_json("[" * DOCUMENT_LEVELS_MAX + "]" * DOCUMENT_LEVELS_MAX)) == ""
    assert refusal(lambda: parse_json("[" * (DOCUMENT_LEVELS_MAX + 1) + "]" * (DOCUMENT_LEVELS_MAX + 1)))


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_that_repeats_takes_time_in_proportion_to_how_often(unit: str) -> None:
    for start in ("", "[", "a: |\n  "):

        def work(size: int, start: str = start) -> Callable[[], object]:
            text = start + unit * (size // len(unit))
            return lambda: refusal(lambda: parse_yaml(text))

        assert growth(work, 1_000) <= FACTOR_MAX, start


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_bytes(b"#" * DOCUMENT_BYTES_MAX)
    assert len(read_text(file)) == DOCUMENT_BYTES_MAX
    file.write_bytes(b"#" * (DOCUMENT_BYTES_MAX + 1))
    assert refusal(lambda: read_text(file)).startswith(f"it has more than {DOCUMENT_BYTES_MAX} bytes")
    file.write_bytes(b"abc\xff")
    assert refusal(lambda: read_text(file)) == "not UTF-8 from byte 3 on"


def test_a_long_value_and_many_mistakes_are_cut_off() -> None:
    assert shown("abc") == "'abc'"
    assert shown(["x" * 10_000]) == f"['{'x' * 198}... (10,004 characters)"
    assert listed(["a", "b"]) == "a; b"
    assert listed("x" for _ in range(25)) == "; ".join("x" * 10) + "; and 15 more"
    assert len(listed(["x" * 5_000] * 5_000)) < 11_000
