"""The engine on a real Kafka: whatever happens to a worker, each record counts once."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from tests.support.engine_bench import PARTITIONS, Bench, stop, wait_until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bench(kafka: str, prefix: str, tmp_path: Path) -> Bench:
    return Bench(kafka, prefix, tmp_path)


def test_each_record_is_counted_once_and_the_state_says_the_same(bench: Bench) -> None:
    bench.send(20_000)
    with bench.worker() as worker:
        bench.wait_for_outputs()
        assert stop(worker) == 0
    assert bench.account() == bench.expected()
    counts = {key: len(values) for key, values in bench.sent.items()}
    assert bench.states(0) == counts
    assert bench.changelog() == counts


@pytest.mark.parametrize("failing", ["raise=5", "agent-raises=5"])
def test_a_batch_that_fails_is_read_again_with_nothing_lost_or_doubled(bench: Bench, failing: str) -> None:
    bench.send(10_000)
    with bench.worker(0, failing, "interval=20") as worker:
        bench.wait_for_outputs()
        assert stop(worker) == 0
    assert "batch failed" in bench.log(0).read_text()
    assert bench.account() == bench.expected()


def test_a_restart_goes_on_with_its_state(bench: Bench) -> None:
    for _ in range(2):
        bench.send(3_000)
        with bench.worker() as worker:
            bench.wait_for_outputs()
            assert stop(worker) == 0
    assert bench.account() == bench.expected()


def test_a_restart_with_its_state_wiped_restores_it(bench: Bench) -> None:
    for _ in range(2):
        bench.send(3_000)
        with bench.worker() as worker:
            bench.wait_for_outputs()
            assert stop(worker) == 0
        shutil.rmtree(bench.state_dir(0))
    bench.send(100)
    with bench.worker():
        bench.wait_for_outputs()
    assert bench.account() == bench.expected()


def test_a_restart_with_its_state_damaged_sets_it_aside_and_restores_it(bench: Bench) -> None:
    bench.send(3_000)
    with bench.worker() as worker:
        bench.wait_for_outputs()
        assert stop(worker) == 0
    damaged = bench.state_dir(0) / f"{bench.prefix}-in-0"
    (damaged / "CURRENT").write_bytes(b"garbage")
    bench.send(3_000)
    with bench.worker() as worker:
        bench.wait_for_outputs()
        assert stop(worker) == 0
    assert damaged.with_name(f"{damaged.name}.unreadable-1").is_dir()
    assert bench.account() == bench.expected()


def test_damage_met_while_working_ends_the_worker_and_the_next_one_restores(bench: Bench) -> None:
    bench.send(3_000, keys=500)
    with bench.worker() as worker:
        bench.wait_for_outputs()
        assert stop(worker) == 0
    damaged = bench.state_dir(0) / f"{bench.prefix}-in-0"
    records = max(damaged.glob("*.sst"), key=lambda table: table.stat().st_size)
    content = bytearray(records.read_bytes())
    content[len(content) // 3] ^= 1
    records.write_bytes(content)
    bench.send(3_000, keys=500)
    with bench.worker() as worker:
        assert worker.wait(60) == 1
    assert "state unreadable" not in bench.log(0).read_text()
    with bench.worker() as worker:
        bench.wait_for_outputs()
        assert stop(worker) == 0
    assert "state unreadable" in bench.log(0).read_text()
    assert damaged.with_name(f"{damaged.name}.unreadable-1").is_dir()
    assert bench.account() == bench.expected()


def test_kills_in_mid_load_lose_and_double_nothing(bench: Bench, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(4):
        bench.send(15_000)
        before = bench.outputs()
        with bench.worker(0, "interval=50"):
            # from the first commit on, at any point of a cycle
            wait_until(lambda: bench.outputs() > before, "a first commit")  # noqa: B023 - called at once
            time.sleep(chance.uniform(0, 0.4))
        if chance.random() < 0.5:
            shutil.rmtree(bench.state_dir(0))
    bench.send(100)
    with bench.worker() as worker:
        bench.wait_for_outputs()
        assert stop(worker) == 0
    assert bench.account() == bench.expected()
    assert bench.states(0) == {key: len(values) for key, values in bench.sent.items()}


def test_workers_that_come_and_go_share_the_partitions_without_loss(bench: Bench) -> None:
    with ExitStack() as workers:
        first = workers.enter_context(bench.worker(0, "interval=50"))
        bench.send(5_000)
        bench.wait_for_outputs(1)
        second = workers.enter_context(bench.worker(1, "interval=50"))
        for _ in range(20):
            bench.send(500)
            time.sleep(0.2)
        assert stop(first) == 0
        bench.send(5_000)
        bench.wait_for_outputs()
        third = workers.enter_context(bench.worker(0))
        bench.send(5_000)
        bench.wait_for_outputs()
        assert stop(second) == 0
        bench.send(1_000)
        bench.wait_for_outputs()
        assert stop(third) == 0
    assert bench.account() == bench.expected()


@pytest.mark.parametrize("membership", ["dynamic", "static"])
def test_a_rebalance_while_all_is_read_skips_nothing(bench: Bench, membership: str) -> None:
    with ExitStack() as workers:
        workers.enter_context(bench.worker(0, membership))
        for slot in (1, 2, 3):
            bench.send(300)
            bench.wait_for_outputs()
            workers.enter_context(bench.worker(slot, membership))
            ready = "partition ready"
            wait_until(lambda: ready in bench.log(slot).read_text(), "its share")  # noqa: B023 - called at once
        bench.send(300)
        bench.wait_for_outputs()
    assert bench.account() == bench.expected()


def test_a_worker_stopped_for_longer_than_its_session_comes_back_without_harm(bench: Bench) -> None:
    with ExitStack() as workers:
        zombie = workers.enter_context(bench.worker(0, "interval=50"))
        bench.send(20_000)
        bench.wait_for_outputs(1)
        zombie.send_signal(19)  # SIGSTOP
        workers.enter_context(bench.worker(1))
        bench.send(2_000)
        bench.wait_for_outputs()
        zombie.send_signal(18)  # SIGCONT
        bench.send(2_000)
        bench.wait_for_outputs()
        with suppress(subprocess.TimeoutExpired):
            # fenced it exits with 1; with nothing in hand it may join its group again
            assert zombie.wait(5) == 1
    assert bench.account() == bench.expected()


def test_an_input_without_state_may_feed_one_with_state(bench: Bench) -> None:
    bench.send(5_000, topic="plain")
    with bench.worker() as worker:
        bench.wait_for_outputs()
        assert stop(worker) == 0
    assert bench.account() == bench.expected()


def test_at_least_once_loses_nothing(bench: Bench) -> None:
    def values() -> dict[bytes, set[bytes]]:
        return {key: {value for value, _ in entries} for key, entries in bench.account().items()}

    for options in (["raise=3"], []):
        bench.send(3_000)
        everything = {key: set(sent) for key, sent in bench.sent.items()}
        with bench.worker(0, "guarantee=at_least_once", *options):
            wait_until(lambda: values() == everything, "every record")  # noqa: B023 - called at once


def test_at_least_once_state_never_stands_without_an_offset(bench: Bench) -> None:
    with bench.worker(0, "guarantee=at_least_once"):
        wait_until(lambda: bench.log(0).read_text().count("partition ready") == 2 * PARTITIONS, "its partitions")
        assert bench.committed_offsets() == [0] * PARTITIONS
