"""The worker's producer and its transactions; errors are named after what they ask for."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams.engine.settings import producer_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from confluent_kafka import Message, Producer

    from streams.engine.batch import Output
    from streams.engine.settings import EngineSettings
    from streams.kafka.offsets import PartitionId

T = TypeVar("T")

INIT_SECONDS_MAX = 120.0
CALL_SECONDS_MAX = 120.0
_CALL_SECONDS = 10.0
_FULL_SECONDS = 0.01

_log = structlog.get_logger(__name__)


class MustAbort(Exception):
    """The transaction cannot be committed: abort it and rewind."""


class MustEnd(Exception):
    """This producer can do nothing more, for it was fenced or is broken: end the process and start anew."""


class Transactions:
    """Sends outputs, in one transaction after another. All but `send` block: call them off the event loop.

    With the guarantee `at_least_once` there is no transaction: outputs are delivered before the offsets are
    committed, and what was sent in a cycle that is aborted stays.
    """

    def __init__(self, settings: EngineSettings, make: Callable[[dict[str, Any]], Producer]) -> None:
        self.exactly_once = settings.guarantee == "exactly_once"
        self._open = False
        self._failed: KafkaError | None = None
        config: dict[str, Any] = {**producer_config(settings)}
        if not self.exactly_once:
            config["on_delivery"] = self._note_failure
        self._producer = make(config)

    def _note_failure(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failed = error

    @property
    def unsent(self) -> int:
        """Records that the brokers have not taken yet."""
        return len(self._producer)

    def start(self) -> None:
        """Fence an earlier producer of the same transactional id and wait until its transaction is over."""
        if not self.exactly_once:
            return
        with suppress(KafkaException):
            # without a connection librdkafka would look for the coordinator only half a second later
            self._producer.list_topics(timeout=_CALL_SECONDS)
        self._call(self._producer.init_transactions, INIT_SECONDS_MAX)

    def begin(self) -> None:
        """Open a transaction unless one is open; local, does not block."""
        if not self._open:
            self._failed = None
            if self.exactly_once:
                self._call(self._producer.begin_transaction)
            self._open = True

    def send(self, outputs: Iterable[Output]) -> None:
        """Hand records to the producer; raises MustAbort if one is refused, say because it is too large."""
        self.begin()
        produce = self._producer.produce
        for output in outputs:
            try:
                if output.headers is None:
                    produce(output.topic, output.value, output.key, output.partition)
                else:
                    produce(output.topic, output.value, output.key, output.partition, headers=output.headers)
            except BufferError:
                self._send_when_there_is_room(output)
            except KafkaException as error:
                raise self._refused(error, output) from error
        self._producer.poll(0)

    def send_last(self, output: Output, on_offset: Callable[[int], None]) -> None:
        """Send a record and, by the end of `flush`, learn its offset."""

        def delivered(error: KafkaError | None, message: Message) -> None:
            self._note_failure(error, message)
            if error is None:
                on_offset(message.offset())

        self._send_when_there_is_room(output, on_delivery=delivered)

    def _send_when_there_is_room(self, output: Output, **how: Any) -> None:  # noqa: ANN401 - produce's own
        headers = output.headers or []
        while True:
            try:
                self._producer.produce(output.topic, output.value, output.key, output.partition, headers=headers, **how)
            except BufferError:
                self._producer.poll(_FULL_SECONDS)
            except KafkaException as error:
                raise self._refused(error, output) from error
            else:
                return

    @staticmethod
    def _refused(error: KafkaException, output: Output) -> Exception:
        reason = error.args[0]
        text = f"a record of {len(output.value or b'')} bytes to {output.topic}, key {output.key!r}: {reason}"
        return MustEnd(text) if reason.fatal() else MustAbort(text)

    def flush(self) -> None:
        """Wait until the brokers have what was sent; serves every delivery report."""
        until = time.monotonic() + CALL_SECONDS_MAX
        while self._call(self._producer.flush, _CALL_SECONDS):
            if time.monotonic() > until:
                raise MustAbort(f"{len(self._producer)} records not delivered in {CALL_SECONDS_MAX:.0f} s")
        if self._failed is not None:
            raise MustAbort(f"not delivered: {self._failed}")

    def commit(self, offsets: Mapping[PartitionId, int], group_metadata: bytes) -> None:
        """Commit what was sent together with the offsets of the input."""
        # flush() first: it has served the delivery reports that commit_transaction() may leave unserved
        ends = [TopicPartition(*place, offset) for place, offset in offsets.items()]
        self._call(self._producer.send_offsets_to_transaction, ends, group_metadata, _CALL_SECONDS)
        self._call(self._producer.commit_transaction, _CALL_SECONDS)
        self._open = False

    def close_plain(self) -> None:
        """Note, without transactions, that what was sent is acknowledged."""
        self._open = False

    def abort(self) -> None:
        """Undo what was sent since the last commit."""
        if self._open and self.exactly_once:
            # an abort right after produce() meets partitions still being added and is fatal (librdkafka #4849)
            self._call(self._producer.flush, _CALL_SECONDS)
            self._call(self._producer.abort_transaction, _CALL_SECONDS)
        self._open = False

    def _call(self, function: Callable[..., T], *arguments: object) -> T:
        until = time.monotonic() + CALL_SECONDS_MAX
        while True:
            try:
                return function(*arguments)
            except KafkaException as raised:
                error = raised.args[0]
                if error.fatal():
                    raise MustEnd(str(error)) from raised
                if not error.retriable():
                    raise MustAbort(str(error)) from raised
                if time.monotonic() > until:
                    # whether it was committed is unknown: only a new producer can find out
                    raise MustEnd(f"no answer in {CALL_SECONDS_MAX:.0f} s: {error}") from raised
                _log.warning("transaction retried", call=getattr(function, "__name__", ""), error=str(error))
