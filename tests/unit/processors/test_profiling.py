"""What a worker that takes a journal partition over goes on with."""

from __future__ import annotations

from schemas.journal import CollectedTo, PartitionProgress
from schemas.wire import SINGLE_OBJECT
from streams.kafka.offsets import GroupOffsets
from streams.processors.profiling import Profiling
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import Known, Observer
from streams.topics import Topics
from tests.support.world import START_MS, World


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
