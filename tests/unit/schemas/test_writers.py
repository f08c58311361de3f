"""A schema from a registry is used only if reading its records costs no more than their bytes."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.catalogue import RECORDS, raw_schema
from schemas.wire import Wire, WireError
from schemas.writers import DEPTH_MAX, TYPES_MAX, UnusableSchema, check_writers_schema


def record(name: str, *types: Any) -> dict[str, Any]:
    return {
        "type": "record",
        "name": name,
        "fields": [{"name": f"f{number}", "type": kind} for number, kind in enumerate(types)],
    }


def in_records(levels: int) -> Any:
    return "long" if levels == 0 else record(f"R{levels}", in_records(levels - 1))


def doubled(levels: int) -> dict[str, Any]:
    """2 to the power of levels values of the innermost type, in a schema of a few lines."""
    inner = "Empty"
    definitions: list[Any] = [record("Empty", "null")]
    for level in range(levels):
        definitions.append(record(f"D{level}", inner, inner))
        inner = f"D{level}"
    return record("Mark", *definitions)


NOTHING_WITHIN: dict[str, Any] = {
    "an array of nulls": record("Mark", {"type": "array", "items": "null"}),
    "an array of nulls in an object": record("Mark", {"type": "array", "items": {"type": "null"}}),
    "an array of empty records": record("Mark", {"type": "array", "items": record("Empty")}),
    "an array of records of nulls": record("Mark", {"type": "array", "items": record("Nulls", "null", "null")}),
    "an array of nothing fixed": record("Mark", {"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}),
    "a field of null": record("Mark", "null", "long"),
    "nulls doubled by names": doubled(40),
}
WITHIN_ITSELF: dict[str, Any] = {
    "a record in itself": record("Mark", ["null", "Mark"]),
    "a record in its array": record("Mark", {"type": "array", "items": "Mark"}),
    "a record in its map, by its full name": {
        "namespace": "a.b",
        **record("Mark", {"type": "map", "values": "a.b.Mark"}),
    },
    "two records in each other": record("Mark", record("Other", ["null", "Mark"])),
}
OTHERS: dict[str, Any] = {
    "decimals": record("Mark", {"type": "bytes", "logicalType": "decimal", "precision": 9}),
    "an unknown name": record("Mark", "Stranger"),
    "a number": record("Mark", 7),
    "no type": {"name": "Mark"},
    "no fields": {"type": "record", "name": "Mark"},
    "too deep": in_records(DEPTH_MAX + 1),
    "much too deep": {"type": in_records(900)},
    "too many": record("Mark", *["long"] * (TYPES_MAX + 1)),
}
ALL = NOTHING_WITHIN | WITHIN_ITSELF | OTHERS


@pytest.mark.parametrize("name", RECORDS)
def test_our_own_schemas_are_usable(name: str) -> None:
    check_writers_schema(raw_schema(name))


def test_a_producer_may_add_fields_and_use_a_type_twice() -> None:
    schema = raw_schema("touchpoint")
    size = {"type": "enum", "name": "Size", "symbols": ["S", "L"]}
    added = [
        {"name": "size", "type": size},
        {"name": "packed", "type": ["null", "Size"]},
        {"name": "f", "type": "float"},
    ]
    check_writers_schema({**schema, "fields": [*schema["fields"], *added]})


@pytest.mark.parametrize("schema", ALL.values(), ids=ALL.keys())
def test_a_schema_that_makes_work_without_bytes_is_unusable(schema: dict[str, Any]) -> None:
    with pytest.raises(UnusableSchema) as refused:
        check_writers_schema(schema)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("schema", ALL.values(), ids=ALL.keys())
def test_a_record_under_such_a_schema_is_refused_and_the_registry_is_asked_once(schema: dict[str, Any]) -> None:
    asked: list[int] = []

    def schema_of(number: int) -> tuple[str, dict[str, Any]]:
        asked.append(number)
        return "mark", schema

    wire = Wire({name: number for number, name in enumerate(RECORDS, 1)}, schema_of)
    for _ in range(3):
        with pytest.raises(WireError) as refused:
            wire.decode(b"\x00\x00\x00\x03\xe7" + b"\xfe\xff\xff\xff\x0f" * 10)
        assert refused.value.reason == "unknown_schema"
        assert "999" in refused.value.detail
    assert asked == [999]


def test_a_schema_that_fastavro_cannot_parse_is_refused_as_well() -> None:
    schema = record("Mark", {"type": "enum", "name": "Size", "symbols": 4})
    wire = Wire({name: number for number, name in enumerate(RECORDS, 1)}, lambda _: ("mark", schema))
    with pytest.raises(WireError) as refused:
        wire.decode(b"\x00\x00\x00\x03\xe7\x02")
    assert refused.value.reason == "unknown_schema"
