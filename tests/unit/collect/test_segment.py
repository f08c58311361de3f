"""Calls that no producer should send cost a dead letter and no more."""

from __future__ import annotations

import pytest

from schemas.limits import LINES_KEPT, LINES_MAX, NESTING_MAX
from schemas.touchpoint import LINES_LEFT_OUT
from streams.collect.addresses import address_hash
from streams.collect.checks import checked
from streams.collect.refused import RefusedRecord
from streams.collect.segment import touchpoint_of
from tests.support.world import START_MS

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


def an_order_of(lines: int) -> bytes:
    products = b",".join(b'{"sku":"s-%d","price":1}' % number for number in range(lines))
    return (
        b'{"type":"track","event":"Order Completed","messageId":"m-1","userId":"7","timestamp":"2026-03-02T10:00:00Z",'
        b'"properties":{"order_id":"o-1","total":%d,"products":[%s]}}' % (lines, products)
    )


def test_an_order_of_many_lines_keeps_the_first_and_its_total() -> None:
    event = touchpoint_of(an_order_of(1_115), "EUR")
    assert event.order is not None
    assert event.order.total_minor == 111_500
    assert [line.sku for line in event.products] == [f"s-{number}" for number in range(LINES_KEPT)]
    assert event.properties == {LINES_LEFT_OUT: "915"}
    assert checked(event, event.time_ms) is event


def test_more_lines_than_are_read_are_too_many() -> None:
    with pytest.raises(RefusedRecord) as refused:
        touchpoint_of(an_order_of(LINES_MAX + 1), "EUR")
    assert refused.value.reason == "too_many"


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        (b'"type":"%s"' % (b"x" * 800_000), "unknown_type"),
        (b'"type":"track","event":"%s"' % (b"x" * 800_000), "unknown_type"),
        (b'"type":"page","timestamp":"%s"' % (b"2" * 800_000), "malformed"),
        (b'"type":"page","timestamp":"2026-03-02T10:00:00Z","traits":{"email":"a@%s"}' % (b"." * 800_000), "too_long"),
        (b'"type":"page","timestamp":"2026-03-02T10:00:00Z","traits":{"email":["a@b.c"]}', "malformed"),
        (b'"type":"page","timestamp":%s' % (b"9" * 5_000), "malformed"),
        (b'"type":"page","timestamp":"2026-03-02T10:00:00Z","userId":"\\ud800"', "malformed"),
    ],
    ids=["type", "event", "time", "address", "a list of addresses", "a number of 5,000 digits", "half a character"],
)
def test_what_is_wrong_is_said_in_few_words_whatever_was_sent(field: bytes, reason: str) -> None:
    with pytest.raises(RefusedRecord) as refused:
        checked(touchpoint_of(b"{%s}" % field, "EUR"), START_MS)
    assert refused.value.reason == reason
    assert len(refused.value.detail) < 250


@pytest.mark.parametrize("email", [b"ann@x.de", b" Ann@X.de ", b"Ann <ann@x.de>", b"mailto:ann@x.de", b"ann%40x.de"])
def test_an_email_is_hashed_without_what_is_around_it(email: bytes) -> None:
    call = b'{"type":"page","timestamp":"2026-03-02T10:00:00Z","traits":{"email":"%s"}}' % email
    assert touchpoint_of(call, "EUR").email_hash == address_hash("ann@x.de")
