"""The worker's producer and its transactions; errors are named after what they demand."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams.engine.doubts import Doubts
from streams.engine.errors import MustAbort, MustEnd
from streams.engine.settings import producer_config
from streams.engine.stable import OffsetsRefused, outsider, stable_offsets
from streams.engine.step_watch import UNWATCHED, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from confluent_kafka import Message, Producer

    from streams.engine.batch import Output
    from streams.engine.clients import Clients
    from streams.engine.settings import EngineSettings
    from streams.kafka.offsets import PartitionId

T = TypeVar("T")

INIT_SECONDS_MAX = 120.0
CALL_SECONDS_MAX = 120.0
_CALL_SECONDS = 10.0
_FULL_SECONDS = 0.01

_log = structlog.get_logger(__name__)


class Moved(NamedTuple):
    """A committed offset before a cycle (-1: none yet) and after it."""

    before: int
    after: int


class Transactions:
    """A sender of outputs, one transaction after another. All methods but `send` block: call them off the event loop.

    **No transaction may meet an old end.** Up to EndTxn v4, which is what librdkafka speaks, a transaction is named
    by its producer's id and epoch alone, and both stay the same from one transaction to the next. A request to end
    one that was repeated, and whose first copy reaches the broker late, ends the next transaction instead: outputs
    are lost or torn though the commit succeeds (KIP-890; Jepsen's report on Bufstream, 2024-11; librdkafka #5423).
    The epoch of a new producer refuses what is late. So the producer is renewed after every abort, and after
    every commit of which a request may have been repeated: one that failed, was called again, took about as long as
    librdkafka waits before it repeats, or met a broken connection.

    With the guarantee `at_least_once` there is no transaction: outputs are delivered before the offsets are
    committed, and what was sent in a cycle that is aborted stays.
    """

    def __init__(self, settings: EngineSettings, clients: Clients, watch: Watch = UNWATCHED) -> None:
        self.exactly_once = settings.guarantee == "exactly_once"
        self._settings = settings
        self._clients = clients
        self._watch = watch
        self._open = False
        self._failed: KafkaError | None = None
        self._doubts = Doubts(settings.transactional_id, clients.clock_s)
        self._producer = self._make()

    def _make(self) -> Producer:
        config: dict[str, Any] = {**producer_config(self._settings)}
        if self.exactly_once:
            config["logger"] = self._doubts.logger
        else:
            config["on_delivery"] = self._note_failure
        return self._clients.producer(config)

    def _note_failure(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failed = error

    @property
    def unsent(self) -> int:
        """Return how many records the brokers have not yet accepted."""
        return len(self._producer)

    def start(self) -> None:
        """Fence an earlier producer of the same transactional id and wait until its transaction is over."""
        if not self.exactly_once:
            return
        with suppress(KafkaException):
            # without a connection librdkafka would look for the coordinator half a second later
            self._producer.list_topics(timeout=_CALL_SECONDS)
        self._call(self._producer.init_transactions, INIT_SECONDS_MAX)

    def begin(self) -> None:
        """Open a transaction unless one is open; it is local and does not block."""
        if not self._open:
            self._failed = None
            if self.exactly_once:
                self._call(self._producer.begin_transaction)
            self._open = True

    def send(self, outputs: Iterable[Output]) -> None:
        """Hand records to the producer; raises MustAbort if one is refused, for example because it is too large."""
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
                # the brokers are slow, which is no fault of a record
                self._watch.renew()
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
        """Wait until the brokers have all records sent; serve every delivery report."""
        until = time.monotonic() + CALL_SECONDS_MAX
        while self._call(self._producer.flush, _CALL_SECONDS):
            if time.monotonic() > until:
                raise MustAbort(f"{len(self._producer)} records were not delivered in {CALL_SECONDS_MAX:.0f} s")
        if self._failed is not None:
            raise MustAbort(f"a record was not delivered: {self._failed}")

    def commit(self, offsets: Mapping[PartitionId, Moved], group_metadata: bytes) -> None:
        """Commit what was sent together with the offsets of the input.

        An error is believed only when the offsets agree: they show what the brokers made of the transaction.
        """
        # flush() first: it has served the delivery reports that commit_transaction() may leave unserved
        ends = [TopicPartition(*place, moved.after) for place, moved in offsets.items()]
        self._producer.poll(0)
        with self._doubts.watch():
            self._call(self._producer.send_offsets_to_transaction, ends, group_metadata, _CALL_SECONDS)
        try:
            with self._doubts.watch():
                self._call(self._producer.commit_transaction, _CALL_SECONDS)
        except MustAbort:
            self.abort()
            if not self._has_committed(offsets):
                raise
            _log.warning("committed, though the answer was an error")
        self._open = False
        self._producer.poll(0)
        if self._doubts.any:
            self._renew()

    def _has_committed(self, offsets: Mapping[PartitionId, Moved]) -> bool:
        """Return whether the stable offsets of the group moved; a new producer has settled everything before it."""
        moved = {place: each for place, each in offsets.items() if each.after != max(each.before, 0)}
        stable = self._stable(moved) if moved else {}
        reached = {place for place, each in moved.items() if stable[place] == each.after}
        if reached and len(reached) < len(moved):
            raise MustEnd(f"a commit was torn: offsets {stable} after {offsets}")
        return bool(reached)

    def _stable(self, places: Collection[PartitionId]) -> dict[PartitionId, int]:
        until_s = self._clients.clock_s() + CALL_SECONDS_MAX
        with outsider(self._clients, self._settings) as consumer:
            while True:
                try:
                    return stable_offsets(consumer, places)
                except KafkaException as error:
                    if error.args[0].fatal() or self._clients.clock_s() > until_s:
                        raise MustEnd(f"whether a cycle was committed cannot be found out: {error}") from error
                except OffsetsRefused as refused:
                    raise MustEnd(f"whether a cycle was committed cannot be found out: {refused}") from refused

    def close_plain(self) -> None:
        """Note, without transactions, that all records sent are acknowledged."""
        self._open = False

    def abort(self) -> None:
        """Undo what was sent since the last commit, and renew the producer.

        Aborted first: a worker that was fenced must learn it here, and not fence its successor.
        """
        if self._open and self.exactly_once:
            self.leave()
            self._renew()
        self._open = False

    def leave(self) -> None:
        """Undo what was sent since the last commit; nothing is sent any more."""
        if self._open and self.exactly_once:
            # an abort right after produce() meets partitions still being added and is fatal (librdkafka #4849)
            self._call(self._producer.flush, _CALL_SECONDS)
            self._call(self._producer.abort_transaction, _CALL_SECONDS)
        self._open = False

    def _renew(self) -> None:
        self._producer = self._make()
        self.start()
        self._doubts.clear()

    def _call(self, function: Callable[..., T], *arguments: object) -> T:
        until = time.monotonic() + CALL_SECONDS_MAX
        while True:
            try:
                return function(*arguments)
            except KafkaException as raised:
                error = raised.args[0]
                self._doubts.note()
                if error.fatal():
                    raise MustEnd(str(error)) from raised
                if not error.retriable():
                    raise MustAbort(str(error)) from raised
                if time.monotonic() > until:
                    # whether it was committed is unknown, and only a new producer can find out
                    raise MustEnd(f"no answer in {CALL_SECONDS_MAX:.0f} s: {error}") from raised
                _log.warning("transaction retried", call=getattr(function, "__name__", ""), error=str(error))
