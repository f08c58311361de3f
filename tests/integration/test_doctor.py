"""`touchstream doctor` on a real broker: what is in order is said to be, and what is not, with what to do."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from typer.testing import CliRunner

from schemas.catalogue import RECORDS
from streams.__main__ import app
from streams.demo.servers.broker import Broker
from streams.demo.servers.registry import Registry
from streams.doctor.clock import check_clock
from streams.doctor.cluster import open_cluster
from streams.doctor.examination import examine
from streams.doctor.finding import Status
from streams.doctor.group import check_group
from streams.kafka.reader import read_committed
from streams.kafka.registry import registry_wire
from streams.operations.brokers import ask_brokers
from streams.operations.create import create_prefix
from streams.settings import DomainSettings
from streams.topics import Topics
from streams.worker_settings import WorkerSettings, parse_worker
from tests.support.producing import produce
from tests.support.running import a_worker, make_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from click.testing import Result

    from streams.doctor.cluster import Cluster
    from streams.doctor.finding import Finding

DOMAIN = DomainSettings(touchpoint_partitions=2, journal_partitions=2)
SECONDS = 20.0


def run(settings: WorkerSettings, *arguments: str) -> Result:
    variables = {
        "TOUCHSTREAM_BROKERS": settings.brokers,
        "TOUCHSTREAM_PREFIX": settings.prefix,
        "TOUCHSTREAM_STATE_DIR": str(settings.state_dir),
    }
    result: Any = CliRunner().invoke(app, ["doctor", *arguments], env=variables)
    return result  # type: ignore[no-any-return]


def unwell(findings: Iterable[Finding]) -> dict[str, tuple[Status, str]]:
    """By what was seen, each as far as its first colon: status and advice of what is not in order."""
    return {
        finding.seen.partition(":")[0]: (finding.status, finding.advice)
        for finding in findings
        if finding.status is not Status.OK
    }


def cluster_of(settings: WorkerSettings, domain: DomainSettings = DOMAIN) -> Cluster:
    return open_cluster(settings, domain, ask_brokers(settings))


def alter_topic(settings: WorkerSettings, topic: str, **values: str) -> None:
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    entries = [
        ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
        for name, value in values.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, f"{settings.prefix}.{topic}", incremental_configs=entries)
    admin.incremental_alter_configs([resource])[resource].result(SECONDS)


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """As the guide would have it."""
    with Broker(properties={"offsets.retention.minutes": "43200"}) as running:
        yield running


@pytest.fixture
def settings(broker: Broker, prefix: str, tmp_path: Path) -> WorkerSettings:
    """Of a worker on a prefix that has been made."""
    chosen = parse_worker({}, brokers=broker.bootstrap, prefix=prefix, state_dir=tmp_path / "state")
    create_prefix(chosen, DOMAIN)
    return chosen


def test_nothing_is_amiss_but_that_no_worker_runs(settings: WorkerSettings) -> None:
    findings = list(examine(settings))
    alone = f"no worker is in the group {settings.prefix}"
    assert unwell(findings) == {alone: ("warn", "start one: `touchstream worker`")}
    checks = {finding.check for finding in findings}
    assert checks == {
        "settings",
        "web",
        "transport",
        "state",
        "disk",
        "brokers",
        "versions",
        "broker settings",
        "topics",
        "schemas",
        "clock",
        "group",
        "lag",
    }
    [versions] = [finding.seen for finding in findings if finding.check == "versions"]
    assert versions.endswith("Apache Kafka 4.1 or newer")


def test_people_get_lines_and_machines_json_with_exit_code_0(settings: WorkerSettings) -> None:
    lines = run(settings)
    assert lines.exit_code == 0, lines.output
    assert "warn  group " in lines.stdout
    assert "-> start one: `touchstream worker`" in lines.stdout
    said = json.loads(run(settings, "--json").stdout)
    assert {"check": "group", "status": "warn"}.items() <= said["findings"][-3].items()


def test_an_examination_leaves_nothing_that_a_reader_sees(settings: WorkerSettings) -> None:
    list(examine(settings))
    assert list(read_committed(settings.brokers, Topics(settings.prefix).touchpoints)) == []
    assert not settings.state_dir.exists()


def test_a_worker_that_runs_is_named_and_nothing_is_amiss(broker: Broker, prefix: str, tmp_path: Path) -> None:
    place = make_place(broker.bootstrap, prefix, tmp_path, clock="wall")
    with a_worker(place, "shelf-3"):
        findings = list(examine(place.settings))
    assert unwell(findings) == {}
    [group] = [finding.seen for finding in findings if finding.check == "group"]
    assert group == f"1 workers in {prefix}: {prefix}/worker/shelf-3; every partition has a worker"


def test_a_broker_with_the_default_settings_is_told_what_to_set(prefix: str, tmp_path: Path) -> None:
    name = "transaction.abort.timed.out.transaction.cleanup.interval.ms"
    with Broker(properties={name: "10000"}) as broker:
        settings = parse_worker({}, brokers=broker.bootstrap, prefix=prefix, state_dir=tmp_path)
        create_prefix(settings, DOMAIN)
        found = unwell(examine(settings))
    assert found[f"{name}=10000"] == ("warn", "set it to 1000 in server.properties of each broker")
    assert found["offsets.retention.minutes=10080"] == (
        "warn",
        "set it to longer than workers may ever be stopped, at least 20160",
    )


def test_a_topic_of_another_size_fails(settings: WorkerSettings) -> None:
    admin, triggers = AdminClient({"bootstrap.servers": settings.brokers}), Topics(settings.prefix).triggers
    admin.delete_topics([triggers])[triggers].result(SECONDS)
    end = time.monotonic() + SECONDS
    while triggers in admin.list_topics(timeout=SECONDS).topics:
        assert time.monotonic() < end
        time.sleep(0.1)
    admin.create_topics([NewTopic(triggers, 7, 1, config={"retention.ms": "-1"})])[triggers].result(SECONDS)
    status, advice = unwell(examine(settings))[f"{triggers} has 7 partitions instead of 2"]
    assert status == "fail"
    assert "fixed once a prefix is created" in advice
    assert run(settings).exit_code == 1


def test_topics_with_other_settings_than_they_need_are_told(settings: WorkerSettings) -> None:
    prefix = settings.prefix
    alter_topic(settings, "profiles-changelog", cleanup_policy="delete", delete_retention_ms="3600000")
    alter_topic(settings, "journal", retention_ms="86400000", max_message_bytes="1000000")
    alter_topic(settings, "touchpoints", message_timestamp_type="CreateTime")
    alter_topic(settings, "dead-letters", retention_ms="2592000000")
    found = unwell(examine(settings))
    failed = {seen for seen, (status, _) in found.items() if status == "fail"}
    assert failed == {
        f"{prefix}.profiles-changelog has cleanup.policy=delete",
        f"{prefix}.profiles-changelog has delete.retention.ms=3600000",
        f"{prefix}.journal has retention.ms=86400000",
        f"{prefix}.journal has max.message.bytes=1000000",
        f"{prefix}.touchpoints has message.timestamp.type=CreateTime",
    }
    assert found[f"{prefix}.dead-letters has retention.ms=2592000000"][0] == "warn"


def test_a_missing_topic_and_a_missing_prefix_name_the_command_that_makes_them(settings: WorkerSettings) -> None:
    admin, kpis = AdminClient({"bootstrap.servers": settings.brokers}), Topics(settings.prefix).kpis
    admin.delete_topics([kpis])[kpis].result(SECONDS)
    status, advice = unwell(examine(settings))[f"{kpis} is missing, or this user may not see it"]
    assert (status, advice) == ("fail", "create it with `touchstream topics create`")
    other = settings.model_copy(update={"prefix": f"{settings.prefix}-none"})
    assert "touchstream topics create" in list(examine(other))[-1].advice


def test_no_broker_is_a_failure_and_the_machine_is_looked_at_all_the_same(tmp_path: Path) -> None:
    settings = parse_worker({}, brokers="127.0.0.1:9", state_dir=tmp_path)
    result = run(settings)
    assert result.exit_code == 1
    assert "ok    disk" in result.stdout
    assert "fail  brokers" in result.stdout
    assert "Connection refused" in result.stdout


def test_a_clock_that_is_ahead_of_the_brokers_fails_and_one_behind_warns(settings: WorkerSettings) -> None:
    cluster = cluster_of(settings)
    for off_ms, status in ((0, "ok"), (30_000, "fail"), (-30_000, "warn")):
        [finding] = check_clock(cluster, lambda off_ms=off_ms: time.time() * 1_000 + off_ms)  # type: ignore[misc]
        assert finding.status == status, finding
    assert "behind broker 1's" in finding.seen


@contextmanager
def members(settings: WorkerSettings, *names: str) -> Iterator[None]:
    """Of the group, while they share what `touchpoints` holds, and nothing else; each calls itself by its name."""
    told = {"bootstrap.servers": settings.brokers, "group.id": settings.prefix, "enable.auto.commit": False}
    consumers = [Consumer({**told, "client.id": name}) for name in names]
    for consumer in consumers:
        consumer.subscribe([Topics(settings.prefix).touchpoints])
    end = time.monotonic() + SECONDS
    while not all(consumer.assignment() for consumer in consumers):
        assert time.monotonic() < end
        for consumer in consumers:
            consumer.poll(0.1)
    yield
    for consumer in consumers:
        consumer.close()


def test_two_workers_with_one_name_are_told(settings: WorkerSettings) -> None:
    with members(settings, "shop-0", "shop-0"):
        found = unwell(check_group(cluster_of(settings)))
    assert found[f"2 workers in {settings.prefix}"][1].startswith("give each worker its own TOUCHSTREAM_INSTANCE")


def test_partitions_without_an_owner_are_named(settings: WorkerSettings) -> None:
    with members(settings, "shop-0", "shop-1"):
        [finding] = [each for each in check_group(cluster_of(settings)) if each.check == "group"]
    topics = Topics(settings.prefix)
    ownerless = f"{topics.journal}-0, {topics.journal}-1, {topics.facts}-0"
    assert finding.seen.endswith(f"shop-0, shop-1; stable, partitions without a worker: {ownerless}")


def test_records_that_were_deleted_unread_fail(settings: WorkerSettings) -> None:
    place = TopicPartition(Topics(settings.prefix).touchpoints, 0)
    for _ in range(3):
        produce(settings.brokers, place.topic, b"", partition=place.partition)
    group = Consumer({"bootstrap.servers": settings.brokers, "group.id": settings.prefix})
    group.commit(offsets=[TopicPartition(place.topic, place.partition, 1)], asynchronous=False)
    group.close()
    gone = TopicPartition(place.topic, place.partition, 3)
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    admin.delete_records([gone])[gone].result(SECONDS)
    found = {finding.seen: finding.status for finding in examine(settings) if finding.check == "offsets"}
    assert found == {f"{place.topic}-0: 2 records were deleted before a worker had read them": "fail"}


def test_an_offset_that_is_gone_while_there_is_state_fails(settings: WorkerSettings) -> None:
    topics = Topics(settings.prefix)
    assert "offsets" not in {finding.check for finding in examine(settings)}
    produce(settings.brokers, topics.profiles_changelog, b"state", b"u:1", partition=1)
    has_state = f"{topics.journal}-1 has state in {topics.profiles_changelog}"
    seen = f"{has_state}, but the group's offset has expired or was deleted"
    assert unwell(examine(settings))[seen][0] == "fail"


def test_a_journal_that_a_registry_framed_needs_the_registry(settings: WorkerSettings) -> None:
    produce(settings.brokers, Topics(settings.prefix).journal, b"\x00\x00\x00\x00\x01...", b"u:1", partition=1)
    [finding] = [each for each in examine(settings) if each.check == "schemas"]
    assert finding.status == "fail"
    assert finding.advice.startswith("set TOUCHSTREAM_REGISTRY_URL")


def test_a_registry_is_looked_through(settings: WorkerSettings, tmp_path: Path) -> None:
    subject = f"{settings.prefix}.triggers-value"

    def look() -> tuple[Status, str]:
        [finding] = [each for each in examine(with_it) if each.check == "schemas"]
        return finding.status, finding.seen

    with Registry(tmp_path) as registry:
        with_it = settings.model_copy(update={"registry_url": registry.url})
        status, seen = look()
        assert (status, f"{registry.url} lacks " in seen, subject in seen) == ("warn", True, True)
        registry_wire(registry.url, Topics(settings.prefix))
        assert look() == ("ok", f"all {len(RECORDS)} are in registry {registry.url}, with compatibility BACKWARD")
        with SchemaRegistryClient({"url": registry.url}) as client:
            client.set_compatibility(subject, "NONE")
            assert look() == ("warn", f"registry {registry.url} does not have the compatibility BACKWARD for {subject}")
            other = {"type": "record", "name": "Other", "fields": [{"name": "count", "type": "long"}]}
            client.register_schema(subject, Schema(json.dumps(other), "AVRO"))
            client.set_compatibility(subject, "BACKWARD")
            assert look() == (
                "fail",
                f"registry {registry.url} holds schemas that are incompatible with ours: {subject}",
            )
    status, seen = look()
    assert (status, seen.startswith(f"registry {registry.url}: ")) == ("fail", True)
