"""Topics, workers and accounts for the tests of the engine on a real Kafka."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from confluent_kafka import Consumer, Producer, TopicPartition

from state.codec import open_frame
from state.rocksdb import RocksDBStore
from streams.demo.servers.places import PROJECT
from streams.kafka.reader import read_committed
from streams.kafka.topics import create_topics
from streams.topics import TopicSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PARTITIONS = 4
WAIT_SECONDS = 90.0
_PRINTED = 20_000

Account = dict[bytes, list[tuple[bytes, int]]]
"""By key, in order: the values seen and the count that was written with each."""


@dataclass
class Bench:
    """One test's topics, the workers on them, and what was put in."""

    brokers: str
    prefix: str
    folder: Path
    sent: dict[bytes, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    _number: int = 0
    _account: Account = field(default_factory=lambda: defaultdict(list))
    _read_to: dict[int, int] = field(default_factory=dict)
    """By partition of the outputs: the next offset to be read."""

    def __post_init__(self) -> None:
        compacted = {"cleanup.policy": "compact"}
        names = ("in", "plain", "out", "pulse")
        specs = [TopicSpec(f"{self.prefix}-{name}", PARTITIONS) for name in names]
        create_topics(self.brokers, [*specs, TopicSpec(f"{self.prefix}-changelog", PARTITIONS, config=compacted)])
        # idempotent: retries on topics just made would change the order
        config = {"bootstrap.servers": self.brokers, "enable.idempotence": True, "partitioner": "murmur2_random"}
        self._producer = Producer(config)

    def send(self, count: int, topic: str = "in", keys: int = 50) -> None:
        """Put in `count` records, numbered over all calls, and wait until the broker has them."""
        for _ in range(count):
            key, value = b"customer-%d" % (self._number % keys), b"%d" % self._number
            self._producer.produce(f"{self.prefix}-{topic}", value, key)
            self.sent[key].append(value)
            self._number += 1
            self._producer.poll(0)
        self._producer.flush()

    @contextmanager
    def worker(self, slot: int = 0, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a worker; killed at the end if it still runs. Its log is `worker-SLOT.log`, printed if a check fails."""
        with self.log(slot).open("ab") as log:
            process = self.start(slot, log, *options)
            try:
                yield process
            except BaseException:
                sys.stderr.write(self.log(slot).read_text(errors="replace")[-_PRINTED:])
                raise
            finally:
                process.kill()
                process.wait()

    def start(self, slot: int, log: IO[bytes], *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.support.engine_worker", self.brokers, self.prefix]
        command += [str(self.state_dir(slot)), str(slot), *options]
        return subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log)

    def log(self, slot: int) -> Path:
        return self.folder / f"worker-{slot}.log"

    def state_dir(self, slot: int) -> Path:
        return self.folder / f"state-{slot}"

    def account(self) -> Account:
        """Read back the committed outputs; those read before are kept."""
        for message in read_committed(self.brokers, f"{self.prefix}-out", start=self._read_to):
            value, count = message.value().split(b",")
            self._account[message.key()].append((value, int(count)))
            self._read_to[message.partition()] = message.offset() + 1
        return self._account

    def expected(self) -> Account:
        """Each record once, in order, with the counts 1, 2, 3, ..."""
        return {key: [(value, number) for number, value in enumerate(values, 1)] for key, values in self.sent.items()}

    def outputs(self) -> int:
        return sum(len(entries) for entries in self.account().values())

    def wait_for_outputs(self, count: int | None = None) -> None:
        """Wait until `count` records, or as many as were sent, are committed in the output topic."""
        wanted = self._number if count is None else count
        wait_until(lambda: self.outputs() >= wanted, f"{wanted} outputs")

    def states(self, *slots: int) -> dict[bytes, int]:
        """Counts in the local stores of stopped workers."""
        found: dict[bytes, int] = {}
        for slot in slots:
            for path in sorted(self.state_dir(slot).glob(f"{self.prefix}-in-*")):
                store = RocksDBStore(path)
                found |= {key: int(open_frame(value)[2]) for key, value in store.items()}
                store.close()
        return found

    def changelog(self) -> dict[bytes, int]:
        """Counts as the committed changelog has them."""
        return {
            message.key(): int(open_frame(message.value())[2])
            for message in read_committed(self.brokers, f"{self.prefix}-changelog")
        }

    def committed_offsets(self, topic: str = "in") -> list[int]:
        return [offset for offset, _ in self._offsets(topic)]

    def end_offsets(self, topic: str = "in") -> list[int]:
        return [end for _, end in self._offsets(topic)]

    def _offsets(self, topic: str) -> list[tuple[int, int]]:
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": self.prefix})
        places = [TopicPartition(f"{self.prefix}-{topic}", number) for number in range(PARTITIONS)]
        offsets = [place.offset for place in consumer.committed(places, timeout=10)]
        ends = [consumer.get_watermark_offsets(place, timeout=10)[1] for place in places]
        consumer.close()
        return list(zip(offsets, ends, strict=True))


def stop(process: subprocess.Popen[bytes], seconds: float = 15.0) -> int:
    """SIGTERM, and the exit code."""
    os.kill(process.pid, signal.SIGTERM)
    return process.wait(seconds)


def wait_until(holds: Callable[[], bool], what: str, seconds: float = WAIT_SECONDS) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.2)
