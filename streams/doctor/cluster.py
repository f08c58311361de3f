"""The questions that checks ask of a cluster."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec, ResourceType

from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from confluent_kafka.admin import ClusterMetadata, ConsumerGroupDescription

    from streams.kafka.offsets import PartitionId
    from streams.settings import DomainSettings
    from streams.worker_settings import WorkerSettings

T = TypeVar("T")

_SECONDS = 20.0
_PAUSE_SECONDS = 0.2
_SOON = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster to read from; its methods raise KafkaException."""

    settings: WorkerSettings
    domain: DomainSettings
    metadata: ClusterMetadata
    admin: AdminClient

    @property
    def topics(self) -> Topics:
        return Topics(self.settings.prefix)

    @property
    def inputs(self) -> list[PartitionId]:
        topics, domain = self.topics, self.domain
        return [
            *((topics.touchpoints, number) for number in range(domain.touchpoint_partitions)),
            *((topics.journal, number) for number in range(domain.journal_partitions)),
            (topics.facts, 0),
        ]

    def ends(self, places: Collection[PartitionId]) -> dict[PartitionId, tuple[int, int]]:
        """Return by partition the first offset and the end of closed transactions."""
        first = self._offsets(places, OffsetSpec.earliest())
        last = self._offsets(places, OffsetSpec.latest())
        return {place: (first[place], last[place]) for place in first}

    def _offsets(self, places: Collection[PartitionId], spec: OffsetSpec) -> dict[PartitionId, int]:
        wanted = {TopicPartition(*place): spec for place in places}
        answers = self.admin.list_offsets(
            wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=_SECONDS
        )
        return {(asked.topic, asked.partition): answer.result().offset for asked, answer in answers.items()}

    def committed(self) -> dict[PartitionId, int]:
        """Return by input partition the group's committed offset; negative where it has committed none."""
        asked = [TopicPartition(*place) for place in self.inputs]
        request = ConsumerGroupTopicPartitions(self.settings.prefix, asked)

        def ask() -> dict[PartitionId, int]:
            [answer] = self.admin.list_consumer_group_offsets([request], request_timeout=_SECONDS).values()
            return {(each.topic, each.partition): each.offset for each in answer.result().topic_partitions}

        return _patiently(ask)

    def group(self) -> ConsumerGroupDescription:
        name = self.settings.prefix

        def ask() -> ConsumerGroupDescription:
            return self.admin.describe_consumer_groups([name], request_timeout=_SECONDS)[name].result()

        return _patiently(ask)

    def topic_configs(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        answers = self.admin.describe_configs(resources, request_timeout=_SECONDS)
        return {resource.name: _values(answer.result()) for resource, answer in answers.items()}

    def broker_config(self, number: int) -> dict[str, str]:
        resource = ConfigResource(ResourceType.BROKER, str(number))
        return _values(self.admin.describe_configs([resource], request_timeout=_SECONDS)[resource].result())


def _patiently(ask: Callable[[], T]) -> T:
    """Ask again while the coordinator is not ready yet, as for the first group of a new cluster."""
    give_up_at = time.monotonic() + _SECONDS
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in _SOON or time.monotonic() > give_up_at:
                raise
            time.sleep(_PAUSE_SECONDS)


def open_cluster(settings: WorkerSettings, domain: DomainSettings, metadata: ClusterMetadata) -> Cluster:
    admin = AdminClient({"log_level": 0, **settings.kafka, "bootstrap.servers": settings.brokers})
    return Cluster(settings, domain, metadata, admin)


def _values(entries: Mapping[str, object]) -> dict[str, str]:
    """Return the values, without those that a broker does not report."""
    values = {name: getattr(entry, "value", None) for name, entry in entries.items()}
    return {name: value for name, value in values.items() if value is not None}
