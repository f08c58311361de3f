"""Asking where partitions end and where the group stands, of a real Kafka that has a new leader epoch."""

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from streams.demo.broker import Broker
from streams.engine.ends import EndOffsets
from streams.engine.group import GroupOffsets
from streams.engine.topics import TopicSpec, create_topics

T = TypeVar("T")
WAIT_SECONDS = 30.0


class NotYet(Exception):
    """Some partitions have not answered."""


def answered(ask: Callable[[], T]) -> T:
    """As the engine does: asked again until there is an answer."""
    give_up_at = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return ask()
        except (KafkaException, NotYet):
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.1)


@pytest.mark.chaos
def test_ends_are_known_again_after_a_broker_was_killed() -> None:
    with Broker() as broker:
        create_topics(broker.bootstrap, [TopicSpec("shop", 2)])
        config = {"bootstrap.servers": broker.bootstrap, "log_level": "0"}
        group, ends = GroupOffsets(AdminClient(config), "workers"), EndOffsets(AdminClient(config))

        def known() -> tuple[Mapping[int, int], dict[int, int]]:
            # a client of its own, so each has to find the new leaders by itself
            answers = ends.ask([("shop", 0), ("shop", 1)])
            if len(answers) < 2:
                raise NotYet
            return group.ask("shop").ends, {number: end.offset for (_, number), end in answers.items()}

        assert answered(known) == ({0: 0, 1: 0}, {0: 0, 1: 0})
        broker.kill()
        broker.start()
        producer = Producer({"bootstrap.servers": broker.bootstrap})
        producer.produce("shop", b"value", partition=1)
        assert producer.flush(WAIT_SECONDS) == 0
        assert answered(known) == ({0: 0, 1: 1}, {0: 0, 1: 1})
