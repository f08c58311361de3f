"""A broker behind the proxy, the engine's transactions through it, and what came of them."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import Consumer

from streams.demo.servers.broker import KAFKA_VERSION, Broker
from streams.demo.servers.server import LOCALHOST, free_port
from streams.engine.batch import Output
from streams.engine.clients import Clients
from streams.engine.errors import MustAbort, MustEnd
from streams.engine.settings import EngineSettings, producer_config
from streams.engine.stable import outsider, stable_offsets
from streams.engine.transaction import Moved, Transactions
from streams.kafka.reader import read_committed
from streams.kafka.topics import create_topics
from streams.kafka.transactional import TransactionalProducer
from streams.topics import TopicSpec
from tests.support.late_requests import LateRequests, listeners

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.kafka.offsets import PartitionId

COPIES = 4
"""Records of a transaction, over two partitions."""
ABORTED_EVERY = 7
HANGING_MS = 1_100
"""After so long the client gives up a request that hangs; the default is a minute."""


class _Careless(TransactionalProducer):
    """A producer that is never renewed."""

    @property
    def in_doubt(self) -> bool:
        return False

    def renew(self) -> None:
        """Go on as before."""


class Unguarded(Transactions):
    """The mistake that the proxy must show: transactions without the guard."""

    def __init__(self, settings: EngineSettings, clients: Clients) -> None:
        super().__init__(settings, clients)
        self._guarded = _Careless({**producer_config(settings)}, clients.producer, clients.clock_s)


class Lab(NamedTuple):
    """A broker, and the proxy that clients reach it by."""

    broker: Broker
    proxy: LateRequests


@contextmanager
def a_lab(share: float, seed: int, folder: Path | None = None, version: str = KAFKA_VERSION) -> Iterator[Lab]:
    behind, port = free_port(), free_port()
    with (
        Broker(folder, version=version, properties=listeners(behind, port)) as broker,
        LateRequests(behind, port, share=share, seed=seed) as proxy,
    ):
        yield Lab(broker, proxy)


class Ended(NamedTuple):
    """What the engine was told of its transactions, by number."""

    committed: list[int]
    aborted: list[int]
    set_back: list[int]
    """After these the group was not where the commit had put it."""
    ends: list[str]
    """Why workers ended; another one went on."""


class Worker:
    """Transactions in turn, each of four records and an offset; every seventh is aborted."""

    def __init__(self, lab: Lab, name: str, folder: Path, kind: type[Transactions] = Transactions) -> None:
        create_topics(lab.broker.bootstrap, [TopicSpec(f"{name}-in", 1), TopicSpec(f"{name}-out", 2)])
        self.out = f"{name}-out"
        self.place: PartitionId = f"{name}-in", 0
        self.ended = Ended([], [], [], [])
        self._lab = lab
        self._kind = kind
        self._settings = EngineSettings(
            f"{LOCALHOST}:{lab.proxy.port}", name, name, folder, client={"socket.timeout.ms": str(HANGING_MS)}
        )
        self._direct = EngineSettings(lab.broker.bootstrap, name, name, folder)

    def work(self, count: int) -> Ended:
        group = Consumer({"bootstrap.servers": self._lab.broker.bootstrap, "group.id": self._settings.group})
        metadata = group.consumer_group_metadata()
        transactions = self._start()
        position = -1
        try:
            with outsider(Clients(), self._direct) as asker:
                for number in range(count):
                    try:
                        self._one(transactions, number, position, metadata)
                    except MustEnd as error:
                        self.ended.ends.append(str(error))
                        transactions = self._start()
                    done = stable_offsets(asker, [self.place])[self.place]
                    if self.ended.committed[-1:] == [number] and done != number + 1:
                        self.ended.set_back.append(number)
                    elif done == number + 1 and self.ended.committed[-1:] != [number]:
                        self.ended.committed.append(number)
                    position = done
        finally:
            group.close()
        return self.ended

    def _start(self) -> Transactions:
        transactions = self._kind(self._settings, Clients())
        transactions.start()
        return transactions

    def _one(self, transactions: Transactions, number: int, position: int, metadata: bytes) -> None:
        try:
            for copy in range(COPIES):
                # one after the other, so that a late end may come between any two
                transactions.send([Output(self.out, copy % 2, b"%d" % number, b"%d" % copy)])
                transactions.flush()
            if number % ABORTED_EVERY == ABORTED_EVERY - 1:
                raise MustAbort("as planned")  # noqa: TRY301 - as the engine does
            transactions.commit({self.place: Moved(position, number + 1)}, metadata)
        except MustAbort:
            self.ended.aborted.append(number)
            transactions.abort()
        else:
            self.ended.committed.append(number)


class Found(NamedTuple):
    """What does not hold, as numbers of transactions."""

    torn: list[int]
    """Some of its records are there."""
    lost: list[int]
    """Committed, and none is there."""
    undead: list[int]
    """Not committed, and all are there."""
    doubled: list[int]
    set_back: list[int]

    def __bool__(self) -> bool:
        return any(self)


def check(worker: Worker, brokers: str) -> Found:
    """What was committed is there whole, what was aborted is not, and the group is where each commit put it."""
    copies: dict[int, list[int]] = {}
    for message in read_committed(brokers, worker.out):
        copies.setdefault(int(message.key() or b""), []).append(int(message.value() or b""))
    whole = set(range(COPIES))
    committed = set(worker.ended.committed)
    return Found(
        sorted(number for number, found in copies.items() if set(found) != whole),
        sorted(committed - copies.keys()),
        sorted(number for number, found in copies.items() if set(found) == whole and number not in committed),
        sorted(number for number, found in copies.items() if len(found) > len(set(found))),
        worker.ended.set_back,
    )


def harm(lab: Lab, worker: Worker, count: int) -> Found:
    """Work, whatever becomes of the worker, and say what does not hold."""
    with suppress(MustAbort, MustEnd):
        worker.work(count)
    return check(worker, lab.broker.bootstrap)
