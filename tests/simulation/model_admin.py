"""A model of the admin client, as far as the engine uses it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from confluent_kafka import TopicPartition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.simulation.model_broker import ModelBroker


class Answer:
    """A future whose answer is there."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def result(self) -> Any:
        return self._value


class ModelAdmin:
    """Answers at once, with what is so at that moment."""

    def __init__(self, broker: ModelBroker) -> None:
        self._broker = broker

    def list_topics(self, topic: str, timeout: float) -> Any:  # noqa: ARG002 - virtual
        partitions = dict.fromkeys(range(len(self._broker.topics[topic])))
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions=partitions)})

    def list_offsets(self, wanted: Mapping[TopicPartition, Any], **_: Any) -> dict[TopicPartition, Answer]:
        return {
            each: Answer(SimpleNamespace(offset=len(self._broker.log((each.topic, each.partition)).entries)))
            for each in wanted
        }

    def list_consumer_group_offsets(self, asked: Any, **_: Any) -> dict[str, Answer]:
        [group] = asked
        found = [
            TopicPartition(each.topic, each.partition, self._broker.offsets.get((each.topic, each.partition), -1))
            for each in group.topic_partitions
        ]
        return {group.group_id: Answer(SimpleNamespace(topic_partitions=found))}
