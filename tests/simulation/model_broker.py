"""A model of Kafka's brokers: logs, transactions with their markers, offsets of groups."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaError, KafkaException

from streams.kafka.topology import TopicSeen

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from streams.kafka.offsets import PartitionId
    from tests.simulation.model_group import Group
    from tests.simulation.scheduler import Scheduler

FENCED = KafkaError(KafkaError._FENCED, "a newer producer has this transactional.id", fatal=True)  # noqa: SLF001
TOO_LARGE = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "larger than its topic takes", txn_requires_abort=True)
ENDED = KafkaError(KafkaError.INVALID_TXN_STATE, "the partition is in no open transaction", txn_requires_abort=True)
_RECORD_BYTES_MAX = 1_048_588
"""Kafka's default of message.max.bytes."""
_BATCH_BYTES = 61
_WITHIN_SECONDS = 0.03
_MARKER_SECONDS, _SLOW_MARKER_SECONDS = 0.002, 0.2
_SLOW_MARKER_SHARES = (0.01, 0.1, 0.3)


class Busy(Exception):
    """The last transaction's markers are still being written: the client asks again."""


class Entry(NamedTuple):
    """A record in a log."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int = 0
    transaction: int = 0
    """0: written outside of any."""

    @property
    def size(self) -> int:
        """Bytes, with what a batch of one record adds; Kafka's own count is after compression."""
        headers = sum(len(name) + len(value) for name, value in self.headers)
        return _BATCH_BYTES + len(self.key or b"") + len(self.value or b"") + headers


class Log:
    """A partition. None is a marker, or a record that compaction has removed."""

    def __init__(self, stamp: Callable[[], int] | None = None) -> None:
        self._stamp = stamp
        """The brokers' time in ms, where records are to have it."""
        self.entries: list[Entry | None] = []
        self.low = 0
        """The first offset that is left."""
        self.open: dict[int, int] = {}
        """By transaction without a marker here: its first offset."""
        self.aborted: set[int] = set()

    @property
    def stable_end(self) -> int:
        return min(self.open.values(), default=len(self.entries))

    def append(self, entry: Entry) -> int:
        offset = len(self.entries)
        self.entries.append(entry if self._stamp is None else entry._replace(timestamp_ms=self._stamp()))
        if entry.transaction:
            self.open.setdefault(entry.transaction, offset)
        return offset

    def take(self, entry: Entry) -> None:
        """Append what is written outside of any transaction."""
        self.append(entry)

    def mark(self, transaction: int, *, committed: bool) -> None:
        # also where it has no record, if the partition was added to it
        self.entries.append(None)
        if self.open.pop(transaction, None) is not None and not committed:
            self.aborted.add(transaction)

    def next_visible(self, offset: int, *, committed: bool) -> tuple[int, Entry | None]:
        """Find the first record from `offset` on that a reader sees; (end, None) where there is none yet."""
        end = self.stable_end if committed else len(self.entries)
        while offset < end:
            entry = self.entries[offset]
            if entry is not None and not (committed and entry.transaction in self.aborted):
                return offset, entry
            offset += 1
        return max(offset, end), None

    def committed(self, start: int = 0) -> Iterator[tuple[int, Entry]]:
        offset, entry = self.next_visible(start, committed=True)
        while entry is not None:
            yield offset, entry
            offset, entry = self.next_visible(offset + 1, committed=True)

    def delete_before(self, offset: int) -> None:
        """Take away the first records, as retention does."""
        self.low = max(self.low, min(offset, self.stable_end))
        self.entries[: self.low] = [None] * self.low

    def compact(self) -> None:
        """Take away all but the last decided record of a key; offsets stay, and the last one too."""
        last = {entry.key: offset for offset, entry in self.committed()}
        for offset, entry in enumerate(self.entries[: self.stable_end]):
            if entry is not None and last.get(entry.key) != offset and offset < len(self.entries) - 1:
                self.entries[offset] = None


