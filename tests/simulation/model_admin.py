"""A model of the admin client, as far as the engine uses it."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from confluent_kafka import TopicPartition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.simulation.model_broker import ModelBroker


class ModelAdmin:
    """Answers at once, with what is so at that moment."""

    def __init__(self, broker: ModelBroker) -> None:
        self._broker = broker

    def list_topics(self, topic: str, timeout: float) -> Any:  # noqa: ARG002 - virtual
        partitions = dict.fromkeys(range(len(self._broker.topics[topic])))
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions=partitions)})

    def list_offsets(self, wanted: Mapping[TopicPartition, Any], **_: Any) -> dict[TopicPartition, Future[Any]]:
        return {
            each: _answer(SimpleNamespace(offset=len(self._broker.log((each.topic, each.partition)).entries)))
            for each in wanted
        }

    def list_consumer_group_offsets(self, asked: Any, **_: Any) -> dict[str, Future[Any]]:
        [group] = asked
        found = [
            TopicPartition(each.topic, each.partition, self._broker.offsets.get((each.topic, each.partition), -1))
            for each in group.topic_partitions
        ]
        return {group.group_id: _answer(SimpleNamespace(topic_partitions=found))}


def _answer(value: Any) -> Future[Any]:
    answer: Future[Any] = Future()
    answer.set_result(value)
    return answer
