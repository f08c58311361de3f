"""Records that a retention deletes before a worker reads them are counted and named, and the worker stops for them."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from prometheus_client.parser import text_string_to_metric_families

from schemas.outputs import ProfileView
from streams.operations.create import create_prefix
from tests.support.running import (
    CUSTOMERS,
    NEEDS_PERSON,
    AWorker,
    Place,
    Started,
    a_worker,
    buy,
    make_place,
    wait_worked_off,
)
from tests.support.watching import until
from tests.support.world import DAY_MS, START_MS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.acceptance, pytest.mark.heavy]

COUNTED = "touchstream_lost_records_total"


class Lingering(Started):
    """It need not become ready."""

    ready_path = "/health/live"


@pytest.fixture
def place(kafka: str, prefix: str, tmp_path: Path) -> Place:
    """A prefix whose records so far are worked off."""
    place = make_place(kafka, prefix, tmp_path)
    buy(place)
    with a_worker(place):
        wait_worked_off(place)
    return place


def delete_all(place: Place, topic: str) -> int:
    """Deletes what partition 0 of a topic holds, as a retention does; the first offset that is left."""
    admin = AdminClient({"bootstrap.servers": place.settings.brokers})
    [answer] = admin.delete_records([TopicPartition(getattr(place.topics, topic), 0, -1)]).values()
    return int(answer.result().low_watermark)


def asked(worker: AWorker, page: str) -> httpx.Response:
    return httpx.get(worker.address + page, trust_env=False, timeout=5)


def lost_by(worker: AWorker) -> dict[str, float]:
    """What the metrics say, by topic."""
    text = asked(worker, "/metrics").text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {sample.labels["topic"]: sample.value for sample in samples if sample.name == COUNTED and sample.value}


def test_a_worker_stops_at_touchpoints_that_are_gone_and_shows_how_many(place: Place) -> None:
    buy(place, START_MS + DAY_MS)
    end = delete_all(place, "touchpoints")
    with Lingering(place) as worker:
        until(lambda: lost_by(worker), "it is counted")
        lost = lost_by(worker)[place.topics.touchpoints]
        assert 0 < lost < end
        answer = asked(worker, "/health/ready")
        assert answer.status_code == 503
        assert "records were deleted before a worker had read them" in answer.text
        until(lambda: worker.exit_code is not None, "it ends")
    assert worker.exit_code == NEEDS_PERSON
    assert (
        f"{place.topics.touchpoints}-0: records were deleted before a worker had read them, up to {lost:.0f}"
        in (worker.log.read_text().splitlines()[-1])
    )


@pytest.mark.parametrize("topic", ["journal", "facts"])
def test_a_worker_stops_at_records_of_any_input_that_are_gone(place: Place, topic: str) -> None:
    # settings are a record of both
    create_prefix(place.settings, place.domain.model_copy(update={"unanswered_max": 7}))
    delete_all(place, topic)
    with Lingering(place) as worker:
        until(lambda: worker.exit_code is not None, "it ends")
    assert worker.exit_code == NEEDS_PERSON
    assert (
        f"{getattr(place.topics, topic)}-0: records were deleted before a worker had read them"
        in (worker.log.read_text().splitlines()[-1])
    )


def test_a_worker_goes_on_without_them_if_that_is_said(place: Place) -> None:
    buy(place, START_MS + DAY_MS)
    delete_all(place, "touchpoints")
    with a_worker(place, on_lost="continue") as worker:
        until(lambda: lost_by(worker), "it is counted")
        wait_worked_off(place)
        lost = lost_by(worker)[place.topics.touchpoints]
    assert lost > 0
    with a_worker(place) as worker:
        buy(place, START_MS + 2 * DAY_MS)
        wait_worked_off(place)
        assert lost_by(worker) == {}, "counted twice"
    profiles = place.last("profiles", ProfileView).values()
    assert sum(profile.orders for profile in profiles) == 3 * CUSTOMERS - lost


@pytest.mark.parametrize("on_lost", ["stop", "continue"])
def test_records_that_go_while_a_worker_hangs_are_noticed_too(place: Place, on_lost: str) -> None:
    with Lingering(place, on_lost=on_lost) as worker:
        wait_worked_off(place)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGSTOP)
        time.sleep(1)  # the request under way is answered without records
        buy(place, START_MS + DAY_MS)
        delete_all(place, "touchpoints")
        os.kill(worker.pid, signal.SIGCONT)
        until(lambda: lost_by(worker), "it is counted")
        if on_lost == "continue":
            buy(place, START_MS + 2 * DAY_MS)
            wait_worked_off(place)
        else:
            until(lambda: worker.exit_code is not None, "it ends", 60)
    assert worker.exit_code == (0 if on_lost == "continue" else NEEDS_PERSON)
    assert "records lost" in worker.log.read_text()
