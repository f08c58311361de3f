"""Requests for the ends of partitions and the group's offsets, to a real Kafka whose broker goes and comes back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import AdminClient

from streams.demo.servers.broker import Broker
from streams.engine.settings import EngineSettings, asker_config
from streams.kafka.ends import EndOffsets
from streams.kafka.group import GroupOffsetsReader
from streams.kafka.offsets import GroupOffsets
from streams.kafka.topics import create_topics
from streams.kafka.unowned import Unowned
from streams.topics import TopicSpec
from tests.support.producing import produce

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
WAIT_SECONDS = 30.0


def answered(ask: Callable[[], T]) -> T:
    """As the engine does: asked again until there is an answer."""
    give_up_at = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return ask()
        except KafkaException:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.1)


def an_asker(brokers: str) -> Consumer:
    settings = EngineSettings(brokers, "workers", "worker-0", Path(), client={"log_level": "0"})
    return Consumer(asker_config(settings))


@pytest.mark.chaos
def test_ends_are_known_again_after_a_broker_was_killed() -> None:
    places = [("shop", 0), ("shop", 1)]
    with Broker() as broker:
        create_topics(broker.bootstrap, [TopicSpec("shop", 2)])
        # clients of their own, so each has to find the new leaders by itself
        ends, group = (
            EndOffsets(an_asker(broker.bootstrap), lambda: None),
            GroupOffsetsReader(an_asker(broker.bootstrap)),
        )
        assert answered(lambda: [ends.ask(places)[place].offset for place in places]) == [0, 0]
        assert answered(lambda: group.ask("shop")) == GroupOffsets({0: 0, 1: 0}, {0: 0, 1: 0})
        broker.kill()
        broker.start()
        produce(broker.bootstrap, "shop", b"value", partition=1)
        assert answered(lambda: [ends.ask(places)[place].offset for place in places]) == [0, 1]
        assert answered(lambda: group.ask("shop")) == GroupOffsets({0: 0, 1: 0}, {0: 0, 1: 1})


@pytest.mark.chaos
def test_the_askers_outlive_a_broker_that_is_away_for_longer_than_an_answer_takes() -> None:
    with Broker() as broker:
        create_topics(broker.bootstrap, [TopicSpec("shop", 2)])
        group = GroupOffsetsReader(an_asker(broker.bootstrap))
        unowned = Unowned(AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0}), "workers", ["shop"])
        answered(lambda: group.ask("shop"))
        answered(unowned.ask)
        broker.kill()
        for ask in (lambda: group.ask("shop"), unowned.ask):
            with pytest.raises(KafkaException):
                ask()
        broker.start()
        assert answered(lambda: group.ask("shop")).ends == {0: 0, 1: 0}
        assert answered(unowned.ask) == set()
