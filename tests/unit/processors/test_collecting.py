"""How far time is announced to have come, in a prefix on wall time."""

from __future__ import annotations

from typing import Any, cast

import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME

from schemas.journal import CollectedTo
from schemas.wire import SINGLE_OBJECT
from streams.engine.batch import Batch
from streams.processors.collecting import MARGIN_MS, Collecting, ReadPosition, Source
from streams.settings import DomainSettings
from streams.telemetry.metrics import Metrics
from streams.telemetry.observer import Known, Observer
from streams.topics import Topics
from tests.support.kept import Kept
from tests.support.world import DAY_MS, START_MS, a_touchpoint

TOPICS = Topics("shop")
PARTITIONS = 2


class Brokers:
    """Their time, which moves only by the test, as the worker has heard of it."""

    def __init__(self) -> None:
        self.time_ms: int | None = None
        self.has_asked = False

    def now_ms(self) -> int | None:
        return self.time_ms

    def wants_stamp(self) -> bool:
        return self.time_ms is None and not self.has_asked

    def asked(self) -> None:
        self.has_asked = True

    def forget_asked(self) -> None:
        self.has_asked = False


class ACollector:
    """The owner of input partition 0, which has read all there is unless said otherwise."""

    def __init__(self, clock: str = "wall") -> None:
        self.brokers = Brokers()
        self.lag = 0
        domain = DomainSettings.model_validate({"clock": clock, "journal_partitions": PARTITIONS})
        source = Source(self._position, self.brokers)
        self.collecting = Collecting(TOPICS, domain, SINGLE_OBJECT, source, Observer(Metrics(), Known()))
        self.collecting.assigned(0, None)

    def _position(self, _: int) -> ReadPosition:
        """The end was asked for half a second ago."""
        now_ms = self.brokers.time_ms
        return ReadPosition(7, 7 + self.lag, None if now_ms is None else now_ms - 500)

    def collect(self, stamped_ms: int) -> None:
        value = SINGLE_OBJECT.encode(a_touchpoint("page_viewed", START_MS))
        message = cast("Any", Kept(b"1", value, kept_timestamp=(TIMESTAMP_LOG_APPEND_TIME, stamped_ms)))
        list(self.collecting.process(Batch(TOPICS.touchpoints, 0, [message], 8)))

    def announced(self) -> list[int] | None:
        """The times that a cycle announces to each journal partition; None: it writes nothing."""
        outputs = list(self.collecting.conclude({0}))
        assert {output.partition for output in outputs} in (set(), set(range(PARTITIONS)))
        said = {_times(output.value) for output in outputs}
        assert len(said) <= 1
        self.collecting.committed()
        return list(said.pop()) if said else None


def _times(value: bytes | None) -> tuple[int, ...]:
    return tuple(each.time_ms for each in SINGLE_OBJECT.decode_as(CollectedTo, value or b"").partitions)


def test_a_worker_that_does_not_know_the_brokers_time_writes_first_and_says_nothing_of_time() -> None:
    worker = ACollector()
    assert worker.collecting.wants_cycle()
    assert worker.announced() == []
    assert not worker.collecting.wants_cycle()
    assert worker.announced() is None


def test_an_idle_partition_has_come_to_the_brokers_time_of_the_question_less_the_margin() -> None:
    worker = ACollector()
    worker.brokers.time_ms = START_MS
    assert worker.collecting.wants_cycle()
    assert worker.announced() == [START_MS - 500 - MARGIN_MS]
    worker.brokers.time_ms += 999
    assert worker.announced() is None
    worker.brokers.time_ms += 1
    assert worker.announced() == [START_MS + 500 - MARGIN_MS]


def test_while_records_wait_time_comes_from_their_stamps_alone() -> None:
    worker = ACollector()
    worker.lag = 2
    worker.brokers.time_ms = START_MS
    assert worker.announced() is None
    worker.collect(START_MS - 60_000)
    assert worker.announced() == [START_MS - 60_000]


def test_without_stamps_of_the_journal_time_comes_from_touchpoints_alone() -> None:
    worker = ACollector()
    worker.brokers.has_asked = True
    worker.collect(START_MS)
    assert worker.announced() == [START_MS]
    assert worker.announced() is None


@pytest.mark.parametrize("ahead_ms", [MARGIN_MS + 1, DAY_MS, 400 * DAY_MS])
def test_a_broker_whose_clock_is_ahead_moves_time_no_further_than_the_others_allow(ahead_ms: int) -> None:
    worker = ACollector()
    worker.lag = 2
    worker.brokers.time_ms = START_MS
    worker.collect(START_MS + ahead_ms)
    assert worker.announced() == [START_MS + MARGIN_MS]
    worker.brokers.time_ms += DAY_MS
    worker.collect(START_MS + DAY_MS)
    assert worker.announced() == [START_MS + DAY_MS]


def test_what_an_aborted_cycle_asked_is_asked_again() -> None:
    worker = ACollector()
    assert list(worker.collecting.conclude({0})) != []
    worker.collecting.dropped()
    assert worker.collecting.wants_cycle()


def test_a_worker_without_partitions_and_a_prefix_with_marks_ask_nothing() -> None:
    worker = ACollector()
    worker.collecting.revoked(0)
    assert not worker.collecting.wants_cycle()
    assert list(worker.collecting.conclude(())) == []
    replay = ACollector("marks")
    assert not replay.collecting.wants_cycle()
    assert replay.announced() is None


def test_a_brokers_clock_that_was_seconds_off_makes_time_wait_and_one_that_was_a_day_off_start_again() -> None:
    worker = ACollector()
    said: list[int] = []
    for time_ms in (START_MS, START_MS - 3_000, START_MS + 2_000, START_MS - DAY_MS):
        worker.brokers.time_ms = time_ms
        said += worker.announced() or ()
    behind_ms = 500 + MARGIN_MS
    assert said == [START_MS - behind_ms, START_MS + 2_000 - behind_ms, START_MS - DAY_MS - behind_ms]
