"""Restoring while others go on."""

from random import Random
from threading import Event

import pytest

from streams.engine.clients import Clients
from streams.engine.restore import OffsetMissing, Restoration, Restored, restore
from streams.fold.partition_state import PARTITION_KEY, JournalCodec, PartitionState
from tests.simulation.disk import ModelDisk
from tests.simulation.faults import Fault, Faults
from tests.simulation.history import domain
from tests.simulation.model_broker import Entry, ModelBroker
from tests.simulation.model_consumer import ModelConsumer
from tests.simulation.scheduler import Process, Scheduler
from tests.simulation.worker import TOPICS, engine_settings, inputs

JOURNAL, CHANGELOG = (TOPICS.journal, 0), (TOPICS.profiles_changelog, 0)


class OtherWorker:
    """Commits the first cycle of a partition while this worker is held up at a call."""

    def __init__(self, call: str, *, tells_offset: bool) -> None:
        scheduler = Scheduler(Random(0))
        self.broker = ModelBroker(scheduler, dict.fromkeys(TOPICS.all(), 2))
        self._process = Process(scheduler)
        self._faults = Faults([Fault("hold", call, 1)], lambda *_: self._commit())
        self._tells_offset = tells_offset

    def _commit(self) -> None:
        value = JournalCodec().encode(PARTITION_KEY, PartitionState())
        self.broker.log(CHANGELOG).append(Entry(PARTITION_KEY, value))
        if self._tells_offset:
            self.broker.offsets[JOURNAL] = 7

    def restore_meanwhile(self) -> Restored | None:
        disk = ModelDisk(self._faults)
        disk.process = self._process
        clients = Clients(
            consumer=lambda config: ModelConsumer(config, self._process, self.broker, self._faults), disk=disk
        )
        source = inputs(domain())[1]
        return restore(Restoration(engine_settings(0), clients, source, 0, Event(), lambda _: None))


def test_a_worker_that_was_stopped_while_another_made_the_first_commit_misses_no_offset() -> None:
    restored = OtherWorker("watermarks", tells_offset=True).restore_meanwhile()
    assert restored is not None
    assert restored.committed == 7


def test_state_without_an_offset_is_refused() -> None:
    with pytest.raises(OffsetMissing, match=r"shop\.journal-0 has state in shop\.profiles-changelog"):
        OtherWorker("watermarks", tells_offset=False).restore_meanwhile()
