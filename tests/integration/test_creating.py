"""A prefix is made on a real Kafka, once, and changed only as far as it may be."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from schemas.journal import Configured
from schemas.limits import TOPIC_BYTES_MAX
from schemas.wire import decode, encode
from schemas.zones import TZDATA
from streams.flows.language.publishing import paused, with_flow
from streams.kafka.partitioner import partition_of
from streams.kafka.reader import read_committed
from streams.kafka.topics import WrongTopics, create_topics
from streams.operations.create import (
    CannotChange,
    NotCreated,
    PublishedMeanwhile,
    change_settings,
    create_prefix,
    read_domain,
    read_published,
)
from streams.operations.prefix import open_prefix
from streams.settings import DomainSettings
from streams.topics import Topics, TopicSpec
from streams.worker_settings import WorkerSettings, parse_worker
from tests.support.flows import a_flow
from tests.support.producing import a_producer, produce
from tests.support.watching import until

if TYPE_CHECKING:
    from collections.abc import Sequence

DOMAIN = DomainSettings(clock="marks", touchpoint_partitions=2, journal_partitions=3)


@pytest.fixture
def settings(kafka: str, prefix: str) -> WorkerSettings:
    return parse_worker({}, brokers=kafka, prefix=prefix)


def published(settings: WorkerSettings, topic: str) -> dict[int, list[DomainSettings]]:
    """By partition: what it was told, in order."""
    told: dict[int, list[DomainSettings]] = {}
    for message in read_committed(settings.brokers, f"{settings.prefix}.{topic}"):
        record = decode(message.value() or b"")
        assert isinstance(record, Configured)
        told.setdefault(message.partition() or 0, []).append(DomainSettings.model_validate_json(record.settings))
    return told


def delete(settings: WorkerSettings, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    admin.delete_topics([topic])[topic].result(30)


def test_a_prefix_has_every_topic_and_its_settings_first_in_each_partition(settings: WorkerSettings) -> None:
    created = create_prefix(settings, DOMAIN)
    assert set(created.topics) == set(Topics(settings.prefix).all())
    # the brokers write the markers of a transaction after they have answered
    until(lambda: len(published(settings, "journal")) == DOMAIN.journal_partitions, "what was published is readable")
    assert published(settings, "journal") == {0: [DOMAIN], 1: [DOMAIN], 2: [DOMAIN]}
    until(lambda: published(settings, "facts"), "what was published is readable")
    assert published(settings, "facts") == {0: [DOMAIN]}
    assert read_domain(settings) == DOMAIN


def test_later_time_zones_are_published_and_earlier_ones_are_not(
    settings: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_prefix(settings, DOMAIN)
    assert read_published(settings).tzdata == TZDATA
    monkeypatch.setattr("streams.operations.create.TZDATA", "2999.1")
    assert create_prefix(settings, DOMAIN).configured
    assert read_published(settings).tzdata == "2999.1"
    monkeypatch.undo()
    change_settings(settings, lambda domain, _: domain.model_copy(update={"send_hour": 9}))
    assert read_published(settings).tzdata == "2999.1", "who publishes a flow does not change the time zones"
    with pytest.raises(CannotChange, match=r"install tzdata==2999\.1"):
        create_prefix(settings, DOMAIN)


def test_a_worker_with_other_time_zones_does_not_start(
    settings: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.operations.create.TZDATA", "2999.1")
    create_prefix(settings, DOMAIN)
    done = subprocess.run(
        [sys.executable, "-m", "streams", "worker", "--brokers", settings.brokers, "--prefix", settings.prefix],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "install tzdata==2999.1" in line


def test_to_create_it_again_changes_nothing(settings: WorkerSettings) -> None:
    create_prefix(settings, DOMAIN)
    again = create_prefix(settings, DOMAIN)
    assert (again.topics, again.configured) == ((), False)
    assert published(settings, "journal") == {0: [DOMAIN], 1: [DOMAIN], 2: [DOMAIN]}


def test_other_settings_are_published_after_the_first(settings: WorkerSettings) -> None:
    create_prefix(settings, DOMAIN)
    granted = DOMAIN.model_copy(update={"consent_default": "granted"})
    assert create_prefix(settings, granted).configured
    assert published(settings, "journal") == {number: [DOMAIN, granted] for number in range(3)}
    assert published(settings, "facts") == {0: [DOMAIN, granted]}
    assert read_domain(settings) == granted


def test_the_settings_are_found_without_reading_the_journal(settings: WorkerSettings) -> None:
    create_prefix(settings, DOMAIN)
    granted = DOMAIN.model_copy(update={"consent_default": "granted"})
    later = encode(Configured(granted.model_dump_json(), 0))
    produce(settings.brokers, Topics(settings.prefix).journal, later, partition=0)
    assert read_domain(settings) == DOMAIN


def test_a_prefix_that_has_lost_its_journal_is_told_so(settings: WorkerSettings) -> None:
    create_prefix(settings, DOMAIN)
    delete(settings, Topics(settings.prefix).journal)
    with pytest.raises(NotCreated, match=r"journal is missing: create it with `touchstream topics create"):
        read_domain(settings)


def test_a_prefix_that_has_its_settings_in_the_journal_only_is_brought_up_to_date(settings: WorkerSettings) -> None:
    create_prefix(settings, DOMAIN)
    delete(settings, Topics(settings.prefix).settings)
    assert read_domain(settings) == DOMAIN
    assert create_prefix(settings, DOMAIN).configured
    assert published(settings, "settings") == {0: [DOMAIN]}


def test_a_topic_that_was_deleted_is_made_again(settings: WorkerSettings) -> None:
    create_prefix(settings, DOMAIN)
    kpis = Topics(settings.prefix).kpis
    delete(settings, kpis)
    assert create_prefix(settings, DOMAIN).topics == (kpis,)


@pytest.mark.parametrize(
    ("name", "value"), [("clock", "wall"), ("touchpoint_partitions", 4), ("journal_partitions", 4)]
)
def test_what_is_fixed_for_life_is_refused(settings: WorkerSettings, name: str, value: object) -> None:
    create_prefix(settings, DOMAIN)
    with pytest.raises(CannotChange, match=f"{name} is .* and cannot become {value!r}"):
        create_prefix(settings, DOMAIN.model_copy(update={name: value}))
    assert read_domain(settings) == DOMAIN


def test_a_source_gets_a_shop_once(settings: WorkerSettings) -> None:
    create_prefix(settings, DOMAIN)
    berlin = DOMAIN.model_copy(update={"shops": {"till": "berlin"}})
    assert create_prefix(settings, berlin).named == ("till",)
    assert create_prefix(settings, berlin).named == ()
    for shops in ({"till": "oslo"}, {}):
        with pytest.raises(CannotChange, match="the shop of source till is 'berlin' and cannot become"):
            create_prefix(settings, DOMAIN.model_copy(update={"shops": shops}))
    assert read_domain(settings) == berlin


def test_a_topic_of_another_size_is_refused_before_anything_is_published(settings: WorkerSettings) -> None:
    create_topics(settings.brokers, [TopicSpec(Topics(settings.prefix).triggers, 7)])
    with pytest.raises(WrongTopics, match="triggers has 7 partitions instead of 3"):
        create_prefix(settings, DOMAIN)
    with pytest.raises(NotCreated):
        read_domain(settings)


def test_a_prefix_that_was_not_made_names_the_command_that_makes_it(settings: WorkerSettings) -> None:
    with pytest.raises(NotCreated, match=f"touchstream topics create --prefix {settings.prefix}"):
        read_domain(settings)


def test_brokers_without_transactions_get_their_settings_too(settings: WorkerSettings) -> None:
    plain = settings.model_copy(update={"guarantee": "at_least_once"})
    assert create_prefix(plain, DOMAIN).configured
    assert read_domain(plain) == DOMAIN


def test_a_change_of_the_flows_is_a_record_in_every_partition(settings: WorkerSettings) -> None:
    create_prefix(settings, DOMAIN)
    before, after = change_settings(settings, lambda domain, now_ms: with_flow(domain, a_flow(), now_ms))
    assert (before, read_domain(settings)) == (DOMAIN, after)
    assert published(settings, "journal") == {number: [DOMAIN, after] for number in range(3)}
    assert published(settings, "facts") == {0: [DOMAIN, after]}
    assert change_settings(settings, lambda domain, _: domain) == (after, after)
    assert published(settings, "facts") == {0: [DOMAIN, after]}


def test_settings_made_anew_may_leave_the_flows_as_they_stand(settings: WorkerSettings) -> None:
    create_prefix(settings, DOMAIN)
    _, after = change_settings(settings, lambda domain, _: paused(with_flow(domain, a_flow(), 1), "abandoned_cart", 2))
    granted = DOMAIN.model_copy(update={"consent_default": "granted"})
    kept = create_prefix(settings, granted, 1, keeps_flows=True).domain
    assert kept == after.model_copy(update={"consent_default": "granted"})
    assert read_domain(settings) == kept


def test_of_two_that_publish_at_once_the_earlier_writes_nothing_and_is_told(settings: WorkerSettings) -> None:
    create_prefix(settings, DOMAIN)

    def slowly(domain: DomainSettings, now_ms: int) -> DomainSettings:
        change_settings(settings, lambda known, _: with_flow(known, a_flow(id="quick"), 1))
        return with_flow(domain, a_flow(id="slow"), now_ms)

    with pytest.raises(PublishedMeanwhile, match="run this one again"):
        change_settings(settings, slowly)
    assert [flow["id"] for flow in read_domain(settings).flows] == ["quick"]
    change_settings(settings, lambda domain, _: with_flow(domain, a_flow(id="slow"), 1))
    assert [flow["id"] for flow in read_domain(settings).flows] == ["quick", "slow"]


def test_a_customers_partition_is_where_their_records_are(settings: WorkerSettings) -> None:
    create_prefix(settings, DOMAIN)
    customers = [f"u:{number}" for number in range(50)]
    _produce(settings, customers)
    prefix = open_prefix(settings)
    for partition in range(DOMAIN.journal_partitions):
        found = [(message.key() or b"").decode() for message in prefix.read("triggers", partition)]
        assert found == [each for each in customers if partition_of(each, DOMAIN.journal_partitions) == partition]


def _produce(settings: WorkerSettings, customers: Sequence[str]) -> None:
    with a_producer(settings.brokers) as producer:
        for customer in customers:
            producer.produce(Topics(settings.prefix).triggers, b"", customer.encode())


def test_topics_of_an_earlier_release_get_the_brokers_stamps_and_limits_and_keep_what_an_operator_chose(
    settings: WorkerSettings,
) -> None:
    wall, topics, stamps = DOMAIN.model_copy(update={"clock": "wall"}), Topics(settings.prefix), "LogAppendTime"
    chosen = {"retention.ms": "86400000", "max.message.bytes": "20000000"}
    create_topics(settings.brokers, [TopicSpec(topics.touchpoints, 2, {"max.message.bytes": "1000000"})])
    create_topics(settings.brokers, [TopicSpec(topics.journal, 3, chosen)])
    assert create_prefix(settings, wall, 1).altered == (topics.touchpoints, topics.journal)
    both = topics.touchpoints, topics.journal
    # a broker shows what was changed once it has read it from the controller
    until(
        lambda: all(each["message.timestamp.type"] == stamps for each in shown(settings, *both).values()), "new stamps"
    )
    configs = shown(settings, *both)
    assert configs[topics.touchpoints]["max.message.bytes"] == str(TOPIC_BYTES_MAX)
    assert configs[topics.journal].items() >= {**chosen, "message.timestamp.type": stamps}.items()
    assert create_prefix(settings, wall, 1).altered == ()


def test_a_replays_prefix_keeps_the_stamps_of_those_who_write(settings: WorkerSettings) -> None:
    create_prefix(settings, DOMAIN)
    journal = Topics(settings.prefix).journal
    assert shown(settings, journal)[journal]["message.timestamp.type"] == "CreateTime"
    assert create_prefix(settings, DOMAIN).altered == ()


def shown(settings: WorkerSettings, *topics: str) -> dict[str, dict[str, str]]:
    admin = AdminClient({"bootstrap.servers": settings.brokers})
    answers = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic) for topic in topics])
    return {
        asked.name: {name: entry.value for name, entry in answer.result().items()} for asked, answer in answers.items()
    }
