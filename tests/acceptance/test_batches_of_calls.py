"""A batch of calls comes in once, whatever happens to the worker, and what is refused of it can be retried alone."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from time import sleep
from typing import TYPE_CHECKING, Any

import pytest

from schemas.outputs import DeadLetter, ProfileView
from schemas.touchpoint import Touchpoint
from streams.operations.create import change_settings
from tests.support.commands import run
from tests.support.producing import a_producer
from tests.support.running import AWorker, Place, a_worker, make_place, wait_worked_off

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.acceptance, pytest.mark.heavy]

BATCHES = 40
CALLS = 50
KILLS = 3


def a_call(batch: int, number: int, kind: str = "track", **fields: Any) -> dict[str, Any]:
    call = {
        "type": kind,
        "messageId": f"m-{batch}-{number}",
        "userId": f"c{number % 7}",
        "originalTimestamp": f"2026-01-01T00:{batch % 60:02}:{number % 60:02}Z",
    }
    return {**call, **fields}


def a_batch(batch: int) -> bytes:
    """Orders, an event of the shop's own, an order without an amount, and an alias that its source may not send."""
    calls = [
        a_call(
            batch,
            number,
            event="Order Completed",
            properties={"order_id": f"o-{batch}-{number}", "total": 10, "currency": "EUR"},
        )
        for number in range(CALLS - 3)
    ]
    calls.append(a_call(batch, CALLS - 3, event="Quiz Finished", properties={"score": 7}))
    calls.append(a_call(batch, CALLS - 2, event="Order Completed", properties={"order_id": "o"}))
    calls.append(a_call(batch, CALLS - 1, "alias", userId=f"n{batch}", previousId=f"p{batch}"))
    return json.dumps({"batch": calls, "sentAt": f"2026-01-01T00:{batch % 60:02}:59Z"}).encode()


def test_a_batch_comes_in_once_though_the_worker_is_killed(kafka: str, prefix: str, tmp_path: Path) -> None:
    seed = Random().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    random = Random(seed)
    place = make_place(kafka, prefix, tmp_path, clock="wall", flows=[])
    worker = AWorker(place)
    with a_producer(place.settings.brokers) as producer:
        for batch in range(BATCHES):
            headers = [("source", b"app"), ("trace", b"x" * 100)]
            producer.produce(place.topics.touchpoints, a_batch(batch), f"u:{batch}", headers=headers)
    for _ in range(KILLS):
        with worker:
            sleep(random.uniform(0, 1))
            worker.kill()
    with a_worker(place):
        wait_worked_off(place)
        _all_came_in_once(place)
    _what_was_refused_comes_in_when_it_may(place)


def _all_came_in_once(place: Place) -> None:
    events = place.records("journal", Touchpoint)
    ids = Counter(event.event_id for event in events)
    expected = {f"m-{batch}-{number}" for batch in range(BATCHES) for number in range(CALLS - 2)}
    assert (set(ids), set(ids.values())) == (expected, {1})
    assert {event.source for event in events} == {"app"}
    letters = place.records("dead_letters", DeadLetter)
    assert Counter(letter.reason for letter in letters) == {"no_amount": BATCHES, "may_not_link": BATCHES}
    for letter in letters:
        assert json.loads(letter.value or b"")["messageId"].endswith(("-48", "-49")), "a letter has its part alone"
        assert letter.headers == {"source": b"app"}
        assert letter.received_ms > 0
    views = place.last("profiles", ProfileView)
    assert sum(view.orders for view in views.values()) == BATCHES * (CALLS - 3)


def _what_was_refused_comes_in_when_it_may(place: Place) -> None:
    before = {event.event_id: event.time_ms for event in place.records("journal", Touchpoint)}
    found = place.records("dead_letters", DeadLetter)
    letters = {json.loads(letter.value or b"")["messageId"]: letter for letter in found}
    change_settings(place.settings, lambda domain, _: domain.model_copy(update={"linking_sources": ("app",)}))
    retried = run("dead-letters", "retry", "--all", **place.variables)
    assert retried.exit_code == 0, retried.output
    with a_worker(place):
        wait_worked_off(place)
    events = {event.event_id: event for event in place.records("journal", Touchpoint)}
    assert before.items() <= {event_id: event.time_ms for event_id, event in events.items()}.items()
    came = events.keys() - before.keys()
    assert came == {f"m-{batch}-{CALLS - 1}" for batch in range(BATCHES)}
    for event_id in came:
        # they waited ten seconds on their device, before they were received for the first time
        assert events[event_id].time_ms == letters[event_id].received_ms - 10_000
