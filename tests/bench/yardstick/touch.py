"""The yardstick's touch and what its job says of it, as structs; job.py of TOUCHPOINT_BENCH has the same as dicts."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.decoder import compile_decoder

HEADER = b"\x00\x00\x00\x00\x01"
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Touch",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "type", "type": "string"},
        {"name": "time", "type": "long"},
        {"name": "customer_id", "type": "string"},
        {"name": "session_id", "type": "string"},
        {"name": "channel", "type": "string"},
        {"name": "campaign_id", "type": ["null", "string"]},
        {"name": "order_id", "type": ["null", "string"]},
        {"name": "total_minor", "type": ["null", "long"]},
        {
            "name": "products",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "Product",
                    "fields": [
                        {"name": "sku", "type": "string"},
                        {"name": "price_minor", "type": "long"},
                        {"name": "quantity", "type": "int"},
                    ],
                },
            },
        },
    ],
}


class Product(msgspec.Struct, frozen=True, gc=False):
    sku: str
    price_minor: int
    quantity: int


class Touch(msgspec.Struct, frozen=True, gc=False):
    event_id: str
    type: str
    time: int
    customer_id: str
    session_id: str
    channel: str
    campaign_id: str | None
    order_id: str | None
    total_minor: int | None
    products: tuple[Product, ...]


class Credit(msgspec.Struct, frozen=True, gc=False):
    customer_id: str
    order_id: str | None
    channel: str
    time: int
    weight: float


class SegmentChanged(msgspec.Struct, frozen=True, gc=False):
    customer_id: str
    time: int
    before: str = msgspec.field(name="from")
    after: str = msgspec.field(name="to")


decode = compile_decoder(SCHEMA, {"Touch": Touch, "Product": Product}, len(HEADER))
