"""A model of librdkafka's transactional producer, as far as the engine uses it."""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka.partitioner import murmur2
from confluent_kafka import KafkaError, KafkaException

from streams.kafka.doubts import REPEATED_SECONDS
from tests.simulation.model_broker import TOO_LARGE, Busy, Entry
from tests.simulation.model_client import ModelClient, ModelMessage, as_headers

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Collection, Mapping

    from confluent_kafka import TopicPartition

    from streams.kafka.offsets import PartitionId
    from tests.simulation.faults import Faults
    from tests.simulation.model_broker import ModelBroker
    from tests.simulation.scheduler import Process

    Report = Callable[[KafkaError | None, ModelMessage], None]

_WAIT_S = 0.02
"""As librdkafka waits while a transaction's markers are being written."""
_LATE_S = 0.5
_NOT_DELIVERED = KafkaError(KafkaError._MSG_TIMED_OUT, "not delivered")  # noqa: SLF001 - its name
_MUST_ABORT = KafkaError(KafkaError._STATE, "the transaction has failed", txn_requires_abort=True)  # noqa: SLF001


class Waiting(NamedTuple):
    """A record on its way to the broker."""

    place: PartitionId
    entry: Entry
    report: Report | None


@lru_cache(4_096)
def partition_of(key: bytes, count: int) -> int:
    hashed: int = murmur2(key) & 0x7FFFFFFF
    return hashed % count


