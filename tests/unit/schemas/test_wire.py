"""Every record type goes over the wire and comes back; what is no record of ours is refused with its reason."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import fastavro
import msgspec
import pytest
from fastavro.utils import generate_many
from hypothesis import given
from hypothesis import strategies as st

from schemas import wire
from schemas.catalogue import RECORDS, parsed_schema, raw_schema, released_schemas, single_object_header
from schemas.touchpoint import Mark, Product, Touchpoint
from schemas.wire import Wire, WireError
from tests.support.stored import TOUCHPOINT_OF_0_1
from tests.support.world import START_MS, an_order

UNRELEASED = {
    "address_notice",
    "time_reset",
    "set_aside",
    "recall",
    "hold",
    "arrivals",
    "unlink",
    "profile_merged",
    "order_told",
    "order_owned",
    "undo_merge",
    "profile_divided",
    "slot_asked",
    "slot_answered",
    "slots_due",
    "imported",
    "landed",
}
"""Types of records that no release has written yet."""


def by_fastavro(name: str, value: dict[str, Any]) -> bytes:
    body = io.BytesIO()
    body.write(single_object_header(raw_schema(name)))
    fastavro.schemaless_writer(body, parsed_schema(name), value)
    return body.getvalue()


@pytest.mark.parametrize("name", RECORDS)
def test_fastavro_agrees_with_the_written_codec_on_every_record_type(name: str) -> None:
    for value in generate_many(raw_schema(name), 50):
        framed = by_fastavro(name, value)
        record = wire.decode(framed)
        assert record == msgspec.convert(value, RECORDS[name])
        body = io.BytesIO(wire.encode(record))
        body.seek(10)
        assert fastavro.schemaless_reader(body, parsed_schema(name), None) == value


@pytest.mark.parametrize("name", RECORDS)
def test_schema_files_and_python_types_name_the_same_fields_and_document_each(name: str) -> None:
    schema = raw_schema(name)
    typed = [field.name for field in msgspec.structs.fields(RECORDS[name])]
    assert {field["name"] for field in schema["fields"]} == set(typed)
    assert all(field["doc"] for field in schema["fields"])


def fastavro_read(value: bytes, writer: Any, name: str) -> Any:
    body = io.BytesIO(value)
    body.seek(10)
    return fastavro.schemaless_reader(body, writer, parsed_schema(name))


@pytest.mark.parametrize("name", RECORDS)
def test_a_reader_of_this_release_reads_what_earlier_releases_wrote(name: str) -> None:
    assert bool(released_schemas(name)) == (name not in UNRELEASED), f"{name}.avsc in schemas/released"
    for schema in released_schemas(name):
        parsed = fastavro.parse_schema(schema)
        for value in generate_many(schema, 20):
            body = io.BytesIO()
            body.write(single_object_header(schema))
            fastavro.schemaless_writer(body, parsed, value)
            record = wire.decode(body.getvalue())
            assert isinstance(record, RECORDS[name])
            # as fastavro reads it, and converted to the type
            assert record == msgspec.convert(fastavro_read(body.getvalue(), parsed, name), RECORDS[name])


def test_a_new_field_without_a_default_is_an_incompatible_change() -> None:
    old = raw_schema("mark")
    new = {**old, "fields": [*old["fields"], {"name": "must", "type": "string", "doc": "no default"}]}
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(old), {"time_ms": 1})
    body.seek(0)
    with pytest.raises(fastavro.read.SchemaResolutionError):
        fastavro.schemaless_reader(body, fastavro.parse_schema(old), fastavro.parse_schema(new))


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_any_long_survives(number: int) -> None:
    assert wire.decode(wire.encode(Mark(time_ms=number))) == Mark(time_ms=number)


@given(st.integers(-(1 << 43), 1 << 43), st.integers(0, 6), st.binary(max_size=8))
def test_fastavro_agrees_on_a_long_whatever_was_read_before(number: int, kept: int, noise: bytes) -> None:
    # the value of the last bytes of a time is remembered
    for near in (number, number ^ 1, number ^ 1 << 12, number ^ 1 << 20):
        assert wire.decode(by_fastavro("mark", {"time_ms": near})) == Mark(time_ms=near)
    header = wire.SINGLE_OBJECT.header(Mark)
    spoilt = by_fastavro("mark", {"time_ms": number})[len(header) :][:kept] + noise
    with contextlib.suppress(WireError):
        read: Mark = wire.decode(header + spoilt)
        assert fastavro.schemaless_reader(io.BytesIO(spoilt), parsed_schema("mark"), None) == {"time_ms": read.time_ms}


def test_a_number_that_fits_no_long_is_malformed() -> None:
    header = wire.SINGLE_OBJECT.header(Mark)
    assert wire.decode(header + b"\xff" * 9 + b"\x01") == Mark(time_ms=-(1 << 63))
    for ending in (b"\x02", b"\x7f", b"\xff\x01"):
        with pytest.raises(WireError, match="64 bits"):
            wire.decode(header + b"\xff" * 9 + ending)


def test_a_truncated_record_is_refused_at_every_length() -> None:
    whole = wire.encode(
        Touchpoint(
            event_id="e1", type="page_viewed", time_ms=5, products=(Product(sku="s", price_minor=1, quantity=1),)
        )
    )
    for length in range(len(whole)):
        with pytest.raises(WireError):
            wire.decode(whole[:length])


@given(st.binary(max_size=80))
def test_random_bytes_are_a_record_or_a_wire_error(noise: bytes) -> None:
    for value in (noise, wire.SINGLE_OBJECT.header(Touchpoint) + noise):
        with contextlib.suppress(WireError):
            assert type(wire.decode(value)) in RECORDS.values()


def test_sized_blocks_of_other_writers_are_read() -> None:
    product = by_fastavro(
        "touchpoint",
        {"event_id": "e", "type": "t", "time_ms": 1, "products": [{"sku": "s", "price_minor": 1, "quantity": 2}]},
    )
    at = product.index(b"\x02\x02s")
    sized = product[:at] + b"\x01" + bytes([(len(b"\x02s\x00\x02\x04")) << 1]) + product[at + 1 :]
    assert wire.decode(sized) == wire.decode(product)


def test_invalid_utf8_is_malformed() -> None:
    whole = wire.encode(Touchpoint(event_id="abc", type="page_viewed", time_ms=5))
    with pytest.raises(WireError, match="malformed"):
        wire.decode(whole.replace(b"abc", b"\xff\xfe\xfd"))


def test_the_confluent_framing_is_read_by_id_and_an_unknown_id_is_refused() -> None:
    ids = {name: number for number, name in enumerate(RECORDS, 1)}
    confluent = Wire(ids)
    value = confluent.encode(Mark(time_ms=7))
    assert value[:5] == b"\x00" + ids["mark"].to_bytes(4, "big")
    assert confluent.decode(value) == Mark(time_ms=7)
    assert confluent.decode(wire.encode(Mark(time_ms=7))) == Mark(time_ms=7)
    with pytest.raises(WireError, match="unknown_schema"):
        wire.decode(value)


def test_a_touchpoint_of_release_0_1_is_read() -> None:
    order = an_order(START_MS, user="7", order_id="o-1", event_id="e-1")
    assert wire.decode(TOUCHPOINT_OF_0_1) == order


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_that_is_cut_off_anywhere_is_malformed(name: str) -> None:
    for value in generate_many(raw_schema(name), 10):
        framed = by_fastavro(name, value)
        for end in range(10, len(framed)):
            with pytest.raises(WireError, match="malformed"):
                wire.decode(framed[:end])
