"""What a subscriber sees who knows Kafka and a schema, and nothing of ours."""

from __future__ import annotations

import dataclasses
import io
import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import fastavro
import pytest
from confluent_kafka import Consumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from schemas.catalogue import AVRO_DIR
from streams.demo.servers.registry import Registry
from streams.kafka.registry import registry_wire
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.replayer import Source, replay
from tests.support.flows import a_flow
from tests.support.running import Place, a_worker, make_place, play, send, wait_worked_off
from tests.support.world import DAY_MS, HOUR_MS, START_MS, an_add, an_order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from confluent_kafka import Message

pytestmark = pytest.mark.acceptance

CUSTOMERS = 30


def left_carts() -> list[MappedTouchpoint]:
    """Every customer puts two mugs into a cart; every third buys them within the hour."""
    touchpoints = [an_add(START_MS + n, user=f"user-{n}", sku="mug", price_minor=900) for n in range(CUSTOMERS)]
    touchpoints += [an_order(START_MS + HOUR_MS + n, user=f"user-{n}") for n in range(0, CUSTOMERS, 3)]
    return [MappedTouchpoint(each, 1) for each in touchpoints]


@pytest.fixture
def place(kafka: str, prefix: str, tmp_path: Path) -> Place:
    return make_place(kafka, prefix, tmp_path, flows=(a_flow(),))


def read_triggers(place: Place) -> Iterator[Message]:
    """Read like any subscriber: with its own group, read committed, until everyone who left a cart got a message."""
    consumer = Consumer(
        {
            "bootstrap.servers": place.settings.brokers,
            "group.id": f"mailer-{uuid4().hex}",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    consumer.subscribe([place.topics.triggers])
    ended: set[int | None] = set()
    try:
        while len(ended) < place.domain.journal_partitions:
            message = consumer.poll(20.0)
            assert message is not None, "the topic did not come to an end"
            if message.error() is not None:
                ended.add(message.partition())
            else:
                yield message
    finally:
        consumer.close()


def assert_triggers(triggers: list[dict[str, Any]]) -> None:
    left = {f"user-{number}" for number in range(CUSTOMERS) if number % 3}
    assert sorted(trigger["user_id"] for trigger in triggers) == sorted(left)
    assert len({trigger["trigger_id"] for trigger in triggers}) == len(left)
    one = next(trigger for trigger in triggers if trigger["user_id"] == "user-1")
    assert one["customer"] == "u:user-1"
    assert (one["flow_id"], one["flow_version"], one["channel"]) == ("abandoned_cart", 1, "email")
    assert one["due_ms"] == START_MS + 1 + 2 * HOUR_MS
    assert one["expires_ms"] == one["due_ms"] + DAY_MS
    assert one["products"] == [{"sku": "mug", "price_minor": 900, "quantity": 1}]


def test_a_plain_consumer_with_the_published_schema_reads_triggers(place: Place) -> None:
    with a_worker(place):
        play(place, Source("left carts", left_carts()))
    schema = fastavro.parse_schema(json.loads((AVRO_DIR / "trigger.avsc").read_text()))
    triggers = []
    for message in read_triggers(place):
        value = message.value() or b""
        # Avro's single-object encoding: two marks and the schema's fingerprint, then the record
        assert value[:2] == b"\xc3\x01"
        trigger: Any = fastavro.schemaless_reader(io.BytesIO(value[10:]), schema, None)
        assert message.key() == trigger["customer"].encode()
        triggers.append(trigger)
    assert_triggers(triggers)


def test_the_stock_deserialiser_reads_triggers_of_a_worker_with_a_registry(place: Place, tmp_path: Path) -> None:
    carts = left_carts()
    with Registry(tmp_path) as registry, a_worker(place, registry_url=registry.url):
        # some come from a producer that knows of no registry, the others from one that does
        send(place, [each.touchpoint for each in carts[:10]])
        target = dataclasses.replace(place.target, wire=registry_wire(registry.url, place.topics))
        replay([Source("left carts", carts[10:])], target)
        wait_worked_off(place)
        with SchemaRegistryClient({"url": registry.url}) as client:
            deserialise = AvroDeserializer(client)
            context = SerializationContext(place.topics.triggers, MessageField.VALUE)
            values = [message.value() or b"" for message in read_triggers(place)]
            assert {value[:1] for value in values} == {b"\x00"}
            assert_triggers([deserialise(value, context) for value in values])
            assert client.get_compatibility(f"{place.topics.triggers}-value") == "BACKWARD"
