"""Static members of a group on a real Kafka: whatever ends one of them, no partition is left without an owner."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support.engine_bench import Bench, wait_until

if TYPE_CHECKING:
    from pathlib import Path

# dies when it is asked to give up partitions, and is remembered for longer than its successor needs to start
DIES_WHEN_REVOKED = """
import os, signal, sys
from confluent_kafka import Consumer
brokers, prefix = sys.argv[1:]
consumer = Consumer({
    "bootstrap.servers": brokers, "group.id": prefix, "group.instance.id": "0", "session.timeout.ms": 60_000,
    "partition.assignment.strategy": "cooperative-sticky", "enable.auto.commit": False,
})
consumer.subscribe(
    sorted([f"{prefix}-in", f"{prefix}-plain"]),
    on_assign=lambda consumer, partitions: (consumer.incremental_assign(partitions), print("assigned", flush=True)),
    on_revoke=lambda *_: os.kill(os.getpid(), signal.SIGKILL),
)
while True:
    consumer.poll(1)
"""


def test_what_a_static_member_gave_up_while_it_died_finds_an_owner(kafka: str, prefix: str, tmp_path: Path) -> None:
    bench = Bench(kafka, prefix, tmp_path)
    dying = subprocess.Popen(
        [sys.executable, "-c", DIES_WHEN_REVOKED, kafka, prefix], stdout=subprocess.PIPE, text=True
    )
    try:
        assert dying.stdout is not None
        assert dying.stdout.readline() == "assigned\n"
        with bench.worker(1, "static"):
            wait_until(lambda: dying.poll() is not None, "the first member's end")
            with bench.worker(0, "static"):
                bench.send(1_000)
                bench.wait_for_outputs()
    finally:
        dying.kill()
        dying.communicate()
    assert bench.account() == bench.expected()
