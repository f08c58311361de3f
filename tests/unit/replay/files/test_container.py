"""Touchpoints in a file of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import fastavro
import msgspec
import pytest

from schemas.catalogue import raw_schema
from schemas.container import ContainerError
from schemas.touchpoint import Consent, Marketing, Order, Product, Touchpoint
from streams.replay.files.container import read_container, write_container

if TYPE_CHECKING:
    from pathlib import Path

    from streams.replay.files.mapped import MappedTouchpoint


def some_touchpoints(count: int = 1000) -> list[Touchpoint]:
    return [
        Touchpoint(
            event_id=str(number),
            type="order_completed",
            time_ms=number,
            user_id="u",
            order=Order(str(number), "EUR", 5),
            marketing=Marketing(utm_source="x"),
            consent=Consent("email", granted=False),
            products=(Product(sku="s", price_minor=1, quantity=number),),
            properties={"a": "b"},
        )
        for number in range(count)
    ]


def test_what_is_written_is_read_and_the_same_touchpoints_make_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first.avro", tmp_path / "second.avro"
    assert write_container(first, some_touchpoints()) == 1000
    write_container(second, some_touchpoints())
    assert [mapped.touchpoint for mapped in read_container(first)] == some_touchpoints()
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.avro", "second.avro"]


def test_a_container_of_no_touchpoints_is_one(tmp_path: Path) -> None:
    path = tmp_path / "none.avro"
    assert write_container(path, []) == 0
    assert list(read_container(path)) == []


def test_a_container_cut_off_gives_its_whole_blocks_and_then_names_the_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "cut.avro"
    write_container(path, some_touchpoints())
    path.write_bytes(path.read_bytes()[:-100])
    mapped: list[MappedTouchpoint] = []
    with pytest.raises(ContainerError, match=r"cut\.avro: block [2-9]\d* is cut off or damaged"):
        mapped.extend(read_container(path))
    read = [each.touchpoint for each in mapped]
    assert read == some_touchpoints()[: len(read)]
    assert 0 < len(read) < 1000


def test_bytes_changed_within_a_block_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "changed.avro"
    write_container(path, some_touchpoints(10))
    whole = bytearray(path.read_bytes())
    whole[-40] ^= 0xFF
    path.write_bytes(whole)
    with pytest.raises(ContainerError, match="block 1 is cut off or damaged"):
        list(read_container(path))


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"Obj\x01"])
def test_another_file_is_no_container(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.avro"
    path.write_bytes(content)
    with pytest.raises(ContainerError, match=r"other\.avro: (is not an Avro object container file|block 1)"):
        list(read_container(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContainerError, match=r"missing\.avro: cannot be read"):
        list(read_container(tmp_path / "missing.avro"))


def test_a_container_of_other_records_is_refused_by_their_name(tmp_path: Path) -> None:
    path = tmp_path / "marks.avro"
    schema = {"type": "record", "name": "other.Mark", "fields": [{"name": "time_ms", "type": "long"}]}
    with path.open("wb") as file:
        fastavro.writer(file, schema, [{"time_ms": 1}])
    with pytest.raises(ContainerError, match=r"holds records of other\.Mark; expected touchstream\.v1\.Touchpoint"):
        list(read_container(path))


def test_touchpoints_written_before_a_field_was_added_have_its_default(tmp_path: Path) -> None:
    path = tmp_path / "older.avro"
    schema = json.loads(json.dumps(raw_schema("touchpoint")))
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "properties"]
    with path.open("wb") as file:
        fastavro.writer(file, schema, [msgspec.to_builtins(some_touchpoints(1)[0])])
    (mapped,) = read_container(path)
    assert mapped.touchpoint == msgspec.structs.replace(some_touchpoints(1)[0], properties={})
