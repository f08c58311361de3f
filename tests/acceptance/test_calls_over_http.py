"""What was accepted over HTTP is in the journal and counts once, whenever the server dies, however often it comes."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from random import Random
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from schemas.insights import Kpi
from schemas.outputs import ProfileView
from schemas.touchpoint import Mark, Touchpoint
from streams.demo.servers.broker import Broker
from tests.support.door import KEY, a_track, basic
from tests.support.door_process import DoorProcess, until_accepted
from tests.support.running import a_worker, make_place, send, wait_worked_off
from tests.support.watching import until
from tests.support.world import DAY_MS, HOUR_MS, START_MS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.acceptance, pytest.mark.heavy]

CALLS = 100
KILLS = 20
CUSTOMERS = 50
LIFE_BATCHES = 3
"""A server lives as long as so many batches take at most, on however busy a machine."""
HEADERS = {"Authorization": basic(KEY), "Content-Type": "application/json"}


def a_batch(number: int) -> bytes:
    """Orders of 10 EUR; every second call has no id of its own."""
    calls = []
    for place in range(CALLS):
        name = f"{number}-{place}"
        call: dict[str, Any] = {
            "type": "track",
            "event": "Order Completed",
            "userId": f"c{place % CUSTOMERS}",
            "timestamp": f"2026-01-01T{number % 24:02}:{place % 60:02}:00Z",
            "properties": {"order_id": name, "total": 10, "currency": "EUR"},
        }
        calls.append(call | ({"messageId": name} if place % 2 else {}))
    return json.dumps({"batch": calls}).encode()


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_a_server_that_is_killed_loses_and_doubles_nothing(kafka: str, prefix: str, tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    place = make_place(kafka, prefix, tmp_path)
    door = DoorProcess(place)
    stop = threading.Event()
    tries: list[int] = []

    def send_all() -> None:
        while not stop.is_set():
            body = a_batch(len(tries))
            tries.append(until_accepted(f"{door.address}/v1/batch", body, HEADERS))

    client = threading.Thread(target=send_all)
    with a_worker(place):
        door.start()
        begun = time.monotonic()
        client.start()
        until(lambda: len(tries) > LIFE_BATCHES, "some batches were accepted", 60)
        batch_seconds = (time.monotonic() - begun) / len(tries)
        for _ in range(KILLS):
            time.sleep(random.uniform(0, LIFE_BATCHES * batch_seconds))
            door.kill()
            door.start()
        stop.set()
        client.join()
        door.stop()
        for partition in range(place.domain.touchpoint_partitions):
            send(place, [Mark(START_MS + 2 * DAY_MS + 3 * HOUR_MS)], partition)
        wait_worked_off(place)
    count = len(tries) * CALLS
    print(f"{len(tries)} batches, of which {sum(each > 1 for each in tries)} came again")  # noqa: T201 - for the reader
    assert sum(each > 1 for each in tries) > KILLS // 4, "the kills met hardly a request"
    journal = place.records("journal", Touchpoint)
    assert len({(each.source, each.event_id) for each in journal}) == count
    profiles = place.last("profiles", ProfileView)
    assert len(profiles) == CUSTOMERS
    assert {(each.orders, each.monetary_minor) for each in profiles.values()} == {
        (count // CUSTOMERS, count // CUSTOMERS * 1_000)
    }
    (orders,) = newest(place.records("kpis", Kpi), "orders", "day")
    assert orders == count


def newest(kpis: list[Kpi], name: str, grain: str) -> list[float]:
    """Values of the last revision of each window."""
    found = {each.start_ms: each for each in kpis if (each.name, each.grain, each.by) == (name, grain, "")}
    return [each.value for each in found.values() if each.value]


def test_a_call_is_a_record_with_its_source_and_its_door_and_the_log_has_nothing_of_it(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    place = make_place(kafka, prefix, tmp_path)
    with DoorProcess(place) as door, httpx.Client(base_url=door.address, trust_env=False, timeout=30) as client:
        traits = {"email": "ada@example.org"}
        answer = client.post("/v1/identify", json={"userId": "7", "traits": traits}, headers=HEADERS)
        assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
        assert client.post("/v1/identify", json={"userId": "7", "traits": "ada@example.org"}, headers=HEADERS).is_error
        assert 'touchstream_serve_records_total{sender="server"} 1.0' in client.get("/metrics").text
    assert door.exit_code == 0
    log = (tmp_path / "door" / "door.log").read_text("utf-8")
    assert "listening" in log
    assert "ada@example.org" not in log
    assert KEY not in log
    (message,) = place.messages("touchpoints")
    headers = dict(message.headers() or [])
    assert (headers["source"], headers["door"], message.key()) == (b"api", b"segment", b"u:7")


def test_while_brokers_are_away_the_answer_is_503_and_afterwards_what_comes_again_is_accepted(tmp_path: Path) -> None:
    with Broker() as broker:
        place = make_place(broker.bootstrap, "away", tmp_path)
        with DoorProcess(place, acknowledge_seconds_max=2) as door:
            url, body = f"{door.address}/v1/track", json.dumps(a_track()).encode()
            assert until_accepted(url, body, HEADERS) == 1
            pid = broker.pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            try:
                answer = httpx.post(url, content=body, headers=HEADERS, trust_env=False, timeout=20)
                assert answer.status_code == 503
                assert int(answer.headers["Retry-After"]) >= 1
                until(lambda: door.page("/health/ready", 5) is None, "it is not ready", 30)
                assert door.page("/health/live", 5) is not None
            finally:
                os.kill(pid, signal.SIGCONT)
            assert until_accepted(url, body, HEADERS) >= 1
            until(lambda: door.page("/health/ready", 5) is not None, "it is ready", 30)
