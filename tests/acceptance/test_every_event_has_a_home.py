"""Every call and event of the specifications that sources follow comes in: by a canonical type or its own name."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from schemas.outputs import ProfileView
from schemas.touchpoint import BOUNCE_TYPE, COMPLAINT, CUSTOM, Marketing, Message, Order, Page, Product, Touchpoint
from schemas.wire import SINGLE_OBJECT
from streams.collect.addresses import address_hash
from streams.collect.collector import Collected, RefusedPart, collect_json
from streams.collect.doors import DOOR
from tests.support.calls import NOW_MS, SETTINGS, a_call, arrived, touchpoint_of
from tests.support.world import START_MS, World

pytestmark = pytest.mark.acceptance

FIXTURES = Path(__file__).parents[1] / "fixtures"
SEGMENT = json.loads((FIXTURES / "segment_specification.json").read_text("utf-8"))
RUDDERSTACK = json.loads((FIXTURES / "rudderstack_specification.json").read_text("utf-8"))
CLOUDEVENTS = json.loads((FIXTURES / "cloudevents_specification.json").read_text("utf-8"))
CANONICAL = {
    "Products Searched": "product_searched",
    "Promotion Viewed": "promotion_viewed",
    "Promotion Clicked": "promotion_clicked",
    "Product Viewed": "product_viewed",
    "Product Added": "product_added",
    "Product Removed": "product_removed",
    "Checkout Started": "checkout_started",
    "Order Completed": "order_completed",
    "Order Refunded": "order_refunded",
    "Order Cancelled": "order_cancelled",
    "Wishlist Product Added to Cart": "product_added",
    "Email Bounced": "email_bounced",
    "Email Delivered": "email_delivered",
    "Email Link Clicked": "email_clicked",
    "Email Marked as Spam": "email_unsubscribed",
    "Email Opened": "email_opened",
    "Unsubscribed": "email_unsubscribed",
    "Push Notification Tapped": "push_opened",
    "Signed Up": "signed_up",
    "Signed Out": "identity_unlinked",
}
LIBRARY = {"messageId": "m-1", "userId": "019mr8mf4r", "timestamp": "2026-01-01T00:00:00Z"}
"""What a library adds to each call, and the specification's examples leave out."""


def events() -> list[dict[str, Any]]:
    found = [call for part, calls in SEGMENT.items() if part not in {"of", "calls"} for call in calls]
    assert len(found) == 76
    return found


def let_in(value: bytes, *headers: tuple[str, bytes], **settings: Any) -> list[Touchpoint]:
    """All that a record lets in, after every check."""
    found = collect_json(value, headers, NOW_MS, SINGLE_OBJECT, SETTINGS.model_copy(update=settings))
    assert [each.detail for each in found if isinstance(each, RefusedPart)] == []
    return [SINGLE_OBJECT.decode_as(Touchpoint, each.value) for each in found if isinstance(each, Collected)]


def whole(call: dict[str, Any]) -> dict[str, Any]:
    return {**LIBRARY, **call}


def test_every_event_that_segment_specifies_comes_in_as_what_it_is() -> None:
    for call in events():
        name = call["event"]
        (event,) = let_in(json.dumps(whole(call)).encode())
        if name in CANONICAL:
            assert (event.type, event.name) == (CANONICAL[name], None), name
        else:
            assert (event.type, event.name) == (CUSTOM, name)
        assert event.user_id == "019mr8mf4r"
        given = arrived(whole(call))
        assert given.properties == call["properties"], "nothing of it is lost on the way to the catalogue of attributes"


def test_so_does_every_call() -> None:
    calls = SEGMENT["calls"] + RUDDERSTACK["calls"]
    found = [let_in(json.dumps(whole(call)).encode(), linking_sources=("segment",)) for call in calls]
    kinds = Counter(event.type for (event,) in found)
    assert kinds == {"identity_linked": 4, "page_viewed": 3, CUSTOM: 4, "order_completed": 1}
    names = {event.name for (event,) in found if event.type == CUSTOM}
    assert names == {"Group", "Registered"}


@pytest.mark.parametrize("size", [1, 100, 2_500])
def test_a_batch_comes_in_in_its_order(size: int) -> None:
    calls = [{**whole(call), "messageId": f"m-{number}"} for number, call in enumerate((events() * 40)[:size])]
    small = [{name: value for name, value in call.items() if name != "context"} for call in calls]
    for call in small:
        if size > 100:
            call["properties"] = {"order_id": "o-1", "total": 1}
    batch = {"batch": small, "sentAt": "2026-01-01T00:00:00Z", "context": {"timezone": "Europe/Berlin"}}
    found = let_in(json.dumps(batch).encode())
    assert [event.event_id for event in found] == [f"m-{number}" for number in range(size)]
    assert {event.time_zone for event in found} == {"Europe/Berlin"}


