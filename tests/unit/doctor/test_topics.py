"""Topics as they should be."""

from __future__ import annotations

from confluent_kafka.admin import ClusterMetadata, PartitionMetadata, TopicMetadata

from streams.doctor.topics import judge_copies, judge_topic
from streams.settings import DomainSettings
from streams.topics import specs


def test_a_topic_with_one_copy_among_several_brokers_is_told() -> None:
    metadata, topic = ClusterMetadata(), TopicMetadata()
    metadata.topics = {"shop.kpis": topic}
    for copies, brokers, count in (([1], 1, 0), ([1], 2, 1), ([1, 2], 2, 0)):
        part = PartitionMetadata()
        part.replicas = copies
        topic.partitions = {0: part}
        metadata.brokers = dict.fromkeys(range(brokers))
        assert len(list(judge_copies(metadata, ["shop.kpis"]))) == count


def test_topics_as_they_are_made_are_in_order() -> None:
    for spec in specs("shop", DomainSettings()):
        assert list(judge_topic(spec, {"unclean.leader.election.enable": "false", **spec.config})) == []
        assert [each.status for each in judge_topic(spec, {"unclean.leader.election.enable": "true"})] == ["warn"]
