"""This machine's clock compared with those of the brokers, which stamp touchpoints."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

from streams.doctor.finding import fail, ok, warn
from streams.kafka.journal import appended_ms
from streams.kafka.transactional import TransactionalProducer
from streams.processors.collecting import MARGIN_MS
from streams.topics import command_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from confluent_kafka import KafkaError, Message, Producer

    from streams.doctor.cluster import Cluster
    from streams.doctor.finding import Finding

_SECONDS = 30.0
_PROBES = 3
_ADVICE = "run chrony or another NTP client on workers and brokers"


@dataclass(frozen=True, slots=True)
class Skew:
    """How far our clock is ahead of a broker's; the error is half the time of the way there and back."""

    broker: int
    ahead_ms: float
    error_ms: float


def check_clock(cluster: Cluster, now_ms: Callable[[], float] = lambda: time.time() * 1_000) -> Iterator[Finding]:
    if cluster.domain.clock != "wall":
        yield ok("clock", "not needed: time comes from the records (clock marks)")
    elif cluster.settings.guarantee != "exactly_once":
        yield warn(
            "clock",
            "not measured, because that needs transactions (TOUCHSTREAM_GUARANTEE=exactly_once)",
            "compare this machine's clock with the brokers' yourself",
        )
    else:
        skews = _measure(cluster, now_ms)
        yield from map(judge, skews)
        if not skews:
            yield warn(
                "clock",
                f"not measured, because no broker stamps records of {cluster.topics.touchpoints}",
                "fix the topic first: see the findings about topics",
            )


def judge(skew: Skew) -> Finding:
    off_ms = abs(skew.ahead_ms)
    side = "ahead of" if skew.ahead_ms > 0 else "behind"
    seen = f"{off_ms:.0f} ms {side} broker {skew.broker}'s, give or take {skew.error_ms:.0f} ms"
    if off_ms - skew.error_ms <= MARGIN_MS:
        return ok("clock", seen)
    if skew.ahead_ms > 0:
        return fail("clock", f"{seen}: time may overtake records that are still on their way", _ADVICE)
    return warn("clock", f"{seen}: timers fire late", _ADVICE)


def _measure(cluster: Cluster, now_ms: Callable[[], float]) -> list[Skew]:
    """Measure the skew of each broker that leads a partition of touchpoints.

    No request returns a broker's time, but LogAppendTime does. The probes' transaction is aborted, so readers of
    committed records never see them.
    """
    topic = cluster.topics.touchpoints
    there = cluster.metadata.topics.get(topic)
    partitions = {part.leader: number for number, part in there.partitions.items()} if there else {}
    settings = cluster.settings
    guarded = TransactionalProducer(
        {
            "log_level": 0,
            **settings.kafka,
            "bootstrap.servers": settings.brokers,
            "transactional.id": command_id(settings.prefix, "doctor"),
            "linger.ms": 0,
            "transaction.timeout.ms": settings.transaction_timeout_ms,
        }
    )
    guarded.start()
    guarded.begin()
    try:
        probes = {
            broker: [_probe(guarded.producer, topic, broker, number, now_ms) for _ in range(_PROBES)]
            for broker, number in sorted(partitions.items())
        }
        answered = [[skew for skew in skews if skew is not None] for skews in probes.values()]
        # the first waits for the partition to join the transaction
        return [min(skews, key=lambda skew: skew.error_ms) for skews in answered if skews]
    finally:
        # one transaction only: the next doctor's producer refuses what comes late
        guarded.abort()


def _probe(producer: Producer, topic: str, broker: int, partition: int, now_ms: Callable[[], float]) -> Skew | None:
    stamps: list[int] = []

    def delivered(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            raise KafkaException(error)
        stamp = appended_ms(message)
        if stamp:
            stamps.append(stamp)

    sent_ms = now_ms()
    producer.produce(topic, b"", partition=partition, on_delivery=delivered)
    producer.flush(_SECONDS)
    received_ms = now_ms()
    return Skew(broker, (sent_ms + received_ms) / 2 - stamps[0], (received_ms - sent_ms) / 2) if stamps else None