def test_every_example_of_cloudevents_is_read() -> None:
    documents = CLOUDEVENTS["documents"]
    named = [
        [{**each, "userid": "7"} for each in document] if isinstance(document, list) else {**document, "userid": "7"}
        for document in documents
    ]
    found = [let_in(json.dumps(document).encode()) for document in named]
    assert [len(each) for each in found] == [1, 1, 1, 1, 2, 0]
    assert {(event.type, event.user_id) for each in found for event in each} == {(CUSTOM, "7")}
    assert found[2][0].name == "com.example.someevent"
    assert (found[2][0].source, found[2][0].time_ms) == ("/mycontext", 1_522_949_460_000)
    assert arrived({**documents[2], "userid": "7"}).properties == {"appinfoA": "abc", "appinfoB": 123, "appinfoC": True}


@pytest.mark.parametrize("kind", ["com.example.order.completed", "com.example.order.completed.v1", "order_completed"])
def test_a_cloudevent_is_what_its_type_says(kind: str) -> None:
    data = {"user_id": "7", "order_id": "o-1", "total": 12.5, "currency": "eur"}
    event = {"specversion": "1.0", "id": "1", "source": "/shop", "type": kind, "time": "2026-01-01T00:00:00Z"}
    (found,) = let_in(json.dumps({**event, "data": data}).encode())
    assert (found.type, found.order, found.user_id) == ("order_completed", Order("o-1", "EUR", 1_250), "7")


def test_data_of_a_cloudevent_may_be_a_call_or_a_touchpoint() -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "x", "time": "2026-01-01T00:00:00Z"}
    call = {"type": "track", "event": "Product Viewed", "userId": "7", "properties": {"sku": "mug"}, "context": {}}
    (seen,) = let_in(json.dumps({**event, "data": call}).encode())
    assert (seen.type, seen.event_id, seen.products) == ("product_viewed", "1", (Product("mug", 0, 1),))
    ours = {"event_id": "2", "type": "page_viewed", "time_ms": START_MS, "user_id": "7"}
    (seen,) = let_in(json.dumps({**event, "data": ours}).encode())
    assert (seen.type, seen.event_id, seen.source) == ("page_viewed", "2", "/shop")


def test_our_own_touchpoint_as_json_is_the_one_in_avro() -> None:
    event = Touchpoint(
        event_id="1",
        type="order_completed",
        time_ms=START_MS,
        source="shop",
        user_id="7",
        channel="cpc",
        marketing=Marketing(utm_source="google"),
        order=Order("o-1", "EUR", 1_250, 100, "MAY"),
        products=(Product("mug", 1_250, 1, "kitchen"),),
        properties={"gift": "true"},
        page=Page("https://shop.example/"),
    )
    document = json.dumps(
        {
            "event_id": "1",
            "type": "order_completed",
            "time_ms": START_MS,
            "source": "shop",
            "user_id": "7",
            "channel": "cpc",
            "marketing": {"utm_source": "google"},
            "order": {
                "order_id": "o-1",
                "currency": "EUR",
                "total_minor": 1250,
                "discount_minor": 100,
                "coupon": "MAY",
            },
            "products": [{"sku": "mug", "price_minor": 1250, "quantity": 1, "category": "kitchen"}],
            "properties": {"gift": "true"},
            "page": {"url": "https://shop.example/"},
        }
    )
    assert let_in(document.encode()) == [event]
    assert let_in(document.encode(), (DOOR, b"touchpoint")) == [event]


def test_an_email_event_carries_the_flow_that_sent_it() -> None:
    sent = {"flow_id": "welcome", "flow_version": "2", "arm": "treatment", "message_id": "9f2c", "email_id": "p-1"}
    for name, expected in (
        ("Email Opened", {}),
        ("Email Marked as Spam", {COMPLAINT: "spam"}),
        ("Email Soft Bounced", {BOUNCE_TYPE: "soft"}),
    ):
        event = touchpoint_of(a_call(name, sent))
        assert event.message == Message("9f2c", "welcome", 2, "treatment")
        assert event.properties == expected
    assert touchpoint_of(a_call("Email Opened", {"email_id": "p-1"})).message == Message("p-1")


def test_a_customer_is_the_same_whatever_their_source_calls_their_events() -> None:
    """One shop sends the names of version 1, another in snake case, a third as the specification has them."""
    views = []
    for names in (
        ("Viewed Product", "Added Product", "Completed Order"),
        ("product_viewed", "product_added", "order_completed"),
        ("Product Viewed", "Product Added", "Order Completed"),
        ("productViewed", "PRODUCT_ADDED", "order-completed"),
    ):
        world = World()
        for number, name in enumerate(names):
            given = {"sku": "mug", "price": 12.5, "order_id": "o-1", "email": "ann@example.org"}
            call = a_call(name, given | {"products": [{"sku": "mug", "price": "12.50", "quantity": 2}]})
            world.send(touchpoint_of({**call, "messageId": f"m-{number}"}))
        views.append(world.emitted(ProfileView, "u:7")[-1])
    assert views[0].orders == 1
    assert views[0].monetary_minor == 2_500
    assert all(view == views[0] for view in views)
    assert touchpoint_of(a_call("x", {"email": "ann@example.org"})).email_hash == address_hash("ann@example.org")
