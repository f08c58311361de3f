"""A request of a transaction, sent twice, whose first copy comes late: it must not reach the next transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.demo.servers.server import LOCALHOST
from streams.kafka.publisher import Publisher
from streams.kafka.reader import read_committed
from streams.kafka.topics import create_topics
from streams.topics import TopicSpec
from streams.worker_settings import WorkerSettings
from tests.late_requests.lab import COPIES, Unguarded, Worker, a_lab, check, harm
from tests.support.late_requests import ENDS, STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.late_requests.lab import Lab
    from tests.support.late_requests import Manner

pytestmark = [pytest.mark.acceptance, pytest.mark.heavy, pytest.mark.timeout(3_600)]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with a_lab(share=0.5, seed=1) as lab:
        yield lab


@pytest.mark.parametrize(("manner", "count", "hit"), [("reset", 100, 30), ("hang", 30, 8)])
def test_a_late_request_ends_no_transaction_but_its_own(
    lab: Lab, tmp_path: Path, manner: Manner, count: int, hit: int
) -> None:
    lab.proxy.manner = manner
    before = lab.proxy.counts["within"]
    worker = Worker(lab, manner, tmp_path)
    ended = worker.work(count)
    assert lab.proxy.counts["within"] - before > hit
    assert len(ended.committed) > 0.7 * count
    assert not check(worker, lab.broker.bootstrap)


def test_any_other_request_of_a_transaction_may_be_late_too(lab: Lab, tmp_path: Path) -> None:
    lab.proxy.manner, lab.proxy.holdable = "reset", STEPS
    try:
        worker = Worker(lab, "any", tmp_path)
        worker.work(40)
    finally:
        lab.proxy.holdable = ENDS
    assert {"held Produce", "held AddPartitionsToTxn", "held AddOffsetsToTxn"} <= lab.proxy.counts.keys()
    assert not check(worker, lab.broker.bootstrap)


def test_without_a_new_producer_late_requests_tear_transactions(lab: Lab, tmp_path: Path) -> None:
    lab.proxy.manner = "reset"
    assert harm(lab, Worker(lab, "unguarded", tmp_path, Unguarded), 60)


def test_what_a_command_publishes_is_whole_as_well(lab: Lab) -> None:
    create_topics(lab.broker.bootstrap, [TopicSpec("published", 2)])
    lab.proxy.manner = "reset"
    publisher = Publisher(WorkerSettings(brokers=f"{LOCALHOST}:{lab.proxy.port}", prefix="shop"), "late")
    before, renewed = lab.proxy.counts["within"], 0
    for number in range(50):
        renewed += publisher.renew()
        with publisher.transaction():
            for copy in range(COPIES):
                publisher.send("published", copy % 2, b"%d" % number, b"%d" % copy)
                publisher.flush()
    assert lab.proxy.counts["within"] - before > 10
    assert renewed > 10
    copies: dict[int, list[int]] = {}
    for message in read_committed(lab.broker.bootstrap, "published"):
        copies.setdefault(int(message.key() or b""), []).append(int(message.value() or b""))
    assert {number: sorted(found) for number, found in copies.items()} == {key: [0, 1, 2, 3] for key in range(50)}
