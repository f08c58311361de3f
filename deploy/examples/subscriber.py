"""A subscriber that respects due time, expiry and revocation, sends nothing twice, and reports what it sent.

    BROKERS=kafka:9092 PREFIX=shop INBOX=inbox.sqlite python deploy/examples/subscriber.py

It needs confluent-kafka, fastavro and the folder schemas. Put your provider into `send`. Instances share one INBOX.
"""

import io
import json
import os
import sqlite3
import time
from pathlib import Path

from confluent_kafka import Consumer, Producer
from fastavro import schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

BROKERS, PREFIX, INBOX = os.environ["BROKERS"], os.environ["PREFIX"], os.environ["INBOX"]
FOLDER = Path(__file__).parents[2] / "schemas"
KINDS, HEADERS = {}, {}
for file in [*FOLDER.glob("released/*/*.avsc"), *FOLDER.glob("avro/*.avsc")]:
    schema = json.loads(file.read_text("utf-8"))
    HEADERS[file.stem] = bytes.fromhex("c301" + fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))
    KINDS[HEADERS[file.stem]] = file.stem, schema
DELIVERED = {"email": "email_delivered", "sms": "sms_delivered"}
DUE = "SELECT trigger FROM message WHERE state = 'waiting' AND due_ms <= ? ORDER BY due_ms"

inbox = sqlite3.connect(INBOX)
inbox.execute("CREATE TABLE IF NOT EXISTS message (id TEXT PRIMARY KEY, due_ms INT, state TEXT, trigger TEXT)")
producer = Producer({"bootstrap.servers": BROKERS, "partitioner": "murmur2_random"})
consumer = Consumer(
    {
        "bootstrap.servers": BROKERS,
        "group.id": f"{PREFIX}.subscriber",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "session.timeout.ms": 6_000,
    }
)


def receive(value: bytes) -> None:
    """Keep a trigger, once, or stop a waiting one that is revoked; raises KeyError for a schema of a later release."""
    kind, writer = KINDS[value[:10]]
    record = schemaless_reader(io.BytesIO(value[10:]), writer, None)
    if kind == "trigger":
        row = record["trigger_id"], record["due_ms"], json.dumps(record)
        inbox.execute("INSERT OR IGNORE INTO message VALUES (?, ?, 'waiting', ?)", row)
    elif kind == "revocation":
        row = (record["trigger_id"],)
        inbox.execute("UPDATE message SET state = 'revoked' WHERE id = ? AND state = 'waiting'", row)


def send(trigger: dict) -> None:
    """Call your provider, with trigger_id as its key against repeats: a crash may come before the inbox is updated."""
    print(json.dumps(trigger), flush=True)


def tell(trigger: dict, now_ms: int) -> None:
    """Report the message as a touchpoint, whose id derives from the trigger's, so that a repeat counts once."""
    kind, _, who = trigger["customer"].partition(":")
    message = {name: trigger[name] for name in ("flow_id", "flow_version", "arm")}
    touchpoint = {
        "event_id": f"delivered-{trigger['trigger_id']}",
        "type": DELIVERED[trigger["channel"]],
        "time_ms": now_ms,
        "source": "sender",
        "user_id" if kind == "u" else "anonymous_id": who,
        "message": message | {"message_id": trigger["trigger_id"]},
    }
    body, header = io.BytesIO(), HEADERS["touchpoint"]
    schemaless_writer(body, KINDS[header][1], touchpoint)
    producer.produce(f"{PREFIX}.touchpoints", header + body.getvalue(), trigger["customer"])
    producer.flush()


consumer.subscribe([f"{PREFIX}.triggers"])
while True:
    messages = consumer.consume(500, timeout=0.2)
    for message in messages:
        if not message.error() and "copied" not in dict(message.headers() or ()):
            receive(message.value())
    inbox.commit()
    if messages:
        consumer.commit(asynchronous=False)  # after the inbox, where triggers wait until they are due
    now_ms = time.time_ns() // 1_000_000
    for trigger in [json.loads(text) for (text,) in inbox.execute(DUE, (now_ms,))]:
        is_late = trigger["expires_ms"] < now_ms
        if not is_late:
            send(trigger)
            if trigger["channel"] in DELIVERED:
                tell(trigger, now_ms)
        row = "expired" if is_late else "sent", trigger["trigger_id"]
        inbox.execute("UPDATE message SET state = ? WHERE id = ?", row)
        inbox.commit()
