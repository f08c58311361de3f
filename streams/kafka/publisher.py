"""Records that a command writes, apart from the workers."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, Producer

from streams.kafka.transactional import TransactionalProducer
from streams.topics import command_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from confluent_kafka import Message

    from streams.worker_settings import WorkerSettings

T = TypeVar("T")

BYTES_MAX = 8 << 20
"""About the size of one transaction, which blocks readers of committed records while it is open."""
_ANSWER_SECONDS = 60.0
_FULL_SECONDS = 0.01


class Publisher:
    """A writer of transactions, all or nothing; with the guarantee `at_least_once`, of single records, in order.

    Its transactional id is stable (`command_id`). An earlier publisher of the name is fenced, and its open transaction
    aborted, before this one is made.
    """

    def __init__(self, settings: WorkerSettings, name: str) -> None:
        config: dict[str, Any] = {
            "compression.type": "lz4",
            # the topics' own limits decide what is too large
            "message.max.bytes": 16 << 20,
            # a first transaction waits for the brokers' coordinator to load, and the client would log each try
            "log_level": 3,
            **settings.kafka,
            "bootstrap.servers": settings.brokers,
            "enable.idempotence": True,
        }
        self._guarded: TransactionalProducer | None = None
        if settings.guarantee == "exactly_once":
            config["transactional.id"] = command_id(settings.prefix, name)
            config["transaction.timeout.ms"] = settings.transaction_timeout_ms
            self._guarded = TransactionalProducer(config)
            self._guarded.start()
        else:
            self._plain = Producer(config)

    @property
    def _producer(self) -> Producer:
        return self._plain if self._guarded is None else self._guarded.producer

    def renew(self) -> bool:
        """Call it before each transaction but the first: a late request must not end it (`TransactionalProducer`).

        Returns True if a new producer was made. Another command of the name may have written meanwhile, and is fenced
        now: what decides what is to be written must be read again.
        """
        if self._guarded is None or not self._guarded.in_doubt:
            return False
        self._guarded.renew()
        return True

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write the records sent inside when the block ends, or none of them if it raises."""
        guarded = self._guarded
        if guarded is None:
            yield
            self.flush()
            return
        if guarded.in_doubt:
            raise RuntimeError("a late request could end this transaction: call renew() before it")
        guarded.begin()
        try:
            yield
            self.flush()
            guarded.commit()
        except BaseException:
            with suppress(KafkaException):
                guarded.abort()
            raise

    def send(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Send a record; KafkaException if it, or an earlier one, is refused."""
        while True:
            try:
                self._producer.produce(topic, value, key, partition, headers=list(headers), on_delivery=_delivered)
            except BufferError:
                self._producer.poll(_FULL_SECONDS)
            else:
                self._producer.poll(0)
                return

    def flush(self) -> None:
        """Return when the brokers have all records sent; KafkaException if they refuse one."""
        if self._producer.flush(_ANSWER_SECONDS):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"no acceptance in {_ANSWER_SECONDS:.0f} s"))  # noqa: SLF001 - its name


def in_chunks(items: Iterable[T], bytes_of: Callable[[T], int], items_max: int) -> Iterator[list[T]]:
    """Group items into one chunk for each transaction, in order; a chunk ends with the item that fills it."""
    chunk: list[T] = []
    size = 0
    for item in items:
        chunk.append(item)
        size += bytes_of(item)
        if len(chunk) >= items_max or size >= BYTES_MAX:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _delivered(error: KafkaError | None, _: Message) -> None:
    # an exception of this callback comes out of poll() and flush()
    if error is not None:
        raise KafkaException(error)
