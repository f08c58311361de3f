"""A producer, and a group's offsets, that answer as a test says."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def refused() -> KafkaException:
    return KafkaException(KafkaError(KafkaError._STATE, "refused", txn_requires_abort=True))  # noqa: SLF001 - its name


def unanswered() -> KafkaException:
    return KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer", retriable=True))  # noqa: SLF001 - its name


class Brokers:
    """Makes producers and consumers; each call of a transaction takes `takes_s`, and raises the next of its errors."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.takes_s = 0.0
        self.errors: defaultdict[str, list[KafkaException]] = defaultdict(list)
        self.calls: list[str] = []
        self.names: list[str] = []
        """Of the producers made."""
        self.config: dict[str, Any] = {}
        """Of the newest."""
        self.on_made: Callable[[Brokers], None] = lambda _: None
        self.records: defaultdict[tuple[str, int], list[tuple[bytes | None, bytes | None]]] = defaultdict(list)
        """Keys and values that were committed, by topic and partition."""
        self.offsets: dict[tuple[str, int], int] = {}
        """What the group has committed, as it is asked for."""

    def clock_s(self) -> float:
        return self.now_s

    def producer(self, config: dict[str, Any]) -> Any:
        self.names.append(config.get("transactional.id", ""))
        self.config = config
        self.on_made(self)
        return _Producer(self)

    def consumer(self, _: Any) -> Any:
        return _Consumer(self)

    def take(self, call: str) -> None:
        self.calls.append(call)
        self.now_s += self.takes_s
        if self.errors[call]:
            raise self.errors[call].pop(0)


class _Producer:
    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self._open: list[tuple[tuple[str, int], tuple[bytes | None, bytes | None]]] = []

    def __len__(self) -> int:
        return 0

    def list_topics(self, **_: float) -> None: ...

    def produce(self, topic: str, value: bytes | None, key: bytes | None, partition: int, **_: object) -> None:
        self._open.append(((topic, partition), (key, value)))

    def poll(self, *_: object) -> int:
        return 0

    def flush(self, *_: object) -> int:
        return 0

    def init_transactions(self, *_: object) -> None:
        self._brokers.take("init_transactions")

    def begin_transaction(self) -> None:
        self._brokers.take("begin_transaction")

    def send_offsets_to_transaction(self, *_: object) -> None:
        self._brokers.take("send_offsets_to_transaction")

    def commit_transaction(self, *_: object) -> None:
        self._brokers.take("commit_transaction")
        for place, record in self._open:
            self._brokers.records[place].append(record)
        self._open.clear()

    def abort_transaction(self, *_: object) -> None:
        self._brokers.take("abort_transaction")
        self._open.clear()


class _Consumer:
    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers

    def committed(self, asked: Iterable[TopicPartition], **_: float) -> list[TopicPartition]:
        self._brokers.take("committed")
        offsets = self._brokers.offsets
        return [
            TopicPartition(each.topic, each.partition, offsets.get((each.topic, each.partition), OFFSET_INVALID))
            for each in asked
        ]

    def close(self) -> None: ...