@dataclass
class Transaction:
    """What the coordinator knows of one transactional.id."""

    timeout_s: float
    epoch: int = -1
    number: int = 0
    """Of the transaction that is open or ending; 0: none."""
    is_ending: bool = False
    is_committed: bool = False
    """What became of the last one."""
    places: set[PartitionId] = field(default_factory=set)
    offsets: dict[PartitionId, int] = field(default_factory=dict)


class ModelTopics:
    """Answers questions about topics."""

    def __init__(self, broker: ModelBroker) -> None:
        self._broker = broker

    def ask(self, names: Collection[str]) -> dict[str, TopicSeen]:
        there = self._broker.topics
        return {name: TopicSeen(len(there[name]), self._broker.ids[name]) for name in names if name in there}


class ModelBroker:
    """All brokers in one; what they do by themselves are steps of the scheduler."""

    def __init__(
        self,
        scheduler: Scheduler,
        topics: Mapping[str, int],
        bytes_max: Mapping[str, int] | None = None,
        stamp: Callable[[], int] | None = None,
    ) -> None:
        self.scheduler = scheduler
        self.stamp: Callable[[], int] | None = stamp
        self._bytes_max = bytes_max or {}
        """Of a record, by topic; of others it is Kafka's default."""
        self.topics = {name: [Log(stamp) for _ in range(count)] for name, count in topics.items()}
        self.ids = {name: f"id-of-{name}" for name in topics}
        self.groups: dict[str, Group] = {}
        self.offsets: dict[PartitionId, int] = {}
        self.pending_offsets: Counter[PartitionId] = Counter()
        """Of transactions whose end is not known to the group."""
        self.stalled: set[PartitionId] = set()
        self.marker_delay_s = 0.0
        self._slow_share = scheduler.chance.choice(_SLOW_MARKER_SHARES)
        self.late: defaultdict[str, list[Callable[[], None]]] = defaultdict(list)
        """By transactional id: requests that come within its next transaction."""
        self._transactions: dict[str, Transaction] = {}
        self._number = 0

    def log(self, place: PartitionId) -> Log:
        return self.topics[place[0]][place[1]]

    def stamped_ms(self, place: PartitionId, offset: int) -> int:
        """Give the stamp of a record that was just appended; 0: it has none."""
        entry = self.log(place).entries[offset]
        return 0 if entry is None else entry.timestamp_ms

    def make_again(self, topic: str) -> None:
        """Delete a topic, with the group's offsets in it, and make one of the same name."""
        self.topics[topic] = [Log(self.stamp) for _ in self.topics[topic]]
        self.ids[topic] += "-again"
        for place in [place for place in self.offsets if place[0] == topic]:
            del self.offsets[place]

    def is_idle(self) -> bool:
        """Tell whether no transaction is open or ending."""
        return not any(transaction.number for transaction in self._transactions.values())

    def init_producer(self, name: str, timeout_s: float) -> int:
        """Fence earlier producers of the name; the new one's epoch."""
        transaction = self._transactions.setdefault(name, Transaction(timeout_s))
        if transaction.is_ending:
            raise Busy
        transaction.epoch += 1
        if transaction.number:
            self._end(transaction, committed=False)
            raise Busy
        return transaction.epoch

    def append(self, name: str, epoch: int, place: PartitionId, entry: Entry, *, is_added: bool) -> int:
        """Append a record; `is_added`: the producer has added the partition to the transaction that it has open."""
        if is_added and place not in self._going_on(name, epoch).places:
            raise KafkaException(ENDED)
        transaction = self._begun(name, epoch)
        transaction.places.add(place)
        if entry.size > self._bytes_max.get(place[0], _RECORD_BYTES_MAX):
            raise KafkaException(TOO_LARGE)
        return self.log(place).append(entry._replace(transaction=transaction.number))

    def add_offsets(self, name: str, epoch: int, offsets: Mapping[PartitionId, int]) -> None:
        transaction = self._begun(name, epoch)
        for place in offsets.keys() - transaction.offsets.keys():
            self.pending_offsets[place] += 1
        transaction.offsets.update(offsets)

    def end(self, name: str, epoch: int, *, committed: bool) -> None:
        """Decide the open transaction; its markers follow. Asked again it says the same."""
        transaction = self._current(name, epoch)
        if transaction.number and not transaction.is_ending:
            self._end(transaction, committed=committed)
        elif transaction.is_committed != committed:
            raise KafkaException(KafkaError(KafkaError.INVALID_TXN_STATE, "decided otherwise", fatal=True))

    def end_late(self, name: str, epoch: int, *, committed: bool) -> None:
        """Take a repeated end that was held up on its way: it ends whatever the epoch has open by now (KIP-890)."""
        transaction = self._transactions[name]
        if transaction.epoch == epoch and transaction.number and not transaction.is_ending:
            self._end(transaction, committed=committed)

    def add_offsets_late(self, name: str, epoch: int, offsets: Mapping[PartitionId, int]) -> None:
        """Take repeated offsets that were held up: they count for a transaction that has offsets already."""
        transaction = self._transactions[name]
        if transaction.epoch == epoch and transaction.offsets and not transaction.is_ending:
            self.add_offsets(name, epoch, offsets)

    def add_partitions_late(self, name: str, epoch: int, places: Iterable[PartitionId]) -> None:
        """Take a repeated request that adds partitions and was held up: it opens a transaction if none is open."""
        transaction = self._transactions[name]
        if transaction.epoch == epoch and not transaction.is_ending:
            self._begun(name, epoch).places.update(places)

    def _going_on(self, name: str, epoch: int) -> Transaction:
        transaction = self._current(name, epoch)
        if transaction.is_ending:
            raise Busy
        return transaction

    def _current(self, name: str, epoch: int) -> Transaction:
        transaction = self._transactions[name]
        if transaction.epoch != epoch:
            raise KafkaException(FENCED)
        return transaction

    def _begun(self, name: str, epoch: int) -> Transaction:
        transaction = self._going_on(name, epoch)
        if not transaction.number:
            self._number += 1
            transaction.number = number = self._number
            self.scheduler.after(transaction.timeout_s, lambda: self._time_out(transaction, number))
            for late in self.late.pop(name, ()):
                # most transactions are short
                self.scheduler.after(_WITHIN_SECONDS * self.scheduler.chance.random() ** 3, late)
        return transaction

    def _time_out(self, transaction: Transaction, number: int) -> None:
        if transaction.number == number and not transaction.is_ending:
            transaction.epoch += 1
            self._end(transaction, committed=False)

    def _end(self, transaction: Transaction, *, committed: bool) -> None:
        transaction.is_ending, transaction.is_committed = True, committed
        number, places, offsets = transaction.number, transaction.places, transaction.offsets
        # sorted: a set of texts has another order in each process
        waiting = [partial(self.log(place).mark, number, committed=committed) for place in sorted(places)]
        if offsets:
            waiting.append(partial(self._settle_offsets, offsets, committed=committed))
        left = len(waiting)

        def mark(write: Callable[[], None]) -> None:
            nonlocal left
            write()
            left -= 1
            if not left:
                transaction.number, transaction.is_ending = 0, False
                transaction.places, transaction.offsets = set(), {}

        for write in waiting:
            self.scheduler.after(self._marker_seconds(), partial(mark, write))

    def _marker_seconds(self) -> float:
        wait_s, self.marker_delay_s = self.marker_delay_s, 0.0
        chance = self.scheduler.chance
        return wait_s + chance.random() * (
            _SLOW_MARKER_SECONDS if chance.random() < self._slow_share else _MARKER_SECONDS
        )

    def _settle_offsets(self, offsets: Mapping[PartitionId, int], *, committed: bool) -> None:
        for place, offset in offsets.items():
            self.pending_offsets[place] -= 1
            if committed:
                self.offsets[place] = offset
