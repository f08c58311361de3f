"""Topics that change under workers: each change ends them by its name, before a record goes astray or state is lost."""

from __future__ import annotations

import shutil
from collections import Counter
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from schemas.outputs import DeadLetter, ProfileView
from streams.demo.servers.server import DidNotStart
from streams.kafka.partitioner import partition_of
from streams.operations.create import create_prefix
from streams.topics import NAMES
from tests.support import commands
from tests.support.running import (
    CUSTOMERS,
    NEEDS_PERSON,
    AWorker,
    Place,
    Started,
    a_worker,
    buy,
    make_place,
    wait_worked_off,
)
from tests.support.watching import until
from tests.support.world import DAY_MS, START_MS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.acceptance, pytest.mark.heavy]


@pytest.fixture
def place(kafka: str, prefix: str, tmp_path: Path) -> Place:
    return make_place(kafka, prefix, tmp_path)


@pytest.fixture
def admin(kafka: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka})


def worked_off(place: Place) -> None:
    with a_worker(place):
        wait_worked_off(place)


def orders(place: Place) -> Counter[int]:
    """How many customers have so many orders."""
    return Counter(profile.orders for profile in place.last("profiles", ProfileView).values())


def refused(place: Place) -> str:
    """The last line of a worker that does not start; it says that no restart helps."""
    worker = Started(place)
    with pytest.raises(DidNotStart), worker:
        pass
    assert worker.exit_code == NEEDS_PERSON
    return worker.log.read_text().splitlines()[-1]


def ended(worker: AWorker) -> str:
    """The log of a worker that has ended by itself."""
    until(lambda: worker.exit_code is not None, "the worker ends")
    return worker.log.read_text()


def state_of(place: Place) -> set[str]:
    """Directories with state of the journal, whatever became of them."""
    journal = f"{place.topics.journal}-"
    return {path.name.removeprefix(journal) for path in place.folder.rglob(f"{journal}*")}


def delete_records(place: Place, admin: AdminClient, topic: str) -> None:
    """Takes all records of a topic away that is only compacted, which needs another policy first."""
    name = getattr(place.topics, topic)
    policy = ConfigEntry("cleanup.policy", "compact,delete", incremental_operation=AlterConfigOpType.SET)
    wanted = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[policy])
    for answer in admin.incremental_alter_configs([wanted]).values():
        answer.result()
    consumer = Consumer({"bootstrap.servers": place.settings.brokers, "group.id": uuid4().hex})
    count = len(admin.list_topics(name, 10).topics[name].partitions)
    places = [TopicPartition(name, number) for number in range(count)]
    ends = [TopicPartition(name, each.partition, consumer.get_watermark_offsets(each, 10)[1]) for each in places]
    consumer.close()
    until(lambda: _deleted(admin, ends), "the records are deleted")


def _deleted(admin: AdminClient, ends: list[TopicPartition]) -> bool:
    # the policy takes a moment to reach the log
    return all(answer.exception(10) is None for answer in admin.delete_records(ends).values())


def make_again(place: Place, admin: AdminClient, *topics: str) -> None:
    names = [getattr(place.topics, topic) for topic in topics]
    for answer in admin.delete_topics(names).values():
        answer.result()
    until(lambda: not admin.list_topics(timeout=10).topics.keys() & {*names}, "the topics are gone")
    create_prefix(place.settings, place.domain)
    until(lambda: {*names} <= admin.list_topics(timeout=10).topics.keys(), "the topics are there")


