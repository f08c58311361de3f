"""A shop that sends Segment calls and one that sends canonical Avro are the same to us."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from schemas.outputs import Credit, ProfileView
from schemas.touchpoint import Marketing, Order, Product, Touchpoint
from schemas.wire import encode
from streams.collect.addresses import address_hash
from tests.support.producing import a_producer
from tests.support.running import Place, a_worker, make_place, wait_worked_off
from tests.support.world import START_MS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance

PRODUCTS = [{"sku": "mug", "category": "kitchen", "price": 21.88, "quantity": 2}]


def a_track_call(event: str, number: int, **properties: Any) -> bytes:
    call = {
        "type": "track",
        "event": event,
        "messageId": f"m-{number}",
        "userId": "7",
        "anonymousId": "phone",
        "timestamp": f"2026-01-01T01:{number:02}:00.250+01:00",
        "context": {
            "campaign": {"name": "spring", "source": "google", "medium": "cpc"},
            "sessionId": "s-1",
            "timezone": "Europe/Berlin",
            "location": {"country": "DE"},
            "traits": {"email": " Ada@Example.org "},
        },
        "properties": {"currency": "EUR", **properties},
    }
    return json.dumps(call).encode()


def a_canonical_one(kind: str, number: int, **fields: Any) -> Touchpoint:
    return Touchpoint(
        event_id=f"m-{number}",
        source="segment",
        type=kind,
        time_ms=START_MS + number * 60_000 + 250,
        user_id="7",
        anonymous_id="phone",
        email_hash=address_hash("ada@example.org"),
        session_id="s-1",
        channel="cpc",
        marketing=Marketing(utm_source="google", utm_medium="cpc", utm_campaign="spring"),
        country="DE",
        time_zone="Europe/Berlin",
        **fields,
    )


MUGS = (Product(sku="mug", category="kitchen", price_minor=2_188, quantity=2),)
ORDER = Order("o-1", "EUR", 4_250, discount_minor=125, coupon="MAY")
CALLS = [
    a_track_call("Product Viewed", 1, **PRODUCTS[0]),
    a_track_call("Product Added", 2, **PRODUCTS[0]),
    a_track_call("Order Completed", 3, order_id="o-1", total=42.5, discount=1.25, coupon="MAY", products=PRODUCTS),
    a_track_call("Order Refunded", 4, order_id="o-1", total="10.00"),
]
CANONICAL = [
    a_canonical_one("product_viewed", 1, products=MUGS),
    a_canonical_one("product_added", 2, products=MUGS),
    a_canonical_one("order_completed", 3, order=ORDER, products=MUGS),
    a_canonical_one("order_refunded", 4, order=Order("o-1", "EUR", 1_000)),
]


def send(place: Place, values: list[bytes]) -> None:
    with a_producer(place.settings.brokers) as producer:
        for value in values:
            producer.produce(place.topics.touchpoints, value, b"u:7")


def test_a_track_call_and_a_canonical_record_in_one_topic_become_the_same_touchpoint(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    place = make_place(kafka, prefix, tmp_path)
    renamed = [msgspec.structs.replace(event, event_id=f"avro-{event.event_id}") for event in CANONICAL]
    with a_worker(place):
        send(place, [value for call, event in zip(CALLS, renamed, strict=True) for value in (call, encode(event))])
        wait_worked_off(place)
    journal = {event.event_id: event for event in place.records("journal", Touchpoint)}
    assert len(journal) == 8
    for expected in CANONICAL:
        called, canonical = journal[expected.event_id], journal[f"avro-{expected.event_id}"]
        assert called == expected
        assert msgspec.structs.replace(canonical, event_id=called.event_id) == called


def test_a_shop_may_change_from_calls_to_avro_and_its_events_are_known_again(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    place = make_place(kafka, prefix, tmp_path)
    with a_worker(place):
        send(place, [*CALLS, *(encode(event) for event in CANONICAL)])
        wait_worked_off(place)
    profile = place.last("profiles", ProfileView)["u:7"]
    assert (profile.orders, profile.monetary_minor) == (1, 3_250)
    rows = [row for row in place.records("credits", Credit) if row.model == "linear"]
    assert sum(row.amount_minor for row in rows) == 3_250
    assert {row.channel for row in rows} == {"cpc"}
