"""Topics: created explicitly, and their partitions counted before a worker starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from streams.kafka.config import PATIENT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.topics import TopicSpec


class WrongTopics(Exception):
    """Topics are missing, or have the wrong number of partitions."""


def create_topics(brokers: str, specs: Iterable[TopicSpec], client: Mapping[str, str] | None = None) -> list[str]:
    """Create missing topics and check the others' partitions; return the names of those created.

    Raises WrongTopics if a topic cannot be created or has another number of partitions.
    """
    admin = AdminClient({**(client or {}), "bootstrap.servers": brokers})
    wanted = {spec.name: spec for spec in specs}
    there = _counts(admin)
    missing = [spec for spec in wanted.values() if spec.name not in there]
    made: list[str] = []
    requests = [NewTopic(spec.name, spec.partitions, spec.replication, config=dict(spec.config)) for spec in missing]
    for name, answer in (admin.create_topics(requests) if requests else {}).items():
        try:
            answer.result(PATIENT_SECONDS)
            made.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise WrongTopics(f"topic {name} cannot be created: {error.args[0].str()}") from error
            there = _counts(admin)
    check_counts({name: spec.partitions for name, spec in wanted.items() if name in there}, there)
    return made


def check_counts(wanted: Mapping[str, int], there: Mapping[str, int]) -> None:
    """Compare partition counts by topic; raises WrongTopics with every difference."""
    wrong = [
        f"topic {name} has {there[name]} partitions instead of {count}" if name in there else f"topic {name} is missing"
        for name, count in wanted.items()
        if there.get(name) != count
    ]
    if wrong:
        raise WrongTopics(
            "; ".join(wrong) + ". `touchstream topics create` creates missing topics; the number of partitions is fixed"
            " once a prefix is created"
        )


def partition_counts(brokers: str, client: Mapping[str, str | int | bool] | None = None) -> dict[str, int]:
    """Count the partitions of every topic."""
    return _counts(AdminClient({**(client or {}), "bootstrap.servers": brokers}))


def _counts(admin: AdminClient) -> dict[str, int]:
    metadata = admin.list_topics(timeout=PATIENT_SECONDS)
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}
