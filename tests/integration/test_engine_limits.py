"""The engine on a real Kafka that takes nothing for a while: memory stays bounded, and nothing is lost."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from streams.demo.servers.broker import Broker
from tests.support.engine_bench import Bench, stop

if TYPE_CHECKING:
    import subprocess

STALLED_SECONDS = 12.0
"""Longer than the worker's session and its transactions."""
GROWTH_MB_MAX = 100


@pytest.mark.heavy
def test_brokers_that_take_nothing_hold_a_worker_up_in_bounded_memory(prefix: str, tmp_path: Path) -> None:
    with Broker() as broker, ExitStack() as stack:
        bench = Bench(broker.bootstrap, prefix, tmp_path)
        for _ in range(3):
            bench.send(50_000)
        workers = [stack.enter_context(bench.worker())]
        bench.wait_for_outputs(1_000)
        before_mb = peak_mb(workers[0])
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            time.sleep(STALLED_SECONDS)
            grown_mb = peak_mb(workers[0]) - before_mb
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        time.sleep(STALLED_SECONDS)
        if workers[0].poll() is not None:  # it was fenced meanwhile, which ends a worker; a supervisor starts another
            workers.append(stack.enter_context(bench.worker()))
        bench.wait_for_outputs()
        assert stop(workers[-1]) == 0
        assert bench.account() == bench.expected()
    assert grown_mb < GROWTH_MB_MAX


def peak_mb(worker: subprocess.Popen[bytes]) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker.pid}/status").read_text("utf-8"))
    assert found is not None
    return int(found[1]) / 1_024
