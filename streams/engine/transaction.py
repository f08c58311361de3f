"""The worker's producer and its transactions; errors are named after what they demand."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams.engine.errors import MustAbort, MustEnd, RecordRefused
from streams.engine.settings import producer_config
from streams.engine.stable import OffsetsRefused, outsider, stable_offsets
from streams.engine.step_watch import UNWATCHED, Watch
from streams.kafka.config import ANSWER_SECONDS
from streams.kafka.transactional import CALL_SECONDS_MAX, TransactionalProducer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from confluent_kafka import Message, Producer

    from streams.engine.batch import Output
    from streams.engine.clients import Clients
    from streams.engine.settings import EngineSettings
    from streams.kafka.offsets import PartitionId

_FULL_SECONDS = 0.01
_OF_RECORDS = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD}

_log = structlog.get_logger(__name__)


class Moved(NamedTuple):
    """A committed offset before a cycle (-1: none yet) and after it."""

    before: int
    after: int


class Transactions:
    """A sender of outputs, one transaction after another. All methods but `send` block: call them off the event loop.

    The producer is renewed inside `commit` and `abort`, before a late request can end the next transaction
    (`TransactionalProducer` says when).

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
        config: dict[str, Any] = {**producer_config(settings)}
        if self.exactly_once:
            self._guarded = TransactionalProducer(config, clients.producer, clients.clock_s)
        else:
            self._plain = clients.producer({**config, "on_delivery": self._note_failure})

    @property
    def _producer(self) -> Producer:
        return self._guarded.producer if self.exactly_once else self._plain

    def _note_failure(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failed = error

    @property
    def unsent(self) -> int:
        """Return how many records the brokers have not yet accepted."""
        return len(self._producer)

    def start(self) -> None:
        """Fence an earlier producer of the same transactional id and wait until its transaction is over."""
        if self.exactly_once:
            with _demands():
                self._guarded.start()

    def begin(self) -> None:
        """Open a transaction unless one is open; it is local and does not block."""
        if not self._open:
            self._failed = None
            if self.exactly_once:
                with _demands():
                    self._guarded.begin()
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

    def send_reported(self, outputs: Iterable[Output], on_delivered: Callable[[Message], None]) -> None:
        """Send a few records and, by the end of `flush`, learn what the brokers report of each."""
        self.begin()

        def delivered(error: KafkaError | None, message: Message) -> None:
            self._note_failure(error, message)
            if error is None:
                on_delivered(message)

        for output in outputs:
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
        return MustEnd(text) if reason.fatal() else _abort(text, reason)

    def flush(self) -> None:
        """Wait until the brokers have all records sent; serve every delivery report."""
        until_s = self._clients.clock_s() + CALL_SECONDS_MAX
        while self._flush():
            if self._clients.clock_s() > until_s:
                raise MustAbort(f"{len(self._producer)} records were not delivered in {CALL_SECONDS_MAX:.0f} s")
        if self._failed is not None:
            raise _abort(f"a record was not delivered: {self._failed}", self._failed)

    def _flush(self) -> int:
        with _demands():
            return self._guarded.flush() if self.exactly_once else self._plain.flush(ANSWER_SECONDS)

    def commit(self, offsets: Mapping[PartitionId, Moved], group_metadata: bytes) -> None:
        """Commit what was sent together with the offsets of the input.

        Where a request failed or may have been repeated the answer is not believed: a new producer settles what was
        before it, and the group's offsets show what became of the transaction.
        """
        # flush() first: it has served the delivery reports that commit_transaction() may leave unserved
        ends = [TopicPartition(*place, moved.after) for place, moved in offsets.items()]
        with _demands():
            self._guarded.send_offsets(ends, group_metadata)
        try:
            with _demands():
                self._guarded.commit()
        except MustAbort:
            self._settle()
            if not self._has_committed(offsets, said=False):
                raise
            _log.warning("committed, though the answer was an error")
            return
        self._open = False
        if self._guarded.in_doubt:
            self._renew()
            if not self._has_committed(offsets, said=True):
                raise MustAbort("a commit was undone, though the answer was no error")

    def _settle(self) -> None:
        try:
            self.abort()
        except MustAbort as error:
            # a second abort would succeed, and the cycle would come again though it may be committed
            raise MustEnd(f"whether a cycle was committed cannot be found out: {error}") from error

    def _has_committed(self, offsets: Mapping[PartitionId, Moved], *, said: bool) -> bool:
        """Return whether the stable offsets of the group moved; a new producer has settled everything before it.

        `said`: what the answer to the commit was. It counts only where no offset moves.
        """
        moved = {place: each for place, each in offsets.items() if each.after != each.before}
        if not moved and said:
            return True
        if not moved:
            raise MustEnd("whether a cycle was committed cannot be found out: it moves no offset")
        stable = self._stable(moved)
        if all(stable[place] == each.after for place, each in moved.items()):
            return True
        if all(stable[place] == each.before for place, each in moved.items()):
            return False
        raise MustEnd(f"a commit was torn, or is another worker's: offsets {stable} after {offsets}")

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
            with _demands():
                self._guarded.abort()
        self._open = False

    def _renew(self) -> None:
        try:
            self._guarded.renew()
        except Exception as error:
            # what is committed must not come again, whatever the reason
            raise MustEnd(f"the producer cannot be renewed: {error}") from error


@contextmanager
def _demands() -> Iterator[None]:
    """Name a client's errors after what they demand.

    Raises:
        MustAbort: the transaction has failed.
        MustEnd: the producer has; or there was no answer, and only a new worker can find out what was committed.
    """
    try:
        yield
    except KafkaException as raised:
        reason = raised.args[0]
        if reason.fatal():
            raise MustEnd(str(reason)) from raised
        if reason.retriable():
            raise MustEnd(f"no answer in {CALL_SECONDS_MAX:.0f} s: {reason}") from raised
        raise _abort(str(reason), reason) from raised


def _abort(text: str, reason: KafkaError) -> MustAbort:
    return (RecordRefused if reason.code() in _OF_RECORDS else MustAbort)(text)
