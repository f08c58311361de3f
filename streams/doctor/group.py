"""The workers' group: its members, and how far behind they are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from confluent_kafka import ConsumerGroupState

from streams.doctor.finding import fail, ok, warn
from streams.kafka.reader import read_committed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka.admin import ConsumerGroupDescription

    from streams.doctor.cluster import Cluster
    from streams.doctor.finding import Finding
    from streams.kafka.offsets import PartitionId


def check_group(cluster: Cluster) -> Iterator[Finding]:
    group, committed = cluster.group(), cluster.committed()
    yield from _check_members(cluster, group)
    ends = cluster.ends(cluster.inputs)
    yield from _check_offsets(cluster, committed, ends)
    waiting = {place: end - max(committed.get(place, 0), low) for place, (low, end) in ends.items()}
    behind = max(waiting, key=waiting.__getitem__)
    seen = f"{sum(waiting.values())} records still to process (transaction markers count too)"
    yield ok("lag", f"{seen}; the most are in {_named(behind)}: {waiting[behind]}")


def _check_members(cluster: Cluster, group: ConsumerGroupDescription) -> Iterator[Finding]:
    name, members = cluster.settings.prefix, group.members
    if not members:
        yield warn("group", f"no worker is in the group {name}", "start one: `touchstream worker`")
        return
    instances = Counter(member.group_instance_id or member.client_id for member in members)
    seen = f"{len(members)} workers in {name}: {', '.join(sorted(instances))}"
    twice = sorted(instance for instance, count in instances.items() if count > 1)
    owned = {(each.topic, each.partition) for member in members for each in member.assignment.topic_partitions}
    orphans = [place for place in cluster.inputs if place not in owned]
    if twice:
        yield warn(
            "group",
            f"{seen}; more than once: {', '.join(twice)}",
            "give each worker its own TOUCHSTREAM_INSTANCE, or they stop each other; ignore this if one has just died",
        )
    elif group.state != ConsumerGroupState.STABLE or orphans:
        without = f", partitions without a worker: {', '.join(map(_named, orphans))}" if orphans else ""
        yield warn(
            "group",
            f"{seen}; {group.state.name.lower()}{without}",
            "partitions are being handed over: run doctor again soon",
        )
    else:
        yield ok("group", f"{seen}; every partition has a worker")


def _check_offsets(
    cluster: Cluster, committed: dict[PartitionId, int], ends: dict[PartitionId, tuple[int, int]]
) -> Iterator[Finding]:
    topics = cluster.topics
    changelogs = {topics.journal: topics.profiles_changelog, topics.facts: topics.insights_changelog}
    for place in cluster.inputs:
        offset, low = committed.get(place, -1), ends[place][0]
        changelog = changelogs.get(place[0])
        if offset < 0 and changelog is not None and _has_records(cluster, changelog, place[1]):
            yield fail(
                "offsets",
                f"{_named(place)} has state in {changelog}, but the group's offset has expired or was deleted",
                "restore it with kafka-consumer-groups.sh --reset-offsets, or use another prefix",
            )
        if 0 <= offset < low:
            yield fail(
                "offsets",
                f"{_named(place)}: {low - offset} records were deleted before a worker had read them",
                "set the topic's retention to longer than workers may ever be stopped",
            )


def _has_records(cluster: Cluster, topic: str, partition: int) -> bool:
    records = read_committed(cluster.settings.brokers, topic, cluster.settings.kafka, [partition])
    return next(records, None) is not None


def _named(place: PartitionId) -> str:
    return f"{place[0]}-{place[1]}"
