"""What the guard against late requests costs in commits a second: `python -m tests.bench.renewals`.

Three workers in turn on a calm broker: without the guard, with it, and with a new producer after every commit.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from confluent_kafka import Consumer
from rich.console import Console
from rich.table import Table

from streams.demo.servers.broker import Broker
from streams.engine.batch import Output
from streams.engine.clients import Clients
from streams.engine.settings import EngineSettings, producer_config
from streams.engine.transaction import Moved, Transactions
from streams.kafka.topics import create_topics
from streams.kafka.transactional import TransactionalProducer
from streams.topics import TopicSpec
from tests.late_requests.lab import Unguarded

ROUNDS = 9
COMMITS, RENEWED_COMMITS = 150, 30
RECORDS = 20
"""In each transaction."""


class _Anxious(TransactionalProducer):
    """A producer that is renewed after every commit."""

    @property
    def in_doubt(self) -> bool:
        return True


class _AlwaysRenewed(Transactions):
    def __init__(self, settings: EngineSettings, clients: Clients) -> None:
        super().__init__(settings, clients)
        self._guarded = _Anxious({**producer_config(settings)}, clients.producer, clients.clock_s)


class Round(NamedTuple):
    """How many commits a second, and what share of them had a new producer after it."""

    commits_per_s: float
    renewed: float


def a_round(brokers: str, name: str, kind: type[Transactions], commits: int, folder: Path) -> Round:
    create_topics(brokers, [TopicSpec(f"{name}-in", 1), TopicSpec(f"{name}-out", 2)])
    made = 0

    def count(config: dict[str, Any]) -> Any:
        nonlocal made
        made += 1
        return Clients().producer(config)

    settings = EngineSettings(brokers, name, name, folder)
    group = Consumer({"bootstrap.servers": brokers, "group.id": name})
    metadata = group.consumer_group_metadata()
    transactions = kind(settings, Clients(producer=count))
    transactions.start()
    before = -1
    for number in range(commits + 20):
        if number == 20:
            began_s, made = time.monotonic(), 0
        transactions.send([Output(f"{name}-out", copy % 2, b"key", b"value" * 20) for copy in range(RECORDS)])
        transactions.flush()
        transactions.commit({(f"{name}-in", 0): Moved(before, number + 1)}, metadata)
        before = number + 1
    took_s = time.monotonic() - began_s
    group.close()
    return Round(commits / took_s, made / commits)


def main() -> None:
    kinds = {
        "without the guard": (Unguarded, COMMITS),
        "with the guard": (Transactions, COMMITS),
        "renewed after every commit": (_AlwaysRenewed, RENEWED_COMMITS),
    }
    rounds: dict[str, list[Round]] = {what: [] for what in kinds}
    with Broker() as broker, tempfile.TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            for place, (what, (kind, commits)) in enumerate(kinds.items()):
                rounds[what].append(
                    a_round(broker.bootstrap, f"renewals-{number}-{place}", kind, commits, Path(folder))
                )
    shown = Table("producer", "commits a second", "beside none in the same round", "share renewed")
    first = rounds[next(iter(kinds))]
    for what, found in rounds.items():
        ratios = [each.commits_per_s / beside.commits_per_s for each, beside in zip(found, first, strict=True)]
        shown.add_row(
            what,
            f"{median(each.commits_per_s for each in found):.0f}",
            f"{median(ratios):.2f}",
            f"{sum(each.renewed for each in found) / len(found):.3f}",
        )
    Console().print(shown)


if __name__ == "__main__":
    main()