class ModelProducer(ModelClient):
    """Sends in the background, a part at a time; all of it by the end of `flush`."""

    def __init__(self, config: Mapping[str, Any], process: Process, broker: ModelBroker, faults: Faults) -> None:
        super().__init__(process, broker, faults)
        self._name: str = config["transactional.id"]
        self._timeout_s = config["transaction.timeout.ms"] / 1_000
        self._epoch = -1
        self._logger: logging.Logger | None = config.get("logger")
        self._is_open = False
        self._added: set[PartitionId] = set()
        """To the open transaction."""
        self._is_known = False
        """The broker has heard of the open transaction."""
        self._must_abort = False
        self._is_denied = False
        """The brokers have committed, and said that they had not."""
        self._fatal: KafkaError | None = None
        self._queue: deque[Waiting] = deque()
        self._reports: deque[tuple[Report, KafkaError | None, ModelMessage]] = deque()

    def __len__(self) -> int:
        return len(self._queue) + len(self._reports)

    def list_topics(self, timeout: float) -> None:
        """Connects; nobody reads the answer."""

    def init_transactions(self, timeout: float) -> None:  # noqa: ARG002 - virtual
        kind = self._call("init")
        self._epoch = self._asked(lambda: self._broker.init_producer(self._name, self._timeout_s))
        self._called("init", kind)

    def begin_transaction(self) -> None:
        self._call("begin")
        if self._is_open:
            raise KafkaException(KafkaError(KafkaError._STATE, "a transaction is open"))  # noqa: SLF001 - its name
        self._check(aborting=True)
        self._is_open, self._is_known, self._added = True, False, set()
        self._called("begin")

    def produce(  # noqa: PLR0917 - confluent's own
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        on_delivery: Report | None = None,
        headers: Any = None,
    ) -> None:
        kind = self._call("produce")
        self._check()
        if not self._is_open:
            raise KafkaException(KafkaError(KafkaError._STATE, "no transaction is open"))  # noqa: SLF001 - its name
        if kind == "full":
            raise BufferError
        if not 0 <= partition < len(self._broker.topics[topic]):
            raise KafkaException(KafkaError(KafkaError._UNKNOWN_PARTITION, f"{topic} has no partition {partition}"))  # noqa: SLF001 - its name
        entry = Entry(key, value, as_headers(headers))
        self._queue.append(Waiting((topic, partition), entry, on_delivery))
        self._called("produce")

    def poll(self, timeout: float) -> int:  # noqa: ARG002 - virtual
        self._send(self._chance(len(self._queue) + 1))
        return self._report()

    def flush(self, timeout: float) -> int:  # noqa: ARG002 - virtual
        kind = self._call("flush")
        if kind == "undelivered" and self._queue:
            lost = self._queue.pop()
            self._must_abort = True
            if lost.report is not None:
                self._reports.append((lost.report, _NOT_DELIVERED, ModelMessage(*lost.place, -1)))
        while self._queue:
            self._send(len(self._queue))
            if self._queue:
                self._wait(_WAIT_S)
        if kind == "late" and self._added:
            places, epoch = sorted(self._added), self._epoch
            if self._logger is not None:
                # how long these took nobody measures
                self._logger.info("FAIL a connection broke")
            self._repeated(lambda: self._broker.add_partitions_late(self._name, epoch, places))
        self._report()
        self._check(aborting=True)
        self._called("flush")
        return len(self)

    def send_offsets_to_transaction(
        self,
        offsets: Collection[TopicPartition],
        group_metadata: bytes,
        timeout: float,  # noqa: ARG002 - virtual
    ) -> None:
        kind = self._call("send_offsets")
        self._fail_if(kind == "spoil")
        ends = {(each.topic, each.partition): each.offset for each in offsets}
        # the model has one group
        [group] = self._broker.groups.values()
        try:
            group.check(group_metadata)
            self._asked(lambda: self._broker.add_offsets(self._name, self._epoch, ends))
            self._is_known = True
        except KafkaException as error:
            self._must_abort = True
            raise error from None
        if kind == "late":
            epoch = self._epoch
            self._repeated(lambda: self._broker.add_offsets_late(self._name, epoch, ends))
        self._called("send_offsets", kind)

    def commit_transaction(self, timeout: float) -> None:  # noqa: ARG002 - virtual
        kind = self._call("commit")
        self._fail_if(kind == "spoil")
        self._end(committed=True)
        self._end_again(kind, committed=True)
        if kind == "deny":
            self._must_abort = self._is_denied = True
            self._check()
        self._called("commit", kind)
        self._is_open = False

    def abort_transaction(self, timeout: float) -> None:  # noqa: ARG002 - virtual
        kind = self._call("abort")
        self._check(aborting=True)
        self._purge()
        if self._is_denied:
            # as librdkafka does where it does not know what the brokers know: a new epoch ends what is open
            self._epoch = self._asked(lambda: self._broker.init_producer(self._name, self._timeout_s))
            self._is_denied = self._is_known = False
        self._end(committed=False)
        self._end_again(kind, committed=False)
        self._called("abort", kind)
        self._is_open = self._must_abort = False

    def _end(self, *, committed: bool) -> None:
        if self._is_known:
            self._asked(lambda: self._broker.end(self._name, self._epoch, committed=committed))

    def _end_again(self, kind: str | None, *, committed: bool) -> None:
        if kind == "late" and self._is_known:
            epoch = self._epoch
            self._repeated(lambda: self._broker.end_late(self._name, epoch, committed=committed))

    def _repeated(self, late: Callable[[], None]) -> None:
        """Ask again after librdkafka's wait; the first request is still on its way."""
        if self._chance(2):
            self._broker.late[self._name].append(late)
        else:
            self._broker.scheduler.after(REPEATED_SECONDS + _LATE_S * self.process.scheduler.chance.random(), late)
        self._wait(REPEATED_SECONDS)

    def _fail_if(self, spoilt: bool) -> None:  # noqa: FBT001 - what it is about
        self._must_abort = self._must_abort or spoilt
        self._check()

    def _check(self, *, aborting: bool = False) -> None:
        if self._fatal is not None:
            raise KafkaException(self._fatal)
        if self._must_abort and not aborting:
            raise KafkaException(_MUST_ABORT)

    def _asked(self, ask: Callable[[], Any]) -> Any:
        while True:
            try:
                return ask()
            except Busy:
                self._wait(_WAIT_S)
            except KafkaException as error:
                if error.args[0].fatal():
                    self._fatal = error.args[0]
                raise

    def _send(self, count: int) -> None:
        for _ in range(count):
            place, entry, report = self._queue[0]
            try:
                offset = self._broker.append(self._name, self._epoch, place, entry, is_added=place in self._added)
            except Busy:
                return
            except KafkaException as error:
                self._must_abort = True
                if error.args[0].fatal():
                    self._fatal = error.args[0]
                if error.args[0] is TOO_LARGE:
                    self._refused(self._queue.popleft())
                self._purge()
                return
            self._is_known = True
            self._added.add(place)
            self._queue.popleft()
            if report is not None:
                stamped_ms = self._broker.stamped_ms(place, offset)
                self._reports.append((report, None, ModelMessage(*place, offset, timestamp_ms=stamped_ms)))

    def _refused(self, waiting: Waiting) -> None:
        """Note that the broker did not take a record, for which it has added the partition to the transaction."""
        self._is_known = True
        self._added.add(waiting.place)
        if waiting.report is not None:
            self._reports.append((waiting.report, TOO_LARGE, ModelMessage(*waiting.place, -1)))

    def _purge(self) -> None:
        for place, _, report in self._queue:
            if report is not None:
                self._reports.append((report, _NOT_DELIVERED, ModelMessage(*place, -1)))
        self._queue.clear()

    def _report(self) -> int:
        served = len(self._reports)
        while self._reports:
            report, error, message = self._reports.popleft()
            report(error, message)
        return served

    def _chance(self, below: int) -> int:
        return self.process.scheduler.chance.randrange(below)
