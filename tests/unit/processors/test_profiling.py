"""What a worker that takes a journal partition over goes on with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.journal import CollectedTo, PartitionProgress
from schemas.limits import FACTS_BYTES_MAX
from schemas.wire import SINGLE_OBJECT
from streams.kafka.offsets import GroupOffsets
from streams.processors.profiling import Profiling
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import Known, Observer
from streams.topics import Topics
from tests.support.memory_worker import TOPICS, MemoryWorker, configured
from tests.support.world import START_MS, World, a_refund, a_touchpoint, an_order

if TYPE_CHECKING:
    from schemas.insights import Facts


def test_a_worker_that_takes_a_partition_over_announces_what_was_collected_before() -> None:
    """A mark is collected once: were it lost with the worker that read it, time would stand still."""
    world = World(touchpoint_partitions=2)
    world.append("", CollectedTo((PartitionProgress(0, START_MS), PartitionProgress(1, START_MS + 1))))
    world.commit()
    profiling = Profiling(Topics("shop"), SINGLE_OBJECT, Observer(Metrics(), Known()), 3)
    profiling.assigned(0, world.overlay)
    assert not profiling.wants_cycle()
    assert profiling.wants_look()
    profiling.looked(GroupOffsets({0: 7, 1: 7, 2: 7}, {0: 7, 1: 7, 2: 7}))
    assert profiling.wants_cycle()
    (told_now,) = profiling.conclude([0])
    assert (told_now.topic, told_now.partition) == ("shop.journal", 0)
    world.append("", SINGLE_OBJECT.decode(told_now.value or b""))
    assert world.fold.complete_to_ms() == START_MS
    profiling.committed()
    assert not profiling.wants_cycle()


def test_long_channels_in_one_commit_give_facts_that_their_topic_takes_and_only_the_last_moves_time() -> None:
    worker = MemoryWorker(configured(clock="marks", touchpoint_partitions=1, journal_partitions=1))
    worker.pass_time(START_MS)
    before = len(worker.outputs)
    # a profile keeps 31 different names of this length
    for at in range(200):
        worker.send(a_touchpoint("ad_clicked", START_MS + at, f"{at // 20}", channel=f"{at:\U0001f680>128}"))
    for at in range(100):
        worker.send(an_order(START_MS + 3_600_000 * (at % 10 + 1), user=f"{at // 10}"))
    worker.commit()
    sent = [output.value or b"" for output in worker.outputs[before:] if output.topic == TOPICS.facts]
    facts: list[Facts] = [SINGLE_OBJECT.decode(value) for value in sent]
    assert len(sent) > 1
    assert max(map(len, sent)) < FACTS_BYTES_MAX
    assert [record.complete_to_ms is None for record in facts] == [True] * (len(facts) - 1) + [False]


def test_ten_thousand_of_the_largest_refunds_in_one_commit_are_counted_whole() -> None:
    worker = MemoryWorker(configured(clock="marks", touchpoint_partitions=1, journal_partitions=1))
    for at in range(10_000):
        worker.send(a_refund(START_MS, f"order-{at}", 10**15, user=f"user-{at}"))
    worker.commit()
    sent = [SINGLE_OBJECT.decode(output.value or b"") for output in worker.outputs if output.topic == TOPICS.facts]
    assert sum(count.value for record in sent for count in record.counts if count.name == "refunds_minor") == 10**19
