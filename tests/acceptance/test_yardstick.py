"""The yardstick job on the engine gives what its reference says, record for record, also when a worker is killed."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from streams.demo.servers.places import bench_dir
from tests.bench import floor
from tests.bench.yardstick.checking import WrongOutput, check_outputs
from tests.bench.yardstick.measure import make_topics, stamps_of, start
from tests.support.engine_bench import stop, wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.acceptance, pytest.mark.heavy]


@pytest.mark.skipif(not (bench_dir() / "expected.json").exists(), reason="TOUCHPOINT_BENCH names no yardstick")
def test_a_killed_worker_leaves_every_output_of_the_yardstick_once(kafka: str, prefix: str, tmp_path: Path) -> None:
    floor.fill(kafka)
    make_topics(kafka, prefix)
    with (tmp_path / "log").open("wb") as log:
        killed = start(kafka, floor.TOPIC, prefix, tmp_path, slot=0, log=log)
        wait_until(lambda: any(stamp.records for stamp in stamps_of(tmp_path, 0)), "the first commit")
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        assert stamps_of(tmp_path, 0)[-1].records < floor.MESSAGES
        again = start(kafka, floor.TOPIC, prefix, tmp_path, slot=0, log=log)
        try:
            wait_until(lambda: is_right(kafka, prefix), "the reference's output")
        finally:
            code = stop(again)
    assert code == 0
    check_outputs(kafka, prefix)


def is_right(kafka: str, name: str) -> bool:
    try:
        check_outputs(kafka, name)
    except WrongOutput:
        return False
    return True
