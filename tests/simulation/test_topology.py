"""Topics that change under simulated workers end them by name; nothing goes astray before that."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pytest

from schemas.wire import SINGLE_OBJECT
from tests.simulation.model_broker import Entry, Log
from tests.simulation.model_producer import partition_of
from tests.simulation.outcome import ORDERED
from tests.simulation.worker import TOPICS
from tests.simulation.world import Case, World
from tests.support.world import START_MS, a_touchpoint

if TYPE_CHECKING:
    from streams.engine.settings import EngineSettings

STARTED_S, NOTICED_S = 2.5, 8.0


class Changed(World):
    """Two calm workers on topics that somebody else changes."""

    def __init__(self, seed: int, on_lost: Literal["stop", "continue"] = "stop") -> None:
        self._on_lost: Literal["stop", "continue"] = on_lost
        super().__init__(replace(Case.of(seed), faults=(), workers=2))
        self.scheduler.pass_time(STARTED_S)
        assert not self.ended, f"seed {seed}"

    def settings(self, slot: int) -> EngineSettings:
        return replace(super().settings(slot), on_lost=self._on_lost)

    def notice(self) -> Counter[str]:
        """How the workers ended that had time to notice: the first word of each error."""
        self.scheduler.pass_time(NOTICED_S)
        found = Counter(ended.partition("(")[0] for ended in self.ended)
        self.stop()
        return found

    def hold_all(self, seconds: float) -> None:
        for worker in self.workers.values():
            worker.process.hold(seconds)


def an_entry(number: int) -> Entry:
    event = a_touchpoint("page_viewed", START_MS, user="late", event_id=f"late-{number}")
    return Entry(b"u:late", SINGLE_OBJECT.encode(event))


@pytest.mark.parametrize("topic", [*ORDERED, TOPICS.journal, TOPICS.touchpoints, TOPICS.profiles_changelog])
def test_a_partition_that_is_added_ends_every_worker_and_misplaces_nothing(seed: int, topic: str) -> None:
    world = Changed(seed)
    counts = {name: len(logs) for name, logs in world.broker.topics.items()}
    world.broker.topics[topic].append(Log())
    assert set(world.notice()) == {"TopicsChanged"}
    assert all(f"topic {topic} has {counts[topic] + 1} partitions" in each for each in world.ended)
    for name in (*ORDERED, TOPICS.journal):
        for number, log in enumerate(world.broker.topics[name]):
            for _, entry in log.committed():
                assert entry.key is None or number == partition_of(entry.key, counts[name])


@pytest.mark.parametrize("topic", [TOPICS.triggers, TOPICS.profiles_changelog, TOPICS.insights_changelog])
def test_a_topic_that_is_made_again_ends_every_worker(seed: int, topic: str) -> None:
    world = Changed(seed)
    world.broker.make_again(topic)
    found = world.notice()
    assert found["TopicMadeAgain"]
    # a worker that starts after that meets a changelog that is not the one of its state
    assert set(found) <= {"TopicMadeAgain", "ChangelogLost"}


@pytest.mark.parametrize("held_s", [0.2, 2.0])
def test_records_that_go_unread_stop_the_workers(seed: int, held_s: float) -> None:
    world = Changed(seed)
    world.hold_all(held_s)
    log = world.broker.log((TOPICS.touchpoints, 0))
    end = len(log.entries)
    for number in range(5):
        log.take(an_entry(number))
    log.delete_before(end + 5)
    assert set(world.notice()) == {"RecordsLost"}
    said = f"{TOPICS.touchpoints}-0: records were deleted before a worker had read them"
    assert all(said in each for each in world.ended)


@pytest.mark.parametrize("held_s", [0.2, 2.0])
def test_workers_go_on_without_them_if_that_is_said(seed: int, held_s: float) -> None:
    world = Changed(seed, on_lost="continue")
    world.hold_all(held_s)
    log = world.broker.log((TOPICS.touchpoints, 0))
    end = len(log.entries)
    for number in range(5):
        log.take(an_entry(number))
    log.delete_before(end + 5)
    log.take(an_entry(99))
    assert world.notice() == Counter()
    assert world.broker.offsets[TOPICS.touchpoints, 0] >= end + 6
    journal = b"".join(
        entry.value or b"" for each in world.broker.topics[TOPICS.journal] for _, entry in each.committed()
    )
    assert b"late-99" in journal
    assert b"late-0" not in journal
