"""Topics that change under a worker are noticed, and named with what they were and what they are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.engine.errors import TopicMadeAgain, TopicsChanged
from streams.engine.inputs import Input
from streams.engine.topology import Topology
from streams.kafka.topology import TopicSeen

if TYPE_CHECKING:
    from collections.abc import Collection

COUNTS = {"shop.journal": 4, "shop.profiles-changelog": 4, "shop.triggers": 4}


class Brokers:
    """Topics as a test has them."""

    def __init__(self) -> None:
        self.topics = {name: TopicSeen(count, f"{name} 1") for name, count in COUNTS.items()}
        self.asked = 0
        self.is_away = False
        self.now_s = 0.0
        self.was_asked = asyncio.Event()
        """While they were away."""

    def ask(self, names: Collection[str]) -> dict[str, TopicSeen]:
        self.asked += 1
        self.now_s += 1
        if self.is_away:
            self.was_asked.set()
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "away"))  # noqa: SLF001 - its name
        return {name: topic for name, topic in self.topics.items() if name in names}


@pytest.fixture
def brokers() -> Brokers:
    return Brokers()


def a_topology(brokers: Brokers, *inputs: Input, counts: dict[str, int] | None = None) -> Topology:
    return Topology(inputs, COUNTS if counts is None else counts, brokers, lambda: brokers.now_s)


def checked(brokers: Brokers, change: Any, times: int = 1) -> None:
    """Begin, then change something, then check."""

    async def run() -> None:
        topology = a_topology(brokers)
        topology.begin()
        change(brokers.topics)
        for _ in range(times):
            await topology.check()

    asyncio.run(run())


def test_topics_that_stay_as_they_are_raise_nothing(brokers: Brokers) -> None:
    checked(brokers, lambda _: None, times=3)


@pytest.mark.parametrize("name", COUNTS)
def test_a_partition_that_is_added_to_any_topic_is_named_with_both_numbers(brokers: Brokers, name: str) -> None:
    with pytest.raises(TopicsChanged, match=rf"topic {name} has 5 partitions instead of 4"):
        checked(brokers, lambda topics: topics.update({name: TopicSeen(5, f"{name} 1")}))


@pytest.mark.parametrize("name", COUNTS)
def test_a_topic_that_is_made_again_is_named_with_both_ids(brokers: Brokers, name: str) -> None:
    with pytest.raises(TopicMadeAgain, match=rf"topic {name} .*: its id was {name} 1 and is {name} 2"):
        checked(brokers, lambda topics: topics.update({name: TopicSeen(4, f"{name} 2")}))


def test_a_topic_that_is_missing_once_may_be_unknown_to_a_broker_that_has_just_started(brokers: Brokers) -> None:
    checked(brokers, lambda topics: topics.pop("shop.triggers"))


def test_a_topic_that_is_missing_twice_is_gone(brokers: Brokers) -> None:
    with pytest.raises(TopicsChanged, match=r"topic shop\.triggers has been deleted"):
        checked(brokers, lambda topics: topics.pop("shop.triggers"), times=2)


def test_brokers_without_ids_are_believed_as_to_numbers_alone(brokers: Brokers) -> None:
    checked(brokers, lambda topics: topics.update({"shop.journal": TopicSeen(4, "")}))


def test_a_worker_does_not_start_on_another_number_or_without_a_topic(brokers: Brokers) -> None:
    async def begin() -> None:
        a_topology(brokers).begin()

    brokers.topics["shop.journal"] = TopicSeen(5, "id")
    del brokers.topics["shop.triggers"]
    with pytest.raises(TopicsChanged, match=r"journal has 5 partitions instead of 4; topic shop\.triggers is missing"):
        asyncio.run(begin())


def test_without_given_numbers_a_changelog_has_to_fit_its_input(brokers: Brokers) -> None:
    unused: Any = object()
    source = Input("shop.journal", unused, "shop.profiles-changelog", unused)

    async def begin() -> None:
        a_topology(brokers, source, counts={}).begin()

    asyncio.run(begin())
    brokers.topics["shop.profiles-changelog"] = TopicSeen(3, "id")
    with pytest.raises(TopicsChanged, match=r"topic shop\.profiles-changelog has 3 partitions instead of 4"):
        asyncio.run(begin())


def test_partitions_that_are_assigned_together_use_one_answer_and_no_earlier_one(brokers: Brokers) -> None:
    async def run() -> None:
        topology = a_topology(brokers)
        topology.begin()
        await topology.check()
        assigned_s = brokers.now_s
        for _ in range(5):
            assert (await topology.check(assigned_s))["shop.journal"] == "shop.journal 1"
        brokers.now_s += 1
        brokers.topics["shop.journal"] = TopicSeen(5, "shop.journal 1")
        with pytest.raises(TopicsChanged):
            await topology.check(brokers.now_s)

    asyncio.run(run())
    assert brokers.asked == 4


def test_the_watch_outlives_brokers_that_are_away_and_ends_with_a_change(brokers: Brokers) -> None:
    seen: list[Exception] = []

    async def note(error: Exception) -> None:
        seen.append(error)

    async def run() -> None:
        topology = a_topology(brokers)
        topology.begin()
        watching = asyncio.create_task(topology.watch(1, note))
        brokers.is_away = True
        await brokers.was_asked.wait()
        brokers.is_away = False
        brokers.topics["shop.journal"] = TopicSeen(5, "shop.journal 1")
        await watching

    asyncio.run(run())
    assert [type(error) for error in seen] == [TopicsChanged]
