"""Topics: created explicitly, and their partitions counted before a worker starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from streams.kafka.config import PATIENT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.topics import TopicSpec


ALTERED = ("message.timestamp.type", "max.message.bytes")
"""Settings that a later release may want otherwise than the one that created the topic; all others are left alone."""


class WrongTopics(Exception):
    """Topics are missing, or have the wrong number of partitions or settings that cannot be changed."""


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


def alter_topics(brokers: str, specs: Iterable[TopicSpec], client: Mapping[str, str] | None = None) -> list[str]:
    """Give existing topics the settings that they need; return the names of those changed.

    A larger limit than needed stays. Raises WrongTopics if the brokers refuse, for example for want of a right.
    """
    admin = AdminClient({**(client or {}), "bootstrap.servers": brokers})
    wanted = {spec.name: spec for spec in specs}
    changes: dict[str, dict[str, str]] = {}
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in wanted]
    for resource, answer in admin.describe_configs(asked, request_timeout=PATIENT_SECONDS).items():
        try:
            there = answer.result()
        except KafkaException as error:
            raise WrongTopics(f"topic {resource.name}: its settings are not shown: {error.args[0].str()}") from error
        needed = wanted[resource.name].config
        change = {key: needed[key] for key in ALTERED if key in needed and _differs(there[key].value, needed[key])}
        if change:
            changes[resource.name] = change
    for name, change in changes.items():
        entries = [ConfigEntry(*each, incremental_operation=AlterConfigOpType.SET) for each in change.items()]
        altered = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        try:
            admin.incremental_alter_configs([altered], request_timeout=PATIENT_SECONDS)[altered].result()
        except KafkaException as error:
            to = ", ".join(f"{key}={value}" for key, value in change.items())
            raise WrongTopics(f"topic {name} cannot be changed to {to}: {error.args[0].str()}") from error
    return list(changes)


def message_limits(brokers: str, names: Iterable[str], client: Mapping[str, str] | None = None) -> dict[str, int]:
    """Return max.message.bytes of those of the topics that are there."""
    admin = AdminClient({**(client or {}), "bootstrap.servers": brokers})
    there = _counts(admin)
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in names if name in there]
    answers = admin.describe_configs(asked, request_timeout=PATIENT_SECONDS)
    return {resource.name: int(answer.result()["max.message.bytes"].value) for resource, answer in answers.items()}


def _differs(there: str, needed: str) -> bool:
    return int(there) < int(needed) if needed.isdigit() else there != needed


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
