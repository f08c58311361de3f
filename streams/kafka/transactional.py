"""A transactional producer that no late request of an earlier transaction reaches."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from streams.kafka.config import ANSWER_SECONDS, RETRY_BACKOFF_MAX_MS, RETRY_BACKOFF_MS
from streams.kafka.doubts import LOG_LEVEL, Doubts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from confluent_kafka import TopicPartition

T = TypeVar("T")

CALL_SECONDS_MAX = 120.0

_log = structlog.get_logger(__name__)


class TransactionalProducer:
    """A producer and those that follow it under the same transactional id. All methods but `begin` block.

    **No transaction may meet an old end.** Up to EndTxn v4, which is what librdkafka speaks, a transaction is named
    by its producer's id and epoch alone, and both stay the same from one transaction to the next. A request to end
    one that was repeated, and whose first copy reaches the broker late, ends the next transaction instead: outputs
    are lost or torn though the commit succeeds (KIP-890; Jepsen's report on Bufstream, 2024-11; librdkafka #5423).
    The epoch of a new producer refuses what is late. So `renew` before the next transaction whenever `in_doubt`:
    after every abort, and after a commit of which a request may have been repeated. That is one that failed, was
    called again, took about as long as librdkafka waits before it repeats, or met a broken connection.

    A call whose error can be repeated is made again for `CALL_SECONDS_MAX`; other errors are raised, KafkaException.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        make: Callable[[dict[str, Any]], Producer] = Producer,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        log_level = int(config.get("log_level", LOG_LEVEL))
        self._doubts = Doubts(config["transactional.id"], clock_s, log_level)
        self._config = {
            **config,
            "enable.idempotence": True,
            # both decide how soon librdkafka repeats a request
            "retry.backoff.ms": RETRY_BACKOFF_MS,
            "retry.backoff.max.ms": RETRY_BACKOFF_MAX_MS,
            "log_level": max(log_level, LOG_LEVEL),
            "logger": self._doubts.logger,
        }
        self._new = make
        self._clock_s = clock_s
        self.producer = make(self._config)
        """The present one; `renew` replaces it."""

    @property
    def in_doubt(self) -> bool:
        """Return whether a late request may be on its way to the next transaction."""
        return self._doubts.any

    def start(self) -> None:
        """Fence an earlier producer of the same transactional id and wait until its transaction is over."""
        with suppress(KafkaException):
            # without a connection librdkafka would look for the coordinator half a second later
            self.producer.list_topics(timeout=ANSWER_SECONDS)
        self.call(self.producer.init_transactions, ANSWER_SECONDS)
        # whatever raised a doubt, the broker now refuses what is late
        self._doubts.clear()

    def begin(self) -> None:
        """Open a transaction; it is local and does not block."""
        self.call(self.producer.begin_transaction)

    def flush(self) -> int:
        """Serve delivery reports for a while; how many records are not yet accepted."""
        left: int = self.call(self.producer.flush, ANSWER_SECONDS)
        return left

    def send_offsets(self, ends: Collection[TopicPartition], group_metadata: bytes) -> None:
        """Let the input's offsets join the transaction."""
        self.producer.poll(0)
        with self._doubts.watch():
            self.call(self.producer.send_offsets_to_transaction, ends, group_metadata, ANSWER_SECONDS)

    def commit(self) -> None:
        """Commit; an error does not say that nothing was committed."""
        with self._doubts.watch():
            self.call(self.producer.commit_transaction, ANSWER_SECONDS)
        self.producer.poll(0)

    def abort(self) -> None:
        """Undo what was sent since the last commit."""
        self._doubts.note()
        # an abort right after produce() meets partitions still being added and is fatal (librdkafka #4849)
        self.flush()
        try:
            self.call(self.producer.abort_transaction, ANSWER_SECONDS)
        except KafkaException as raised:
            # After a refused record librdkafka asks for another epoch by itself, and its own abort may find the old one
            # fenced (seen with 2.12 on Kafka 4.1). The transaction is over then, and `renew` makes sure of it.
            if not (self._doubts.has_refusal and raised.args[0].code() == KafkaError._FENCED):  # noqa: SLF001 - its name
                raise
            _log.warning("aborted by another epoch after a refused record")

    def renew(self) -> None:
        """Go on with a new producer; if this raises nothing more may be written, but what was committed stays."""
        self.producer = self._new(self._config)
        self.start()

    def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Call until there is an answer; KafkaException if it is an error, or if there is none in time."""
        until_s = self._clock_s() + CALL_SECONDS_MAX
        while True:
            try:
                return function(*arguments)
            except KafkaException as raised:
                error = raised.args[0]
                self._doubts.note()
                if error.fatal() or not error.retriable() or self._clock_s() > until_s:
                    raise
                _log.warning("transaction retried", call=getattr(function, "__name__", ""), error=str(error))
