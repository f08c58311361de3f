"""The prefix's topics, compared with what `topics create` makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.doctor.finding import fail, ok, warn
from streams.engine.settings import STATE_AGE_MS_MAX
from streams.kafka.topics import ALTERED
from streams.topics import LETTERS_KEPT_MS, specs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from confluent_kafka.admin import ClusterMetadata

    from streams.doctor.cluster import Cluster
    from streams.doctor.finding import Finding
    from streams.topics import TopicSpec

# settings of a topic as brokers create it, before `topics create` sets others
_DEFAULTS = {"cleanup.policy": "delete", "message.timestamp.type": "CreateTime"}
_CREATE = "create it with `touchstream topics create`"
_AGAIN = "set it by `touchstream topics create` with the settings that you use"
_ALTER = "set it with kafka-configs.sh --alter --entity-type topics"


def check_topics(cluster: Cluster) -> Iterator[Finding]:
    wanted = {spec.name: spec for spec in specs(cluster.settings.prefix, cluster.domain)}
    there = {name: topic for name, topic in cluster.metadata.topics.items() if name in wanted}
    found: list[Finding] = []
    for name, spec in wanted.items():
        if name not in there:
            found.append(fail("topics", f"{name} is missing, or this user may not see it", _CREATE))
        elif len(there[name].partitions) != spec.partitions:
            found.append(
                fail(
                    "topics",
                    f"{name} has {len(there[name].partitions)} partitions instead of {spec.partitions}",
                    "the number is fixed once a prefix is created: move to another prefix",
                )
            )
    configs = cluster.topic_configs(there)
    found += (finding for name, config in configs.items() for finding in judge_topic(wanted[name], config))
    found += judge_copies(cluster.metadata, sorted(there))
    yield from found or [ok("topics", f"all {len(wanted)} of prefix {cluster.settings.prefix} are as they should be")]


def judge_topic(spec: TopicSpec, config: Mapping[str, str]) -> Iterator[Finding]:
    for setting, default in _DEFAULTS.items():
        value = spec.config.get(setting, default)
        if config.get(setting, value) != value:
            yield fail("topics", f"{spec.name} has {setting}={config[setting]}", _advice(spec, setting, value))
    yield from _judge_retention(spec, config)
    largest = spec.config.get("max.message.bytes")
    if largest is not None and int(config.get("max.message.bytes", largest)) < int(largest):
        yield fail(
            "topics",
            f"{spec.name} has max.message.bytes={config['max.message.bytes']}: a larger record stops the worker",
            _advice(spec, "max.message.bytes", largest),
        )
    if config.get("unclean.leader.election.enable") == "true":
        yield warn(
            "topics",
            f"{spec.name} has unclean.leader.election.enable=true: committed records can be lost",
            f"{_ALTER} to false",
        )


def _advice(spec: TopicSpec, setting: str, value: str) -> str:
    return _AGAIN if setting in ALTERED and setting in spec.config else f"{_ALTER} to {value}"


def _judge_retention(spec: TopicSpec, config: Mapping[str, str]) -> Iterator[Finding]:
    if spec.config.get("retention.ms") == "-1":
        for setting in ("retention.ms", "retention.bytes"):
            if int(config.get(setting, -1)) >= 0:
                seen = f"{spec.name} has {setting}={config[setting]}"
                if spec.name.endswith(".journal"):
                    yield fail("topics", f"{seen}: the journal loses its oldest records", f"{_ALTER} to -1")
                else:
                    yield warn("topics", f"{seen}: old records are deleted", f"{_ALTER} to -1, unless you want that")
    if spec.name.endswith(".dead-letters"):
        yield from _judge_letters(spec, int(config.get("retention.ms", LETTERS_KEPT_MS)))
    # a local state of that age continues from the changelog, and must still see the deletions since then
    tombstones_ms = int(config.get("delete.retention.ms", STATE_AGE_MS_MAX))
    if spec.name.endswith("-changelog") and tombstones_ms < STATE_AGE_MS_MAX:
        yield fail(
            "topics",
            f"{spec.name} has delete.retention.ms={tombstones_ms}: deleted state can come back",
            f"{_ALTER} to 86400000",
        )


def _judge_letters(spec: TopicSpec, kept_ms: int) -> Iterator[Finding]:
    if not 0 <= kept_ms <= LETTERS_KEPT_MS:
        yield warn(
            "topics",
            f"{spec.name} has retention.ms={kept_ms}: addresses in refused records are kept in clear",
            f"{_ALTER} to {LETTERS_KEPT_MS}, which is 7 days, unless you want that",
        )


def judge_copies(metadata: ClusterMetadata, names: Iterable[str]) -> Iterator[Finding]:
    if len(metadata.brokers) == 1:
        return
    for name in names:
        copies = min(len(part.replicas) for part in metadata.topics[name].partitions.values())
        if copies == 1:
            yield warn(
                "topics",
                f"{name} has only one copy: if its broker is lost, so is the topic",
                "add copies with kafka-reassign-partitions.sh; for a new prefix use `topics create --replication 3`",
            )
