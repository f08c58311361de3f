"""Kills during a replay leave no trace in what comes out."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, TopicPartition

from streams.flows.language.files import library_documents
from streams.kafka.config import reader_config
from streams.replay.files.columns import map_files
from streams.replay.files.mapped import MappedTouchpoint
from streams.replay.files.mapping import load_mapping
from streams.replay.replayer import ReplayOptions, Source, replay
from streams.shop.generator import Shop, ShopParameters
from tests.support.claims import (
    DEVICES,
    assert_balanced,
    assert_nothing_twice,
    assert_prefix_is_nowhere,
    assert_verified,
)
from tests.support.files import real_file
from tests.support.outcomes import ORDERED, Outcome, differing, logged_in, read_outcome
from tests.support.running import AWorker, Place, a_worker, make_place, play, wait_worked_off

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

pytestmark = [pytest.mark.acceptance, pytest.mark.heavy]

QUICK = ShopParameters(seed=11, start=date(2025, 9, 4), days=3, orders_per_hour=8, customers=200, outages=())
SLOW = ShopParameters(seed=12, start=date(2025, 9, 4), days=14, orders_per_hour=30, customers=2_000, outages=())
KILLED_AT = (0.15, 0.5, 0.85)
"""Shares of the touchpoints that were in the journal, or on their way, when the worker was killed."""
WIPED = {1, 2}
"""The kills that took the local state too."""
_GIVE_UP_SECONDS = 90.0
_LOOK_SECONDS = 0.01


def a_shop(parameters: ShopParameters) -> list[MappedTouchpoint]:
    return list(logged_in(Shop(parameters)))


def journal_ends(place: Place, consumer: Consumer) -> int:
    """Records in the journal, those of open transactions too."""
    parts = (TopicPartition(place.topics.journal, number) for number in range(place.domain.journal_partitions))
    return sum(consumer.get_watermark_offsets(part, timeout=10.0)[1] for part in parts)


def wait_for_journal(place: Place, records: float) -> None:
    config = {**reader_config(place.settings.brokers, {}), "isolation.level": "read_uncommitted"}
    consumer = Consumer(config)
    give_up_at = time.monotonic() + _GIVE_UP_SECONDS
    try:
        while (end := journal_ends(place, consumer)) < records:
            assert time.monotonic() < give_up_at, f"the journal holds {end} of {records:.0f} records"
            time.sleep(_LOOK_SECONDS)
    finally:
        consumer.close()


def play_with_kills(place: Place, mapped: Sequence[MappedTouchpoint]) -> list[int | None]:
    """Replays, killing the worker as KILLED_AT says; exit codes of the killed."""
    worker, codes = AWorker(place), []
    with worker, ThreadPoolExecutor(1) as background:
        replaying = background.submit(replay, [Source("input", mapped)], place.target, ReplayOptions())
        for number, share in enumerate(KILLED_AT):
            wait_for_journal(place, share * len(mapped))
            worker.kill()
            codes.append(worker.exit_code)
            if number in WIPED:
                shutil.rmtree(worker.folder / "state")
            worker.start()
        replaying.result()
        wait_worked_off(place)
    assert worker.exit_code == 0
    return codes


def run_calm_and_killed(
    kafka: str, prefix: str, folder: Path, mapped: Sequence[MappedTouchpoint], **domain: object
) -> tuple[Outcome, Outcome, Place]:
    domain = {"flows": library_documents(), **domain}
    calm_place = make_place(kafka, f"{prefix}-calm", folder / "calm", **domain)
    with a_worker(calm_place):
        play(calm_place, Source("input", mapped))
    killed_place = make_place(kafka, f"{prefix}-killed", folder / "killed", **domain)
    assert play_with_kills(killed_place, mapped) == [-9, -9, -9]
    return read_outcome(calm_place), read_outcome(killed_place), killed_place


def assert_equal(calm: Outcome, killed: Outcome) -> None:
    assert differing(calm, killed) == {}
    assert killed.counts == calm.counts
    assert killed.panel == calm.panel
    assert killed.accounting() == calm.accounting()
    assert killed.letters == calm.letters


def test_three_kills_leave_every_output_as_a_calm_run_has_it(kafka: str, prefix: str, tmp_path: Path) -> None:
    mapped = a_shop(QUICK)
    calm, killed, place = run_calm_and_killed(kafka, prefix, tmp_path, mapped)
    for topic in ORDERED:
        assert len(calm.values[topic]) > 50, f"the shop is too small to tell anything about {topic}"
    assert calm.total("refunds") > 0
    assert_equal(calm, killed)
    assert_nothing_twice(killed)
    assert_balanced(killed, len(mapped))
    assert_prefix_is_nowhere(killed, place)
    assert_verified(place)


def test_three_kills_while_devices_turn_into_users_lose_and_double_nothing(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    mapped = list(Shop(DEVICES).mapped())
    place = make_place(kafka, prefix, tmp_path, flows=library_documents())
    assert play_with_kills(place, mapped) == [-9, -9, -9]
    outcome = read_outcome(place)
    assert outcome.total("forwards_sent") > 0
    assert outcome.total("duplicates") == repeats(mapped)
    assert outcome.letters == {}
    assert_nothing_twice(outcome)
    assert_balanced(outcome, len(mapped))
    assert_prefix_is_nowhere(outcome, place)
    assert_verified(place)


@pytest.mark.slow
def test_three_kills_during_two_weeks_of_a_shop_leave_no_trace(kafka: str, prefix: str, tmp_path: Path) -> None:
    mapped = a_shop(SLOW)
    calm, killed, place = run_calm_and_killed(kafka, prefix, tmp_path, mapped, journal_partitions=4)
    assert len(killed.values["models"]) == 2, "the weeks should teach cuts and clusters"
    assert_equal(calm, killed)
    assert_nothing_twice(killed)
    assert_balanced(killed, len(mapped))
    assert_verified(place)


@pytest.mark.slow
def test_three_kills_during_the_hours_of_rees46_leave_no_trace(kafka: str, prefix: str, tmp_path: Path) -> None:
    path = real_file("rees46/2019-10-01_first_hours.csv.gz")
    mapped = [each for each in map_files([path], load_mapping("rees46")) if isinstance(each, MappedTouchpoint)]
    calm, killed, place = run_calm_and_killed(kafka, prefix, tmp_path, mapped, reporting_currency="USD")
    assert_equal(calm, killed)
    assert_nothing_twice(killed)
    assert_balanced(killed, len(mapped))
    assert_verified(place)


def repeats(mapped: Iterable[MappedTouchpoint]) -> int:
    """Touchpoints whose event id had come before."""
    ids = [each.touchpoint.event_id for each in mapped]
    return len(ids) - len(set(ids))
