"""What arrives is counted by source; the first of a commit and one in sixteen are looked at closely."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.limits import OUTPUT_BYTES_MAX
from schemas.limits_of_quality import FIELDS_LOOKED_MAX, LOOKED_AT_EVERY, NAME_CHARS_MAX, SERIES_A_RECORD
from schemas.wire import encode
from streams.collect.arriving import Arriving, fields_of
from tests.support.world import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, a_touchpoint, an_order


def counted(*taken: tuple[Any, int, bytes]) -> Any:
    arriving = Arriving()
    arriving.take(taken)
    (record,) = arriving.records()
    return record.series


def test_every_touchpoint_counts_and_one_in_sixteen_is_looked_at() -> None:
    events = [a_touchpoint("page_viewed", START_MS, source="web") for _ in range(3 * LOOKED_AT_EVERY + 1)]
    (series,) = counted(*((event, START_MS + number, b"") for number, event in enumerate(events)))
    assert (series.source, series.type, series.hour_ms) == ("web", "page_viewed", START_MS)
    assert (series.count, series.live, series.looked) == (49, 49, 4)
    assert series.last_ms == START_MS + 48


def test_hours_sources_and_types_are_apart() -> None:
    several = counted(
        (a_touchpoint("page_viewed", START_MS, source="web"), START_MS, b""),
        (a_touchpoint("page_viewed", START_MS, source="app"), START_MS, b""),
        (a_touchpoint("page_viewed", START_MS, source="web"), START_MS + HOUR_MS, b""),
        (an_order(START_MS, source="web"), START_MS, b""),
    )
    assert [(each.source, each.type, each.hour_ms - START_MS) for each in several] == [
        ("app", "page_viewed", 0),
        ("web", "order_completed", 0),
        ("web", "page_viewed", 0),
        ("web", "page_viewed", HOUR_MS),
    ]


@pytest.mark.parametrize(
    ("age_ms", "expected"),
    [(0, (0, 0, 1)), (HOUR_MS + 1, (1, 0, 1)), (-2 * MINUTE_MS, (0, 1, 1)), (DAY_MS + 1, (1, 0, 0))],
)
def test_ages_are_late_ahead_or_of_history(age_ms: int, expected: tuple[int, int, int]) -> None:
    (series,) = counted((a_touchpoint("page_viewed", START_MS), START_MS + age_ms, b""))
    assert (series.late, series.ahead, series.live) == expected
    assert bool(series.last_ms) is bool(series.live)


def test_who_names_nobody_is_counted() -> None:
    device = a_touchpoint("page_viewed", START_MS, None, anonymous_id="d")
    guest = an_order(START_MS, user=None)
    assert [(each.no_user, each.no_key) for each in counted((device, START_MS, b""))] == [(1, 0)]
    assert [(each.no_user, each.no_key) for each in counted((guest, START_MS, b""))] == [(1, 1)]


def test_fields_are_those_that_the_producer_sent() -> None:
    event = an_order(START_MS, properties={"color": "red"})
    sent = {
        "event": "Order Completed",
        "properties": {"total": 5, "gift": True, "none": None, "products": [{"sku": "a"}]},
    }
    assert set(fields_of(event, msgspec.json.encode(sent))) == {
        ("event", "text"),
        ("properties.total", "number"),
        ("properties.gift", "flag"),
        ("properties.products", "list"),
        ("properties.products[].sku", "text"),
    }
    assert {("properties.color", "text"), ("order.total_minor", "number")} <= set(fields_of(event, b"\xc3\x01"))


@pytest.mark.parametrize("value", [b"{", b"{" * 100_000, b'{"a": \xff}', b"{}"])
def test_bytes_that_are_no_document_are_those_of_the_touchpoint(value: bytes) -> None:
    fields_of(a_touchpoint("page_viewed", START_MS), value)


def test_names_that_may_say_who_somebody_is_are_hashed() -> None:
    event = a_touchpoint(
        "page_viewed", START_MS, source="ann@example.com", properties={"+49 30 1234567": "x", "y" * 90: "z"}
    )
    (series,) = counted((event, START_MS, b""))
    names = {field.name for field in series.fields}
    assert not [
        name for name in (series.source, *names) if "@" in name or "1234567" in name or len(name) > NAME_CHARS_MAX
    ]


def test_a_record_stays_below_what_kafka_takes_whatever_is_sent() -> None:
    arriving = Arriving()
    many = {f"{'f' * 50}{number}": "x" for number in range(2 * FIELDS_LOOKED_MAX)}
    events = [
        a_touchpoint("page_viewed", START_MS, source=f"{'s' * 55}{number}", properties=many) for number in range(1_200)
    ]
    arriving.take([(event, START_MS, b"") for event in events])
    records = list(arriving.records())
    assert sum(len(record.series) for record in records) == 1_200
    assert max(len(record.series) for record in records) <= SERIES_A_RECORD
    assert max(len(encode(record)) for record in records) < OUTPUT_BYTES_MAX // 2
    arriving.forget()
    assert list(arriving.records()) == []
