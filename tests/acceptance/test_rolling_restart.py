"""Two workers are restarted one after the other, under load, and nothing is lost or doubled."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING

import pytest

from schemas.wire import encode
from streams.collect.keys import key_of
from streams.flows.language.files import library_documents
from tests.support.claims import assert_balanced, assert_nothing_twice, assert_verified
from tests.support.outcomes import read_outcome
from tests.support.producing import a_producer
from tests.support.running import AWorker, Place, make_place, wait_worked_off
from tests.support.world import a_touchpoint, an_add, an_order

if TYPE_CHECKING:
    from pathlib import Path

    from schemas.touchpoint import Touchpoint

pytestmark = [pytest.mark.acceptance, pytest.mark.heavy]

CUSTOMERS = 60
BURST = 20
PAUSE_SECONDS = 0.1
RESTARTS = 4


def an_event(number: int) -> Touchpoint:
    """Touchpoints of a customer who views on a phone, logs in to fill a cart, and orders."""
    now_ms, who, phone = int(time.time() * 1000), str(number % CUSTOMERS), f"phone-{number % CUSTOMERS}"
    match number // CUSTOMERS % 3:
        case 0:
            return a_touchpoint("page_viewed", now_ms, user=None, anonymous_id=phone)
        case 1:
            return an_add(now_ms, user=who, anonymous_id=phone)
    return an_order(now_ms, 1_000, user=who, anonymous_id=phone)


def send_until(stopped: Event, place: Place) -> list[Touchpoint]:
    sent: list[Touchpoint] = []
    with a_producer(place.settings.brokers) as producer:
        while not stopped.wait(PAUSE_SECONDS):
            for number in range(len(sent), len(sent) + BURST):
                sent.append(an_event(number))
                producer.produce(place.topics.touchpoints, encode(sent[-1]), key_of(sent[-1]))
            producer.poll(0)
    return sent


@pytest.mark.parametrize("membership", ["static", "dynamic"])
def test_a_rolling_restart_of_two_workers_under_load_loses_nothing(
    kafka: str, prefix: str, tmp_path: Path, membership: str
) -> None:
    place = make_place(kafka, prefix, tmp_path, clock="wall", flows=library_documents(), journal_partitions=4)
    workers = [AWorker(place, name, membership=membership) for name in ("0", "1")]
    stopped = Event()
    with workers[0], workers[1], ThreadPoolExecutor(1) as background:
        sending = background.submit(send_until, stopped, place)
        try:
            for number in range(RESTARTS):
                worker = workers[number % 2]
                worker.stop()
                assert worker.exit_code == 0, worker.log.read_text()[-4000:]
                worker.start()
        finally:
            stopped.set()
        sent = sending.result()
        wait_worked_off(place)
    assert [worker.exit_code for worker in workers] == [0, 0]
    outcome = read_outcome(place)
    assert outcome.total("orders") == sum(event.type == "order_completed" for event in sent) > CUSTOMERS
    assert outcome.total("forwards_sent") > 0
    assert (outcome.total("duplicates"), outcome.letters.total()) == (0, 0)
    assert_nothing_twice(outcome)
    assert_balanced(outcome, len(sent))
    assert_verified(place)
