"""A request that ends a transaction, sent twice, whose first copy comes late: it must not end the next transaction."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from confluent_kafka import Consumer, TopicPartition

from streams.demo.servers.broker import Broker
from streams.demo.servers.server import LOCALHOST, free_port
from streams.engine.batch import Output
from streams.engine.clients import Clients
from streams.engine.errors import MustAbort
from streams.engine.settings import EngineSettings
from streams.engine.transaction import Moved, Transactions
from streams.kafka.reader import read_committed
from streams.kafka.topics import create_topics
from streams.topics import TopicSpec
from tests.support.late_requests import LateRequests, listeners

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.acceptance, pytest.mark.heavy, pytest.mark.timeout(3_600)]

PLACE = ("in", 0)
COPIES = 4
"""Records of a transaction, over two partitions."""
ABORTED_EVERY = 7


class Lab(NamedTuple):
    """A broker, and the proxy that clients reach it by."""

    broker: Broker
    proxy: LateRequests


@contextmanager
def a_lab(share: float, seed: int) -> Iterator[Lab]:
    behind, port = free_port(), free_port()
    with (
        Broker(properties=listeners(behind, port)) as broker,
        LateRequests(behind, port, share=share, seed=seed) as proxy,
    ):
        create_topics(broker.bootstrap, [TopicSpec("in", 1), TopicSpec("out", 2)])
        yield Lab(broker, proxy)


class Ended(NamedTuple):
    """What the engine was told of its transactions, by number."""

    committed: list[int]
    aborted: list[int]


def work(lab: Lab, count: int, folder: Path) -> Ended:
    """`count` transactions in turn, each of four records and an offset; every seventh is aborted."""
    settings = EngineSettings(f"{LOCALHOST}:{lab.proxy.port}", "late", "late-0", folder)
    group = Consumer({"bootstrap.servers": lab.broker.bootstrap, "group.id": "late"})
    metadata = group.consumer_group_metadata()
    transactions = Transactions(settings, Clients())
    transactions.start()
    ended = Ended([], [])
    position = 0
    try:
        for number in range(count):
            try:
                for copy in range(COPIES):
                    # one after the other, so that a late end may come between any two
                    transactions.send([Output("out", copy % 2, b"%d" % number, b"%d" % copy)])
                    transactions.flush()
                if number % ABORTED_EVERY == ABORTED_EVERY - 1:
                    transactions.abort()
                    ended.aborted.append(number)
                    continue
                transactions.commit({PLACE: Moved(position or -1, number + 1)}, metadata)
            except MustAbort:
                transactions.abort()
                ended.aborted.append(number)
                continue
            position = number + 1
            ended.committed.append(number)
    finally:
        group.close()
    return ended


def check(lab: Lab, ended: Ended) -> None:
    """What was committed is there whole, what was aborted is not, and the group is behind the last."""
    copies: dict[int, list[int]] = {}
    for message in read_committed(lab.broker.bootstrap, "out"):
        copies.setdefault(int(message.key()), []).append(int(message.value()))
    torn = {number: found for number, found in copies.items() if sorted(found) != list(range(COPIES))}
    assert torn == {}
    assert sorted(copies) == ended.committed
    asker: Any = Consumer({"bootstrap.servers": lab.broker.bootstrap, "group.id": "late"})
    (place,) = asker.committed([TopicPartition(*PLACE)], timeout=30)
    asker.close()
    assert place.offset == ended.committed[-1] + 1


def test_a_late_request_ends_no_transaction_but_its_own(tmp_path: Path) -> None:
    with a_lab(share=0.5, seed=1) as lab:
        ended = work(lab, 120, tmp_path)
        assert lab.proxy.counts["within"] > 30
        assert len(ended.committed) > 90
        check(lab, ended)


def test_without_a_new_producer_late_requests_tear_transactions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Transactions, "_renew", lambda _: None)
    with a_lab(share=0.5, seed=1) as lab:
        with pytest.raises(Exception):  # noqa: B017, PT011 - torn, lost or fatal: all of it is the harm
            check(lab, work(lab, 120, tmp_path))
        assert lab.proxy.counts["within"] > 0
