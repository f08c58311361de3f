"""A record of JSON takes the door that its header names, or the one of its form; its parts come in one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.touchpoint import Touchpoint
from schemas.wire import SINGLE_OBJECT
from streams.collect.collector import Collected, RefusedPart, collect_json
from streams.collect.door import BATCH_CONTEXT_BYTES_MAX, CALLS_MAX
from streams.collect.doors import DOORS, come_in, is_json, received_of
from streams.collect.refused import RefusedRecord
from tests.support.calls import NOW_MS, SETTINGS, a_call, touchpoint_of
from tests.support.world import START_MS

OURS = {"event_id": "1", "type": "page_viewed", "time_ms": START_MS, "user_id": "7"}
CLOUD = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "x", "time": "2026-01-01T00:00:00Z", "userid": "7"}


def of(value: Any, *headers: tuple[str, bytes | None], **settings: Any) -> list[Collected | RefusedPart]:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return collect_json(raw, headers, NOW_MS, SINGLE_OBJECT, SETTINGS.model_copy(update=settings))


def sources(value: Any, *headers: tuple[str, bytes | None]) -> list[str]:
    found = of(value, *headers)
    return [SINGLE_OBJECT.decode_as(Touchpoint, each.value).source for each in found if isinstance(each, Collected)]


@pytest.mark.parametrize(
    ("document", "source"), [(a_call("x"), "segment"), (CLOUD, "/shop"), (OURS, "touchpoint"), ([OURS], "touchpoint")]
)
def test_a_document_takes_the_door_of_its_form(document: Any, source: str) -> None:
    assert sources(document) == [source]
    assert sources(document, ("source", b" web ")) == ["web"]


def test_a_header_names_the_door() -> None:
    with pytest.raises(RefusedRecord, match="there is no field 'event': did you mean event_id"):
        of(a_call("x"), ("door", b"touchpoint"))
    with pytest.raises(RefusedRecord, match="the header door is 'shopfy': allowed are segment") as refused:
        of(a_call("x"), ("door", b"shopfy"))
    assert refused.value.reason == "unknown_door"
    with pytest.raises(RefusedRecord) as refused:
        of(a_call("x"), ("door", b"\xff" * 900_000))
    assert len(refused.value.detail) < 500
    assert sources(a_call("x"), ("door", None), ("source", None), ("other", b"x")) == ["segment"]


def test_a_source_has_a_limit() -> None:
    assert sources(a_call("x"), ("source", b"s" * 512)) == ["s" * 512]
    with pytest.raises(RefusedRecord, match="the header source"):
        of(a_call("x"), ("source", b"s" * 513))


@pytest.mark.parametrize("before", [b"", b" ", b"\r\n\t", b"\xef\xbb\xbf"])
def test_json_may_have_blanks_or_a_byte_order_mark_before_it(before: bytes) -> None:
    value = before + json.dumps(OURS).encode()
    assert is_json(value)
    assert len(of(value)) == 1


def test_avro_is_no_json() -> None:
    assert not is_json(SINGLE_OBJECT.encode(touchpoint_of(OURS)))
    assert not is_json(b"\x00\x00\x00\x00\x07")


def test_what_is_refused_of_a_batch_is_refused_alone_with_its_own_bytes() -> None:
    bad = a_call("Order Completed", {"order_id": "o-1", "weight": 12345678901234567890.5})
    raw = json.dumps({"batch": [a_call("x"), bad, 7, a_call("y")], "sentAt": "2026-01-01T00:00:01Z"})
    found = of(raw.replace("1.2345678901234567e+19", "12345678901234567890.5").encode())
    assert [type(each).__name__ for each in found] == ["Collected", "RefusedPart", "RefusedPart", "Collected"]
    first, second = found[1], found[2]
    assert isinstance(first, RefusedPart)
    assert isinstance(second, RefusedPart)
    assert (first.reason, second.reason) == ("no_amount", "malformed")
    assert json.loads(first.value) == {**bad, "sentAt": "2026-01-01T00:00:01Z"}
    assert b"12345678901234567890.5" in first.value, "a retry has all digits"


def test_what_a_call_says_itself_goes_before_what_its_batch_says() -> None:
    call = a_call("x", context={"timezone": "Asia/Tokyo"})
    (found,) = of({"batch": [call], "context": {"timezone": "UTC", "location": {"country": "DE"}}, "writeKey": "k"})
    event = SINGLE_OBJECT.decode_as(Touchpoint, found.value)
    assert (event.time_zone, event.country) == ("Asia/Tokyo", "DE")


def test_a_record_has_so_many_parts_and_no_more() -> None:
    few = {"event_id": "1", "time_ms": 1}
    assert len(of([few] * CALLS_MAX)) == CALLS_MAX
    with pytest.raises(RefusedRecord, match=f"has {CALLS_MAX + 1} documents") as refused:
        of([few] * (CALLS_MAX + 1))
    assert refused.value.reason == "too_many"
    assert of([]) == of({"batch": []}) == []


def test_what_a_batch_says_for_all_has_a_limit() -> None:
    with pytest.raises(RefusedRecord, match="the context of a batch"):
        of({"batch": [a_call("x")] * 2_000, "context": {"traits": {"x": "y" * BATCH_CONTEXT_BYTES_MAX}}})


def test_a_logout_is_one_by_the_source_or_by_the_door() -> None:
    named = {"segment": ("Signed Out",), "app": ("Bye bye",)}
    assert touchpoint_of(a_call("bye_bye"), source="app", logout_events=named).type == "identity_unlinked"
    assert touchpoint_of(a_call("SignedOut"), source="app", logout_events=named).type == "identity_unlinked"
    assert touchpoint_of(a_call("bye_bye"), logout_events=named).type == "custom"


def test_a_receive_time_that_cannot_be_is_none() -> None:
    def header(number: int) -> dict[str, bytes]:
        return {"received_at_ms": number.to_bytes(8, "big", signed=True)}

    assert received_of(header(NOW_MS - 5), NOW_MS) == NOW_MS - 5
    assert received_of(header(-1), NOW_MS) is None
    assert received_of(header(NOW_MS + 10**10), NOW_MS) is None
    assert received_of({"received_at_ms": b"1"}, NOW_MS) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAMES = [
    *("type", "event", "messageId", "userId", "anonymousId", "timestamp", "originalTimestamp", "sentAt", "receivedAt"),
    *("context", "properties", "traits", "batch", "specversion", "data", "data_base64", "event_id", "time_ms", "order"),
    *("products", "order_id", "total", "currency", "sku", "price", "quantity", "email", "campaign", "page", "url"),
    *("granted", "channel", "flow_version", "discount", "tax", "previousId", "groupId", "id", "source", "time"),
]
WORDS = ["track", "identify", "alias", "group", "Order Completed", "1.0", "2026-01-01T00:00:00Z", "EUR"]
VALUES = st.sampled_from(WORDS)
CALLS = st.recursive(
    st.dictionaries(st.sampled_from(NAMES), JSON | VALUES, max_size=8),
    lambda inner: st.dictionaries(
        st.sampled_from(NAMES), inner | JSON | VALUES | st.lists(inner, max_size=3), max_size=8
    ),
    max_leaves=6,
)


@given(st.one_of(JSON, CALLS, st.fixed_dictionaries({"type": VALUES, "event": VALUES, "properties": CALLS})))
def test_any_json_comes_in_or_has_a_reason(document: Any) -> None:
    value = json.dumps(document).encode()
    for headers in ([], *[[("door", name.encode())] for name in DOORS]):
        details: list[str] = []
        try:
            record = come_in(value, headers, NOW_MS, SETTINGS)
            details = [part.refused.detail for part in record.parts if part.refused is not None]
            of(value, *headers)
        except RefusedRecord as refused:
            details.append(refused.detail)
        assert all(len(detail) < 2_000 for detail in details)
