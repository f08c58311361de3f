"""A prefix whose time is the wall's: it goes on although nobody sends anything, and never ahead."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from confluent_kafka import Producer

from schemas import wire
from schemas.journal import Progress
from schemas.outputs import Decision, Trigger
from schemas.touchpoint import Order, Product, Touchpoint
from streams.collect.keys import key_of
from tests.support.running import AWorker, Place, a_worker, make_place
from tests.support.watching import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT_MS = 3_000
TOKEN = "sesame"  # noqa: S105 - of a worker that lives for one test


@pytest.fixture
def place(kafka: str, prefix: str, tmp_path: Path, abandoned_cart: dict[str, object]) -> Place:
    quick: dict[str, Any] = {**abandoned_cart, "wait": {"for": f"{WAIT_MS // 1000}s"}, "holdout_percent": 0}
    return make_place(kafka, prefix, tmp_path, clock="wall", journal_partitions=3, flows=[quick])


def send(place: Place, *touchpoints: Touchpoint) -> None:
    producer = Producer({"bootstrap.servers": place.settings.brokers, "partitioner": "murmur2_random"})
    for each in touchpoints:
        producer.produce(place.topics.touchpoints, wire.encode(each), key_of(each))
    assert producer.flush(10) == 0


def an_add(number: int) -> Touchpoint:
    now_ms = time.time_ns() // 1_000_000
    article = Product(sku="mug", price_minor=900, quantity=1)
    return Touchpoint(
        event_id=f"add-{number}", type="product_added", time_ms=now_ms, user_id=str(number), products=(article,)
    )


def progress(place: Place) -> dict[int, list[tuple[int, Progress]]]:
    """(time written, Progress) by journal partition."""
    told: dict[int, list[tuple[int, Progress]]] = {}
    for message in place.messages("journal"):
        record = wire.decode(message.value() or b"")
        if isinstance(record, Progress):
            told.setdefault(message.partition() or 0, []).append((message.timestamp()[1], record))
    return told


def test_a_cart_is_reminded_of_in_time_although_nobody_sends_anything_more(place: Place) -> None:
    with a_worker(place):
        adds = [an_add(number) for number in range(5)]
        send(place, *adds)
        until(lambda: len(place.records("triggers", Trigger)) == len(adds), "every cart is reminded of", 20)
    written = {trigger.customer: (at_ms, trigger) for at_ms, trigger in _stamped(place)}
    for add in adds:
        at_ms, trigger = written[f"u:{add.user_id}"]
        assert trigger.due_ms == add.time_ms + WAIT_MS
        assert at_ms >= trigger.due_ms
    outcomes = [decision.outcome for decision in place.records("decisions", Decision)]
    assert sorted(outcomes) == ["entered"] * len(adds) + ["sent"] * len(adds)


def test_an_order_in_time_leaves_nothing_to_remind_of(place: Place) -> None:
    paid = Order(order_id="o-2", currency="EUR", total_minor=900)
    with a_worker(place):
        left, bought = an_add(1), an_add(2)
        order = Touchpoint(event_id="o", type="order_completed", time_ms=bought.time_ms + 1, user_id="2", order=paid)
        send(place, left, bought, order)
        until(lambda: place.records("triggers", Trigger), "the cart that was left is reminded of", 20)
        until(lambda: sum(each.final for each in place.records("decisions", Decision)) == 2, "both are decided", 20)
    assert [each.customer for each in place.records("triggers", Trigger)] == ["u:1"]


def test_time_comes_to_idle_partitions_about_once_a_second_and_never_ahead_of_the_wall(place: Place) -> None:
    with a_worker(place):
        send(place, an_add(1))
        until(lambda: all(len(told) >= 6 for told in _each_partition(place)), "time goes on in every partition", 30)
    for told in _each_partition(place):
        written_ms = [at_ms for at_ms, _ in told]
        assert len(told) <= 2 + (written_ms[-1] - written_ms[0]) / 1_000
        reached: dict[int, int] = {}
        for at_ms, each in told:
            for said in each.partitions:
                assert said.time_ms <= at_ms
                assert said.time_ms > reached.get(said.partition, 0)
                reached[said.partition] = said.time_ms
        assert reached.keys() == set(range(place.domain.touchpoint_partitions))


def test_a_worker_with_a_token_tells_strangers_only_that_it_lives(place: Place) -> None:
    worker = AWorker(place, web_token=TOKEN)
    worker.ready_path = "/health/live"
    bearer = {"Authorization": f"Bearer {TOKEN}"}

    def get(path: str, **headers: str) -> httpx.Response:
        return httpx.get(worker.address + path, headers=headers, trust_env=False, timeout=5)

    with worker:
        until(lambda: get("/health/ready", **bearer).status_code == httpx.codes.OK, "it is ready")
        send(place, an_add(7))
        until(lambda: get("/profile/u:7", **bearer).status_code == httpx.codes.OK, "the customer is known")
        shown = get("/profile/u:7", **bearer).json()
        metrics = get("/metrics", **bearer)
        refused = [get(path).status_code for path in ("/health/ready", "/metrics", "/profile/u:7")]
        wrong = get("/metrics", Authorization="Bearer open").status_code
        lives = get("/health/live").status_code
    assert (shown["customer"], shown["user_id"]) == ("u:7", "7")
    assert metrics.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "touchstream_wall_clock 1.0" in metrics.text
    assert (refused, wrong, lives) == ([401] * 3, 401, 200)
    assert worker.exit_code == 0


def _stamped(place: Place) -> Iterator[tuple[int, Trigger]]:
    for message in place.messages("triggers"):
        yield message.timestamp()[1], wire.decode_as(Trigger, message.value() or b"")


def _each_partition(place: Place) -> list[list[tuple[int, Progress]]]:
    told = progress(place)
    return [told.get(number, []) for number in range(place.domain.journal_partitions)]
