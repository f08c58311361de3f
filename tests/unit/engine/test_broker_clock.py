"""The brokers' time as a worker knows it: never later than it is, whatever its own clocks do."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, cast

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME
from structlog.testing import capture_logs

from streams.engine.broker_clock import ASK_SECONDS, FRESH_SECONDS_MAX, BrokerClock
from tests.support.kept import Kept
from tests.support.world import DAY_MS, START_MS

if TYPE_CHECKING:
    from confluent_kafka import Message


class Worker:
    """A worker's two clocks, and brokers' reports that it hears."""

    def __init__(self) -> None:
        self.rising_s = 1_000.0
        self.wall_s = START_MS / 1_000
        self.clock = BrokerClock(lambda: self.rising_s, lambda: self.wall_s)

    def pass_time(self, seconds: float) -> None:
        self.rising_s += seconds
        self.wall_s += seconds

    def hear(self, stamped_ms: int, place: tuple[str, int] = ("journal", 0), took_s: float = 0.0) -> None:
        """A report of a record whose sending took so long, all of it until it was heard."""
        self.clock.heard(a_report(TIMESTAMP_LOG_APPEND_TIME, stamped_ms, place), self.rising_s - took_s)


def a_report(kind: int, stamped_ms: int, place: tuple[str, int] = ("journal", 0)) -> Message:
    topic, partition = place
    stamped = Kept(None, None, kept_partition=partition, kept_timestamp=(kind, stamped_ms), kept_topic=topic)
    return cast("Message", stamped)


def test_without_a_stamp_there_is_no_time_and_the_worker_wants_one() -> None:
    worker = Worker()
    assert worker.clock.now_ms() is None
    assert math.isnan(worker.clock.wall_ahead_s)
    assert worker.clock.wants_stamp()


def test_it_asks_once_and_again_only_after_a_while() -> None:
    worker = Worker()
    worker.clock.asked()
    assert not worker.clock.wants_stamp()
    worker.pass_time(ASK_SECONDS)
    assert worker.clock.wants_stamp()
    worker.clock.asked()
    worker.clock.forget_asked()
    assert worker.clock.wants_stamp()


def test_time_is_the_stamp_and_what_has_passed_since_it_was_heard() -> None:
    worker = Worker()
    worker.hear(START_MS + DAY_MS)
    worker.pass_time(2.5)
    assert worker.clock.now_ms() == START_MS + DAY_MS + 2_500
    assert not worker.clock.wants_stamp()


@pytest.mark.parametrize("wall_s", [-DAY_MS / 1_000, 7_200, 400 * DAY_MS / 1_000])
def test_the_wall_clock_of_the_worker_moves_nothing(wall_s: float) -> None:
    worker = Worker()
    worker.hear(START_MS)
    worker.wall_s += wall_s
    assert worker.clock.now_ms() == START_MS
    assert worker.clock.wall_ahead_s == pytest.approx(wall_s)


@pytest.mark.parametrize("seed", range(20))
def test_it_is_never_later_than_the_brokers_time(seed: int) -> None:
    """However long a record waits to be sent, and its report to be heard."""
    chance, worker, true_ms = Random(seed), Worker(), START_MS + 0.0
    for _ in range(200):
        began_s = worker.rising_s
        waits_s = [chance.choice([0.001, 0.1, 30.0]) * chance.random() for _ in range(3)]
        worker.pass_time(waits_s[0])
        stamped_ms = true_ms + waits_s[0] * 1_000
        worker.pass_time(waits_s[1])
        worker.clock.heard(a_report(TIMESTAMP_LOG_APPEND_TIME, int(stamped_ms)), began_s)
        worker.pass_time(waits_s[2])
        true_ms += sum(waits_s) * 1_000
        now_ms = worker.clock.now_ms()
        assert now_ms is not None, f"seed {seed}"
        assert true_ms - waits_s[1] * 1_000 - 2 <= now_ms <= true_ms, f"seed {seed}"
        assert worker.clock.wall_ahead_s == pytest.approx(0, abs=0.002), f"seed {seed}"


def test_a_machine_that_was_suspended_is_late_until_the_next_stamp() -> None:
    worker = Worker()
    worker.hear(START_MS)
    worker.wall_s += 3_600  # the rising clock stopped
    assert worker.clock.now_ms() == START_MS
    worker.hear(START_MS + 3_600_000)
    assert worker.clock.now_ms() == START_MS + 3_600_000


def test_the_slowest_of_several_brokers_counts_and_the_most_different_is_shown() -> None:
    worker = Worker()
    for place, apart_ms in ((("journal", 0), 300), (("journal", 1), -200), (("journal", 2), DAY_MS)):
        worker.hear(START_MS + apart_ms, place)
    assert worker.clock.now_ms() == START_MS - 200
    assert worker.clock.wall_ahead_s == pytest.approx(-DAY_MS / 1_000)


def test_a_slow_report_alone_shows_no_clock_apart() -> None:
    worker = Worker()
    worker.hear(START_MS - 9_000, took_s=20.0)
    assert worker.clock.wall_ahead_s == 0


def test_an_old_stamp_is_not_believed_any_more() -> None:
    worker = Worker()
    worker.hear(START_MS)
    worker.pass_time(FRESH_SECONDS_MAX + 1)
    assert worker.clock.now_ms() is None
    assert worker.clock.wants_stamp()


def test_the_time_of_whoever_wrote_a_record_is_no_stamp_and_the_log_says_once_what_to_do() -> None:
    worker = Worker()
    with capture_logs() as logged:
        for _ in range(3):
            worker.clock.heard(a_report(TIMESTAMP_CREATE_TIME, START_MS), worker.rising_s)
    assert worker.clock.now_ms() is None
    (line,) = logged
    assert (line["log_level"], line["topic"]) == ("error", "journal")
    assert "`touchstream topics create`" in line["event"]
