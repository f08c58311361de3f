"""A prefix whose time an earlier release pushed 400 days ahead, on a real Kafka: a person brings it back."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from schemas.journal import CollectedTo, PartitionProgress, Progress
from schemas.outputs import DeadLetter, Trigger
from schemas.touchpoint import Product, Touchpoint
from schemas.wire import SINGLE_OBJECT
from streams.operations.create import Published, create_prefix, make_topics, publish
from streams.settings import DomainSettings
from streams.worker_settings import WorkerSettings
from tests.support.commands import run
from tests.support.flows import a_flow
from tests.support.producing import a_producer
from tests.support.running import Place, a_worker, send
from tests.support.watching import until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.acceptance

DAY_MS = 86_400_000
PARTITIONS = 2
CAPS = {"per_channel_hours": 0, "per_week": 10}


@pytest.fixture
def place(kafka: str, prefix: str, tmp_path: Path) -> Place:
    """By the rules of an earlier release."""
    settings = WorkerSettings(brokers=kafka, prefix=prefix)
    domain = DomainSettings.model_validate(
        {
            "clock": "wall",
            "touchpoint_partitions": PARTITIONS,
            "journal_partitions": PARTITIONS,
            "consent_default": "granted",
            "flows": [a_flow(wait={"for": "3s"}, caps=CAPS)],
        }
    )
    make_topics(settings, domain, 1)
    publish(settings, Published(domain, 1))
    return Place(settings, domain, tmp_path)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def a_cart(place: Place, user: str) -> None:
    article = Product(sku="mug", price_minor=900, quantity=1)
    event_id = f"{user}-{now_ms()}"
    send(
        place,
        [Touchpoint(event_id=event_id, type="product_added", time_ms=now_ms(), user_id=user, products=(article,))],
    )


def reminders(place: Place, user: str) -> int:
    return sum(trigger.customer == f"u:{user}" for trigger in place.records("triggers", Trigger))


def say_time(place: Place, at_ms: int) -> None:
    """As a worker whose clock is wrong, of an earlier release."""
    progress = tuple(PartitionProgress(number, at_ms) for number in range(PARTITIONS))
    with a_producer(place.settings.brokers) as producer:
        for number in range(PARTITIONS):
            for record in (CollectedTo(progress), Progress(progress)):
                producer.produce(place.topics.journal, SINGLE_OBJECT.encode(record), None, number)


def shown(place: Place) -> list[dict[str, Any]]:
    result = run("time", "show", "--json", **place.variables)
    assert result.exit_code == 0, result.output
    times: list[dict[str, Any]] = json.loads(result.stdout)
    return times


def ahead_ms(place: Place) -> list[int]:
    return [each["ahead_ms"] for each in shown(place) if each["ahead_ms"] is not None]


def test_a_prefix_pushed_400_days_ahead_comes_back_and_reminds_again(place: Place) -> None:
    with a_worker(place):
        a_cart(place, "1")
        until(lambda: reminders(place, "1") == 1, "it works", 30)
        say_time(place, now_ms() + 400 * DAY_MS)
        until(lambda: len(ahead_ms(place)) == PARTITIONS and min(ahead_ms(place)) > 399 * DAY_MS, "time is ahead", 30)
        refusal = run("time", "reset", "--reason", "a wrong clock", "--yes", **place.variables)
        assert refusal.exit_code == 2
        assert "`touchstream topics create`" in refusal.stderr
        create_prefix(place.settings, place.domain)
        a_cart(place, "1")
        assert min(ahead_ms(place)) > 399 * DAY_MS
        assert "399 days" in run("time", "show", **place.variables).stdout
        done = run("time", "reset", "--reason", "a wrong clock", "--yes", **place.variables)
        assert done.exit_code == 0, done.output
        until(lambda: max(ahead_ms(place)) < 5_000, "time is the brokers'", 30)
        a_cart(place, "2")
        until(lambda: reminders(place, "2") == 1, "who comes is reminded", 30)
        say_time(place, now_ms() + 400 * DAY_MS)
        refused = f"{2 * PARTITIONS} records of a time to come are set aside"
        until(lambda: len(place.records("dead_letters", DeadLetter)) == 2 * PARTITIONS, refused, 30)
        a_cart(place, "3")
        until(lambda: reminders(place, "3") == 1, "and time goes on", 30)
        assert max(ahead_ms(place)) < 5_000
    assert {letter.reason for letter in place.records("dead_letters", DeadLetter)} == {"ahead_of_time"}
    verified = run("verify", **place.variables)
    assert verified.exit_code == 0, verified.output
