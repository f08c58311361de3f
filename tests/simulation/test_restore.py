"""Restoring while others go on."""

from random import Random
from threading import Event

import pytest

from state.codec import frame
from streams.engine.clients import Clients
from streams.engine.errors import ChangelogLost, OffsetMissing
from streams.engine.local_state import REBUILDING, UNFINISHED
from streams.engine.restore import Restoration, Restored, restore
from streams.fold.partition_state import PARTITION_KEY, JournalCodec, PartitionState
from tests.simulation.disk import ModelDisk
from tests.simulation.faults import Fault, Faults
from tests.simulation.history import domain
from tests.simulation.model_broker import Entry, Log, ModelBroker, ModelTopics
from tests.simulation.model_consumer import ModelConsumer
from tests.simulation.scheduler import Process, Scheduler
from tests.simulation.worker import TOPICS, engine_settings, inputs

JOURNAL, CHANGELOG = (TOPICS.journal, 0), (TOPICS.profiles_changelog, 0)


class Place:
    """A journal partition with its changelog, and the disk of one worker."""

    def __init__(self) -> None:
        scheduler = Scheduler(Random(0))
        self.broker = ModelBroker(scheduler, dict.fromkeys(TOPICS.all(), 2))
        self._process = Process(scheduler)
        self._faults = Faults((), lambda *_: None)
        self.disk = ModelDisk(self._faults)
        self.disk.process = self._process

    @property
    def changelog(self) -> Log:
        return self.broker.log(CHANGELOG)

    def fold(self, customers: int) -> None:
        """Records of so many customers are folded and committed."""
        for number in range(customers):
            self.broker.log(JOURNAL).append(Entry(b"u:%d" % number, b"record"))
            self.changelog.append(Entry(b"u:%d" % number, frame(1, 0, b"state")))
        self.broker.offsets[JOURNAL] = len(self.broker.log(JOURNAL).entries)

    def make_again(self, *topics: str) -> None:
        for topic in topics:
            self.broker.make_again(topic)

    def restore(self) -> int:
        """As a worker that starts; the number of records in its state."""
        clients = Clients(
            consumer=lambda config: ModelConsumer(config, self._process, self.broker, self._faults), disk=self.disk
        )
        source = inputs(domain())[1]
        ids = {name: topic.id for name, topic in ModelTopics(self.broker).ask(TOPICS.all()).items()}
        restored = restore(Restoration(engine_settings(0), clients, source, 0, Event(), lambda _: None, ids))
        assert restored is not None
        assert restored.store is not None
        count = len(list(restored.store.items()))
        restored.store.close()
        return count

    def held(self) -> dict[str, int]:
        """Records by directory."""
        return {path.name: len(list(store.items())) for path, store in self.disk.stores.items()}


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


def test_a_changelog_that_was_emptied_costs_no_state() -> None:
    place = Place()
    place.fold(50)
    assert place.restore() == 50
    place.changelog.delete_before(50)
    with pytest.raises(ChangelogLost, match=r"shop\.profiles-changelog-0 begins at offset 50 instead of 0"):
        place.restore()
    assert place.held() == {"shop.journal-0": 50}


def test_a_changelog_without_its_head_is_no_ground_for_a_new_worker() -> None:
    place = Place()
    place.fold(50)
    place.changelog.delete_before(20)
    with pytest.raises(ChangelogLost, match="begins at offset 20"):
        place.restore()


@pytest.mark.parametrize("customers_after", [0, 30, 50, 80])
def test_a_changelog_that_was_made_again_alone_costs_no_state_however_long_it_is(customers_after: int) -> None:
    place = Place()
    place.fold(50)
    assert place.restore() == 50
    place.make_again(TOPICS.profiles_changelog)
    place.fold(customers_after)
    with pytest.raises(ChangelogLost, match="was deleted and made again"):
        place.restore()
    assert place.held() == {"shop.journal-0": 50}


def test_without_local_state_an_empty_changelog_of_a_folded_journal_is_refused() -> None:
    place = Place()
    place.fold(50)
    place.make_again(TOPICS.profiles_changelog)
    with pytest.raises(ChangelogLost, match=r"is empty, though shop\.journal-0 was processed up to offset 50"):
        place.restore()


def test_a_partition_of_which_nothing_visible_was_read_needs_no_changelog() -> None:
    place = Place()
    place.broker.log(JOURNAL).entries.append(None)
    place.broker.offsets[JOURNAL] = 1
    assert place.restore() == 0


@pytest.mark.parametrize("customers_after", [0, 30, 50, 80])
def test_when_all_topics_were_made_again_the_old_state_is_set_aside(customers_after: int) -> None:
    place = Place()
    place.fold(50)
    assert place.restore() == 50
    place.make_again(*TOPICS.all())
    place.fold(customers_after)
    assert place.restore() == customers_after
    assert sorted(place.held().values()) == sorted([50, customers_after])


def test_a_journal_that_was_made_again_alone_is_refused() -> None:
    place = Place()
    place.fold(50)
    assert place.restore() == 50
    place.make_again(TOPICS.journal)
    with pytest.raises(ChangelogLost, match="its input was deleted and made again"):
        place.restore()
    assert place.held() == {"shop.journal-0": 50}


def test_a_compacted_changelog_is_as_good_as_before() -> None:
    place = Place()
    for _ in range(3):
        place.fold(50)
    place.changelog.compact()
    assert place.restore() == 50
    place.fold(60)
    assert place.restore() == 60


def test_a_changelog_that_a_rebuild_has_not_finished_is_refused_until_it_has() -> None:
    place = Place()
    place.changelog.append(Entry(REBUILDING, UNFINISHED))
    place.fold(5)
    with pytest.raises(ChangelogLost, match="half written"):
        place.restore()
    place.changelog.append(Entry(REBUILDING, None))
    assert place.restore() == 5
