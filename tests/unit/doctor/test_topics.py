"""Topics as they should be."""

from __future__ import annotations

from confluent_kafka.admin import ClusterMetadata, PartitionMetadata, TopicMetadata

from schemas.limits import LETTER_BYTES_MAX, OUTPUT_BYTES_MAX, PRODUCER_BATCH_BYTES_MAX, TOPIC_BYTES_MAX
from streams.doctor.topics import judge_copies, judge_topic
from streams.settings import DomainSettings
from streams.topics import LETTERS_KEPT_MS, specs


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


def test_every_topic_has_kafkas_default_limit_and_only_dead_letters_a_higher_one() -> None:
    limits = {spec.name: int(spec.config["max.message.bytes"]) for spec in specs("shop", DomainSettings())}
    assert {name for name, limit in limits.items() if limit != 1_048_588} == {"shop.dead-letters"}
    assert limits["shop.dead-letters"] > LETTER_BYTES_MAX
    assert max(OUTPUT_BYTES_MAX, PRODUCER_BATCH_BYTES_MAX) < TOPIC_BYTES_MAX


def test_a_lower_limit_is_a_failure_and_a_higher_one_of_an_earlier_release_is_not() -> None:
    for spec in specs("shop", DomainSettings()):
        wanted = int(spec.config["max.message.bytes"])
        (finding,) = judge_topic(spec, {**spec.config, "max.message.bytes": str(wanted - 1)})
        assert finding.status == "fail"
        assert "a larger record stops the worker" in finding.seen
        assert list(judge_topic(spec, {**spec.config, "max.message.bytes": str(20 << 20)})) == []


def test_dead_letters_are_made_to_be_kept_for_a_week_and_longer_is_told() -> None:
    (spec,) = [spec for spec in specs("shop", DomainSettings()) if spec.name == "shop.dead-letters"]
    assert spec.config["retention.ms"] == str(LETTERS_KEPT_MS) == str(7 * 86_400_000)
    for kept_ms in (-1, LETTERS_KEPT_MS + 1):
        (finding,) = judge_topic(spec, {**spec.config, "retention.ms": str(kept_ms)})
        assert finding.status == "warn"
        assert finding.seen.startswith(f"shop.dead-letters has retention.ms={kept_ms}")
    assert list(judge_topic(spec, {**spec.config, "retention.ms": "86400000"})) == []
