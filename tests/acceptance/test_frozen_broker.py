"""A broker that is frozen answers nobody: every worker says so, and goes on when it wakes."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from streams.demo.servers.broker import Broker
from streams.telemetry.metrics import SILENT_S_MAX
from tests.support.engine_bench import wait_until
from tests.support.outcomes import read_outcome
from tests.support.running import AWorker, make_place, send, wait_worked_off
from tests.support.world import HOUR_MS, START_MS, an_order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.acceptance, pytest.mark.slow, pytest.mark.timeout(400)]

NOTICED_SECONDS = SILENT_S_MAX + 15
"""An answer that was asked for just before may take ten seconds to fail."""


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


def is_ready(worker: AWorker) -> bool:
    return worker.page("/health/ready", 5.0) is not None


def shows(worker: AWorker, name: str) -> bool:
    page = worker.page("/metrics", 5.0) or ""
    return any(line.startswith(name) for line in page.splitlines())


def test_all_workers_of_a_frozen_broker_are_not_ready_until_it_wakes(broker: Broker, tmp_path: Path) -> None:
    place = make_place(broker.bootstrap, "frozen", tmp_path)
    with AWorker(place, "0") as one, AWorker(place, "1") as other:
        send(place, [an_order(START_MS + hour * HOUR_MS, user=f"u-{hour}") for hour in range(20)])
        wait_worked_off(place)
        assert is_ready(one)
        assert is_ready(other)
        assert shows(one, "touchstream_lag_records{")
        pid = broker.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            frozen_s = time.monotonic()
            workers = (one, other)
            wait_until(lambda: not any(map(is_ready, workers)), "workers that are not ready", NOTICED_SECONDS)
            noticed_s = time.monotonic() - frozen_s
            for worker in (one, other):
                assert worker.exit_code is not None or not shows(worker, "touchstream_lag_records{")
            time.sleep(max(0.0, 60 - noticed_s))
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: all(back(worker) for worker in (one, other)), "workers that are ready again")
        send(place, [an_order(START_MS + 30 * HOUR_MS, user="u-1")])
        wait_worked_off(place)
    assert read_outcome(place).total("orders") == 21


def back(worker: AWorker) -> bool:
    """Whether it is ready; one that the wait has ended is started again, as a supervisor does."""
    if worker.exit_code is not None:
        worker.start()
    return is_ready(worker)