@pytest.mark.parametrize("topic", ["journal", "triggers", "touchpoints"])
def test_a_partition_added_to_a_topic_ends_the_worker_before_a_record_is_misplaced(
    place: Place, admin: AdminClient, topic: str
) -> None:
    name = getattr(place.topics, topic)
    with Started(place) as worker:
        buy(place)
        wait_worked_off(place)
        for answer in admin.create_partitions([NewPartitions(name, 3)]).values():
            answer.result()

        def has_ended() -> bool:
            buy(place, at_ms=START_MS + DAY_MS)
            return worker.exit_code is not None

        until(has_ended, "the worker ends at an order", 60)
        log = ended(worker)
    assert f"topic {name} has 3 partitions instead of 2" in log.splitlines()[-1]
    assert worker.exit_code == NEEDS_PERSON
    assert f"topic {name} has 3 partitions instead of 2" in refused(place)
    for output in ("journal", "profiles", "credits"):
        for message in place.messages(output):
            key = (message.key() or b"").decode()
            assert not key or message.partition() == partition_of(key, 2), f"{key} in {output}-{message.partition()}"


def test_a_topic_made_again_under_a_running_worker_ends_it(place: Place, admin: AdminClient) -> None:
    with Started(place) as worker:
        buy(place)
        wait_worked_off(place)
        make_again(place, admin, "triggers")
        log = ended(worker)
    assert f"topic {place.topics.triggers} was deleted and made again: its id was" in log
    assert worker.exit_code == 1


def test_state_of_topics_that_were_all_made_again_is_not_served(place: Place, admin: AdminClient) -> None:
    buy(place)
    worked_off(place)
    make_again(place, admin, *NAMES)
    buy(place, count=CUSTOMERS // 2)
    worked_off(place)
    assert orders(place) == {1: CUSTOMERS // 2}
    assert state_of(place) == {"0", "1", "0.of-deleted-topics-1", "1.of-deleted-topics-1"}
    # the state made since belongs to the topics as they are
    buy(place, count=CUSTOMERS // 2, at_ms=START_MS + DAY_MS)
    worked_off(place)
    assert orders(place) == {2: CUSTOMERS // 2}


@pytest.mark.parametrize("is_made_again", [False, True])
def test_a_changelog_that_lost_its_head_costs_no_state(
    place: Place,
    admin: AdminClient,
    is_made_again: bool,  # noqa: FBT001 - a case
) -> None:
    buy(place)
    worked_off(place)
    if is_made_again:
        make_again(place, admin, "profiles_changelog")
        reason = "was deleted and made again, and its input was not"
    else:
        delete_records(place, admin, "profiles_changelog")
        reason = "instead of 0: somebody deleted its first records"
    buy(place, at_ms=START_MS + DAY_MS)
    last = refused(place)
    assert place.topics.profiles_changelog in last
    assert reason in last
    assert place.records("dead_letters", DeadLetter) == []
    assert orders(place) == {1: CUSTOMERS}
    assert state_of(place) == {"0", "1"}


def test_a_changelog_that_was_lost_is_written_again_and_the_backlog_goes_on(place: Place, admin: AdminClient) -> None:
    buy(place)
    worked_off(place)
    delete_records(place, admin, "profiles_changelog")
    delete_records(place, admin, "insights_changelog")
    buy(place, at_ms=START_MS + DAY_MS)
    refused(place)
    make_again(place, admin, "profiles_changelog", "insights_changelog")
    rebuilt = commands.run("rebuild", **place.variables)
    assert rebuilt.exit_code == 0, rebuilt.output
    shutil.rmtree(place.folder / "0" / "state")
    worked_off(place)
    assert orders(place) == {2: CUSTOMERS}
    verified = commands.run("verify", "--stores", str(place.folder), **place.variables)
    assert verified.exit_code == 0, verified.output
    assert "no changelog of prefix" in commands.refused("rebuild", **place.variables)


def test_a_worker_without_state_does_not_begin_on_an_empty_changelog(place: Place, admin: AdminClient) -> None:
    buy(place)
    worked_off(place)
    make_again(place, admin, "profiles_changelog")
    other = Place(place.settings, place.domain, place.folder / "another machine")
    other.folder.mkdir()
    assert "is empty, though" in refused(other)
    assert place.records("dead_letters", DeadLetter) == []
