"""Whatever an array or a map claims to have, reading it costs no more than its bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import fastavro
import msgspec
import pytest

from schemas import wire
from schemas.catalogue import ITEMS_MAX, RECORDS, parsed_schema, raw_schema
from schemas.touchpoint import Product, Touchpoint
from schemas.wire import WireError
from tests.support.linear import FACTOR_MAX, growth
from tests.support.world import START_MS, a_touchpoint

if TYPE_CHECKING:
    from collections.abc import Callable

WHOLE = wire.encode(a_touchpoint("page_viewed", START_MS, event_id="event-1"))
NO_PRODUCTS, NO_PROPERTIES = 8, 5
"""How many bytes from the end a touchpoint without either has the count of its products, and of its properties."""
MOST = ITEMS_MAX["touchpoint"]
LINE = b"\x02s\x00\x02\x04"
ENTRY = b"\x02a\x02b"


def varint(value: int) -> bytes:
    """Any number as a zigzag varint, also one that fits no long."""
    left = value << 1 if value >= 0 else (-value << 1) - 1
    out = bytearray()
    while left > 127:
        out.append(left & 127 | 128)
        left >>= 7
    return bytes([*out, left])


def with_blocks(from_end: int, blocks: bytes) -> bytes:
    return WHOLE[:-from_end] + blocks + b"\x00" * from_end


def reason_of(value: bytes) -> str | None:
    try:
        wire.decode(value)
    except WireError as error:
        return error.reason
    return None


def test_the_bytes_of_a_touchpoint_end_as_these_tests_suppose() -> None:
    event = wire.decode(with_blocks(NO_PRODUCTS, varint(1) + LINE))
    assert event.products == (Product("s", 1, 2),)
    assert wire.decode(with_blocks(NO_PROPERTIES, varint(1) + ENTRY)).properties == {"a": "b"}


@pytest.mark.parametrize("from_end", [NO_PRODUCTS, NO_PROPERTIES], ids=["products", "properties"])
@pytest.mark.parametrize("claimed", [10**9, 2**31, 2**62, 2**63 - 1, 2**64, 2**700, -(10**9), -(2**63)])
def test_a_count_beyond_what_there_may_be_is_refused_before_an_item_is_read(from_end: int, claimed: int) -> None:
    size = varint(1 << 40) if claimed < 0 else b""
    value = with_blocks(from_end, varint(claimed) + size + LINE * 1_000)
    assert reason_of(value) in {"malformed", "too_many"}


@pytest.mark.parametrize("claimed", [10**9, 2**62, 2**63 - 1, -1])
@pytest.mark.parametrize("at", [10, 18], ids=["event_id", "source"])
def test_a_text_longer_than_the_record_is_refused(at: int, claimed: int) -> None:
    assert reason_of(WHOLE[:at] + varint(claimed) + WHOLE[at + 1 :]) == "malformed"


@pytest.mark.parametrize(
    ("from_end", "item"), [(NO_PRODUCTS, LINE), (NO_PROPERTIES, ENTRY)], ids=["products", "properties"]
)
@pytest.mark.parametrize("in_block", [1, 7, MOST])
@pytest.mark.parametrize("sized", [False, True])
def test_items_count_over_all_blocks(from_end: int, item: bytes, in_block: int, *, sized: bool) -> None:
    head = varint(-in_block) + varint(in_block * len(item)) if sized else varint(in_block)
    block = head + item * in_block
    assert reason_of(with_blocks(from_end, block * (MOST // in_block))) is None
    assert reason_of(with_blocks(from_end, block * (MOST // in_block + 1))) == "too_many"


def test_blocks_of_any_form_give_what_fastavro_reads() -> None:
    blocks = varint(2) + LINE * 2 + varint(-3) + varint(3 * len(LINE)) + LINE * 3 + varint(1) + LINE
    value = with_blocks(NO_PRODUCTS, blocks)
    read = fastavro.schemaless_reader(io.BytesIO(value[10:]), parsed_schema("touchpoint"), None)
    assert wire.decode(value) == msgspec.convert(read, Touchpoint)
    assert len(wire.decode(value).products) == 6


def least_bytes(schema: object) -> int:
    """How many bytes a value takes at least."""
    if isinstance(schema, list):
        return 1 + min(least_bytes(branch) for branch in schema)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if isinstance(schema, dict) and kind == "record":
        return sum(least_bytes(field["type"]) for field in schema["fields"])
    if isinstance(kind, list | dict):
        return least_bytes(kind)
    return {"null": 0, "double": 8}.get(str(kind), 1)


def items_of(schema: object) -> list[object]:
    """Every schema of an item within a schema."""
    if isinstance(schema, list):
        return [item for branch in schema for item in items_of(branch)]
    if not isinstance(schema, dict):
        return []
    inner = [field["type"] for field in schema.get("fields", [])] + [schema.get("items"), schema.get("values")]
    own = [schema["items"]] if "items" in schema else []
    return own + [item for part in [*inner, schema["type"]] for item in items_of(part)]


@pytest.mark.parametrize("name", RECORDS)
def test_no_item_of_our_own_schemas_is_without_bytes(name: str) -> None:
    assert all(least_bytes(item) for item in items_of(raw_schema(name)))


@pytest.mark.parametrize("name", [name for name in RECORDS if "array" in str(raw_schema(name))])
def test_a_record_of_any_type_that_claims_more_items_than_it_has_bytes_is_malformed(name: str) -> None:
    header = wire.SINGLE_OBJECT.header(RECORDS[name])
    for length in range(40):
        assert reason_of(header + b"\x00" * length + varint(10**12) + b"\x02" * 60) in {"malformed", None}


@pytest.mark.parametrize("item", [b"\x00", b"\x02", b"\x80", b"\xff", b"\x01", b"\x00\x02", b"\x02a\x00"])
@pytest.mark.parametrize("name", RECORDS)
def test_bytes_that_repeat_take_time_in_proportion_to_their_number(name: str, item: bytes) -> None:
    header = wire.SINGLE_OBJECT.header(RECORDS[name])
    for claimed in (0, 1, -1):

        def work(size: int, claimed: int = claimed) -> Callable[[], object]:
            count = varint(claimed * size) + b"\x02" * (claimed < 0)
            value = header + (count if claimed else b"") + item * size
            return lambda: reason_of(value)

        assert growth(work, 10_000) <= FACTOR_MAX
