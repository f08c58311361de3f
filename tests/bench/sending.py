"""Sends touchpoints at a steady rate, as a process of its own.

`python -m tests.bench.sending BROKERS TOPIC RATE SECONDS`

Nine of ten are views of 20,000 customers, others after each half million; each tenth puts an article into the cart of a
customer of its own.
"""

from __future__ import annotations

import sys
import time

from confluent_kafka import Producer

from schemas.touchpoint import Product, Touchpoint
from schemas.wire import SINGLE_OBJECT
from streams.collect.keys import key_of

VIEWERS, VIEWERS_STAY = 20_000, 500_000
ADD_EVERY = 10
BURST = 20_000
_TICK_SECONDS = 0.01


def main() -> None:
    brokers, topic, rate, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    producer = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random", "linger.ms": 2})
    count = int(rate * seconds)
    started_s, sent = time.monotonic(), 0
    while sent < count:
        due = min(count, sent + BURST, int((time.monotonic() - started_s) * rate))
        for number in range(sent, due):
            event = touchpoint(number, time.time_ns() // 1_000_000)
            producer.produce(topic, SINGLE_OBJECT.encode(event), key_of(event))
        sent = max(sent, due)
        if len(producer) > BURST:
            producer.flush()
        producer.poll(0)
        time.sleep(_TICK_SECONDS)
    producer.flush()


def touchpoint(number: int, time_ms: int) -> Touchpoint:
    """The one of that number; its id is of this process alone."""
    kind, user = "product_viewed", f"{number // VIEWERS_STAY}-{number * 7_919 % VIEWERS}"
    if number % ADD_EVERY == 0:
        kind, user = "product_added", f"cart-{time_ms}-{number}"
    article = Product(sku=f"sku-{number % 5_000}", price_minor=900, quantity=1)
    return Touchpoint(
        event_id=f"{time_ms}-{number}",
        source="bench",
        type=kind,
        time_ms=time_ms,
        user_id=user,
        session_id=f"visit-{user}",
        products=(article,),
    )


if __name__ == "__main__":
    main()
