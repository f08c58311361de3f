"""What goes on of a webhook."""

from __future__ import annotations

import json

import pytest

from streams.serve.envelopes import enveloped


@pytest.mark.parametrize(("door", "header"), [("shopify", "x-Shopify-TOPIC"), ("woocommerce", "X-WC-Webhook-Topic")])
def test_a_shops_topic_goes_with_its_body(door: str, header: str) -> None:
    record = enveloped(door, {"Other": "x", header: " orders/create "}, b' {"id": 12345678901234567890} ')
    assert record == b'{"topic":"orders/create","payload":{"id": 12345678901234567890}}'
    assert json.loads(enveloped(door, {}, b"{}")) == {"topic": "", "payload": {}}
    assert len(enveloped(door, {header: "t" * 9_999}, b"{}")) < 100


@pytest.mark.parametrize("door", ["ses", "sendgrid", "mailgun", "postmark", "segment", "own"])
def test_other_bodies_go_on_as_they_came(door: str) -> None:
    assert enveloped(door, {"X-Shopify-Topic": "x"}, b'{"a": 1}') == b'{"a": 1}'
