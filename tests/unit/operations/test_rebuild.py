"""A changelog that is written again, in transactions, by one rebuild alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from schemas.insights import Count, Facts
from schemas.journal import Progress
from schemas.outputs import DeadLetter
from schemas.wire import SINGLE_OBJECT
from state.memory import MemoryStore
from state.overlay import Overlay
from streams.engine.local_state import REBUILDING, UNFINISHED
from streams.insights.fold import fold_record
from streams.insights.state import InsightCodec
from streams.kafka.doubts import REPEATED_SECONDS
from streams.kafka.transactional import TransactionalProducer
from streams.operations.prefix import Prefix
from streams.operations.rebuild import CannotRebuild, Rebuilt, rebuild
from streams.topics import Topics
from streams.worker_settings import WorkerSettings
from tests.support.kept import Kept
from tests.support.memory_worker import MemoryWorker, configured
from tests.support.transactional import Brokers
from tests.support.world import START_MS, an_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from confluent_kafka import TopicPartition

    from streams.insights.effects import InsightEffects

SETTINGS = {"clock": "marks", "touchpoint_partitions": 1, "journal_partitions": 2}
CUSTOMERS = 30
TOPICS = Topics("memory")
FIRST, SECOND = ((TOPICS.profiles_changelog, number) for number in (0, 1))
OF_INSIGHTS = TOPICS.insights_changelog, 0
FULL: list[tuple[bytes | None, bytes | None]] = [(b"a", b"state")]


@dataclass(frozen=True, slots=True)
class KeptPrefix(Prefix):
    """A prefix at rest: all that a worker has written, and changelogs as brokers hold them."""

    brokers: Brokers = field(default_factory=Brokers)
    topics: dict[str, list[list[Kept]]] = field(default_factory=dict)

    def read(self, topic: str, partition: int, start: int = 0) -> Iterator[Any]:
        if topic in self.topics:
            return iter(self.topics[topic][partition][start:])
        records = self.brokers.records[getattr(TOPICS, topic), partition]
        return (Kept(*record, (), offset, partition) for offset, record in enumerate([*records][start:], start))

    def last(self, topic: str, partition: int) -> Any:
        return next(reversed([*self.read(topic, partition)]), None)

    def committed(self, places: Sequence[TopicPartition]) -> list[int]:
        partitions = self.topics["journal"] if places[0].topic == TOPICS.journal else self.topics["facts"]
        return [len(partitions[place.partition]) for place in places]

    def members(self) -> int:
        return 0


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> Brokers:
    made = Brokers()
    made.records[OF_INSIGHTS] = [*FULL]
    monkeypatch.setattr(
        "streams.kafka.publisher.TransactionalProducer",
        lambda config: TransactionalProducer(config, made.producer, made.clock_s),
    )
    monkeypatch.setattr("streams.operations.rebuild._RECORDS_MAX", 5)
    return made


@pytest.fixture
def worker() -> MemoryWorker:
    worker = MemoryWorker(configured(**SETTINGS))
    for number in range(CUSTOMERS):
        worker.send(an_order(START_MS + number, user=f"c{number}"))
    worker.commit()
    return worker


def a_prefix(worker: MemoryWorker, brokers: Brokers, facts: Sequence[Kept] = ()) -> KeptPrefix:
    topics: dict[str, list[list[Kept]]] = {"journal": worker.journal, "dead_letters": [[]], "facts": [[*facts]]}
    return KeptPrefix(WorkerSettings(prefix="memory"), worker.settings, SINGLE_OBJECT, brokers=brokers, topics=topics)


def configuration(worker: MemoryWorker) -> list[bytes]:
    return [value for value in [worker.journal[0][0].value()] if value is not None]


def facts_of(worker: MemoryWorker) -> list[bytes]:
    return [each.value for each in worker.outputs if each.topic == TOPICS.facts and each.value is not None]


def test_what_was_lost_is_written_between_marks(worker: MemoryWorker, brokers: Brokers) -> None:
    brokers.records[SECOND] = [*FULL]
    state = worker.stored(0)
    assert rebuild(a_prefix(worker, brokers)) == Rebuilt(len(state), 0)
    (first, *written, last) = brokers.records[FIRST]
    assert (first, last) == ((REBUILDING, UNFINISHED), (REBUILDING, None))
    assert dict(written) == state
    assert brokers.records[SECOND] == brokers.records[OF_INSIGHTS] == FULL


def test_a_doubt_between_two_transactions_makes_a_new_producer(worker: MemoryWorker, brokers: Brokers) -> None:
    brokers.takes_s = 2 * REPEATED_SECONDS
    states = [worker.stored(number) for number in (0, 1)]
    assert rebuild(a_prefix(worker, brokers)).profiles == sum(map(len, states))
    assert [dict(brokers.records[place][1:-1]) for place in (FIRST, SECOND)] == states
    assert set(brokers.names) == {brokers.names[0]}
    assert len(brokers.names) == brokers.calls.count("commit_transaction") > 4


@pytest.mark.parametrize("is_of_first", [True, False])
def test_another_that_wrote_before_the_new_producer_was_made_ends_this_one(
    worker: MemoryWorker,
    brokers: Brokers,
    is_of_first: bool,  # noqa: FBT001 - a case
) -> None:
    """Within a partition, or before the first transaction of the next one."""
    place = FIRST if is_of_first else SECOND
    done = 6 if is_of_first else len(worker.stored(0)) + 2
    brokers.takes_s = 2 * REPEATED_SECONDS

    def write_as_another(made: Brokers) -> None:
        if len(made.records[FIRST]) == done:
            made.records[place] += [(REBUILDING, UNFINISHED), *FULL, (REBUILDING, None)]

    brokers.on_made = write_as_another
    with pytest.raises(CannotRebuild, match=f"{place[0]}-{place[1]}"):
        rebuild(a_prefix(worker, brokers))
    assert brokers.records[place][-1] == (REBUILDING, None), "nothing was written behind it"


def test_what_an_earlier_rebuild_wrote_until_it_was_fenced_counts(worker: MemoryWorker, brokers: Brokers) -> None:
    def finish(made: Brokers) -> None:
        made.records[FIRST] = made.records[SECOND] = [(REBUILDING, UNFINISHED), *FULL, (REBUILDING, None)]

    brokers.on_made = finish
    with pytest.raises(CannotRebuild, match="no changelog of prefix memory is empty"):
        rebuild(a_prefix(worker, brokers))


def test_a_rebuild_that_was_killed_is_done_again(worker: MemoryWorker, brokers: Brokers) -> None:
    brokers.records[FIRST] = [(REBUILDING, UNFINISHED), (b"a", b"half")]
    brokers.records[SECOND] = [(REBUILDING, UNFINISHED), *FULL, (REBUILDING, None)]
    brokers.takes_s = 2 * REPEATED_SECONDS
    assert rebuild(a_prefix(worker, brokers)).profiles == len(worker.stored(0))
    assert brokers.records[FIRST][2] == (REBUILDING, UNFINISHED)
    assert dict(brokers.records[FIRST][3:-1]) == worker.stored(0)


@pytest.mark.parametrize("commit_every", [10_000, 3])
def test_insights_follow_from_the_facts_that_workers_did_not_set_aside(
    worker: MemoryWorker, brokers: Brokers, monkeypatch: pytest.MonkeyPatch, commit_every: int
) -> None:
    """Nor from what is refused now as it was then, though its letter is gone."""
    good = [*configuration(worker), *facts_of(worker)]
    bad = SINGLE_OBJECT.encode(Facts(99, None, (Count("orders", 0, "", 1),), ()))
    values = [good[0], bad, b"rubbish", SINGLE_OBJECT.encode(Progress()), good[1], *good]
    letter = SINGLE_OBJECT.encode(DeadLetter("raised", "", "insights", TOPICS.facts, 0, 4))
    prefix = a_prefix(worker, brokers, [Kept(None, value, (), offset) for offset, value in enumerate(values)])
    prefix.topics["dead_letters"] = [[Kept(None, letter)]]
    brokers.records[OF_INSIGHTS].clear()
    brokers.records[FIRST] = brokers.records[SECOND] = [*FULL]
    monkeypatch.setattr("streams.operations.rebuild._COMMIT_EVERY", commit_every)
    assert rebuild(prefix).profiles == 0
    expected = Overlay[Any](MemoryStore(), InsightCodec())
    for value in good:
        fold_record(expected, SINGLE_OBJECT.decode(value))
    expected.freeze()
    expected.committed(1)
    assert dict(brokers.records[OF_INSIGHTS][1:-1]) == dict(expected.store.items())


@pytest.mark.interpreted
def test_what_may_be_undone_while_facts_are_folded_is_one_record(
    worker: MemoryWorker, brokers: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [*configuration(worker), *facts_of(worker) * 20]
    prefix = a_prefix(worker, brokers, [Kept(None, value, (), offset) for offset, value in enumerate(values)])
    brokers.records[OF_INSIGHTS].clear()
    before: list[int] = []

    def watched(state: Any, *given: Any) -> InsightEffects:
        before.append(state.changes())
        return fold_record(state, *given)

    monkeypatch.setattr("streams.operations.rebuild.fold_record", watched)
    rebuild(prefix)
    assert before == [0] * len(values)
