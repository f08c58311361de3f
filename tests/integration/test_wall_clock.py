"""A prefix whose time is the wall's: it goes on although nobody sends anything, and never ahead."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import httpx
import pytest

from schemas import wire
from schemas.journal import CollectedTo, Progress
from schemas.outputs import Decision, Trigger
from schemas.touchpoint import Order, Product, Touchpoint
from tests.support.flows import a_flow
from tests.support.running import AWorker, Place, a_worker, make_place, send
from tests.support.watching import until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

T = TypeVar("T")

WAIT_MS = 3_000
TOKEN = "sesame"  # noqa: S105 - of a worker that lives for one test


@pytest.fixture
def place(kafka: str, prefix: str, tmp_path: Path) -> Place:
    quick = a_flow(wait={"for": f"{WAIT_MS // 1000}s"})
    return make_place(kafka, prefix, tmp_path, clock="wall", journal_partitions=3, flows=[quick])


def an_add(number: int) -> Touchpoint:
    now_ms = time.time_ns() // 1_000_000
    article = Product(sku="mug", price_minor=900, quantity=1)
    return Touchpoint(
        event_id=f"add-{number}", type="product_added", time_ms=now_ms, user_id=str(number), products=(article,)
    )


def told(place: Place, kind: type[T]) -> list[list[tuple[int, T]]]:
    """(time written, record) by journal partition."""
    found: list[list[tuple[int, T]]] = [[] for _ in range(place.domain.journal_partitions)]
    for message in place.messages("journal"):
        record = wire.decode(message.value() or b"")
        if isinstance(record, kind):
            found[message.partition() or 0].append((message.timestamp()[1], record))
    return found


def test_a_cart_is_reminded_of_in_time_although_nobody_sends_anything_more(place: Place) -> None:
    with a_worker(place):
        adds = [an_add(number) for number in range(1, 6)]
        send(place, adds)
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
        send(place, [left, bought, order])
        until(lambda: place.records("triggers", Trigger), "the cart that was left is reminded of", 20)
        until(lambda: sum(each.final for each in place.records("decisions", Decision)) == 2, "both are decided", 20)
    assert [each.customer for each in place.records("triggers", Trigger)] == ["u:1"]


def test_time_comes_to_idle_partitions_about_once_a_second_and_never_ahead_of_the_brokers(place: Place) -> None:
    with a_worker(place):
        send(place, [an_add(1)])
        until(lambda: all(len(each) >= 6 for each in told(place, Progress)), "time goes on in every partition", 30)
    for asked_and_collected, come in zip(told(place, CollectedTo), told(place, Progress), strict=True):
        asked, *collected = asked_and_collected
        assert asked[1].partitions == ()  # only to hear the brokers' time
        assert _reached(collected, rise_ms_min=1_000) == set(range(place.domain.touchpoint_partitions))
        assert _reached(come, rise_ms_min=0) == set(range(place.domain.touchpoint_partitions))
        assert len(come) <= len(collected)


def test_a_worker_with_a_token_tells_strangers_only_that_it_lives(place: Place) -> None:
    worker = AWorker(place, web_token=TOKEN)
    worker.ready_path = "/health/live"
    bearer = {"Authorization": f"Bearer {TOKEN}"}

    def get(path: str, **headers: str) -> httpx.Response:
        return httpx.get(worker.address + path, headers=headers, trust_env=False, timeout=5)

    with worker:
        until(lambda: get("/health/ready", **bearer).status_code == httpx.codes.OK, "it is ready")
        send(place, [an_add(7)])
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


def _reached(told: Iterable[tuple[int, CollectedTo | Progress]], rise_ms_min: int) -> set[int]:
    """Which input partitions time has come in; in none it falls or is ahead of the wall, in some it rises so much."""
    reached: dict[int, int] = {}
    for at_ms, each in told:
        rises = [said.time_ms - reached.get(said.partition, 0) for said in each.partitions]
        assert min(rises) >= 0
        assert max(rises) >= rise_ms_min
        reached |= {said.partition: said.time_ms for said in each.partitions}
        assert max(reached.values()) <= at_ms
    return set(reached)
