"""Mistakes of the brokers, of a worker's disk, and of the simulation itself."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.mutants.folding import collected_record_lost
from tests.simulation import checking
from tests.simulation.disk import Kept
from tests.simulation.faults import Faults
from tests.simulation.model_broker import Log, ModelBroker, Transaction
from tests.simulation.model_consumer import ModelConsumer
from tests.simulation.model_group import Group
from tests.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pytest

    from streams.kafka.offsets import PartitionId
    from tests.simulation.model_broker import Entry

_SOME = 31


def record_lost(patch: pytest.MonkeyPatch) -> None:
    """A broker acknowledges a record that it does not keep."""
    append, calls = ModelBroker.append, Counter[int]()

    def losing(broker: ModelBroker, name: str, epoch: int, place: PartitionId, entry: Entry, *, is_added: bool) -> int:
        calls[id(broker)] += 1
        if calls[id(broker)] % _SOME:
            return append(broker, name, epoch, place, entry, is_added=is_added)
        broker._begun(name, epoch)
        return len(broker.log(place).entries)

    patch.setattr(ModelBroker, "append", losing)


def record_repeated(patch: pytest.MonkeyPatch) -> None:
    """A broker appends a repeated request again."""
    append, calls = ModelBroker.append, Counter[int]()

    def twice(broker: ModelBroker, name: str, epoch: int, place: PartitionId, entry: Entry, *, is_added: bool) -> int:
        calls[id(broker)] += 1
        if calls[id(broker)] % _SOME == 0:
            append(broker, name, epoch, place, entry, is_added=is_added)
        return append(broker, name, epoch, place, entry, is_added=is_added)

    patch.setattr(ModelBroker, "append", twice)


def nobody_fenced(patch: pytest.MonkeyPatch) -> None:
    """A producer goes on although a newer one has its transactional id."""
    patch.setattr(ModelBroker, "_current", lambda broker, name, _: broker._transactions[name])


def aborted_records_are_read(patch: pytest.MonkeyPatch) -> None:
    """A marker of an abort does not keep readers from the records."""
    mark = Log.mark
    patch.setattr(Log, "mark", lambda log, transaction, **_: mark(log, transaction, committed=True))


def offsets_of_an_aborted_transaction_count(patch: pytest.MonkeyPatch) -> None:
    """The group takes over offsets whose transaction was aborted."""
    settle = ModelBroker._settle_offsets
    patch.setattr(ModelBroker, "_settle_offsets", lambda broker, offsets, **_: settle(broker, offsets, committed=True))


def open_transactions_are_read(patch: pytest.MonkeyPatch) -> None:
    """Readers of committed records get those of open transactions."""
    patch.setattr(Log, "stable_end", property(lambda log: len(log.entries)))


def marker_of_one_partition_lost(patch: pytest.MonkeyPatch) -> None:
    """Of a transaction over several partitions one is decided otherwise."""
    end = ModelBroker._end

    def torn(broker: ModelBroker, transaction: Transaction, *, committed: bool) -> None:
        if committed and len(transaction.places) > 2 and transaction.number % 5 == 0:
            place = max(transaction.places)
            transaction.places.discard(place)
            broker.log(place).mark(transaction.number, committed=False)
        end(broker, transaction, committed=committed)

    patch.setattr(ModelBroker, "_end", torn)


def compaction_takes_the_newest(patch: pytest.MonkeyPatch) -> None:
    """Compaction keeps the first record of a key."""

    def compact(log: Log) -> None:
        first: dict[bytes | None, int] = {}
        for offset, entry in log.committed():
            first.setdefault(entry.key, offset)
        for offset, there in enumerate(log.entries[: log.stable_end]):
            if there is not None and first.get(there.key) != offset and offset < len(log.entries) - 1:
                log.entries[offset] = None

    patch.setattr(Log, "compact", compact)


def two_owners(patch: pytest.MonkeyPatch) -> None:
    """A group gives a partition to two of its members."""
    shares = Group._shares

    def doubled(group: Group) -> Mapping[str, set[PartitionId]]:
        found = {name: set(share) for name, share in shares(group).items()}
        if len(found) > 1:
            first, second, *_ = sorted(found)
            found[second] |= set(sorted(found[first])[:1])
        return found

    patch.setattr(Group, "_shares", doubled)


def generation_not_checked(patch: pytest.MonkeyPatch) -> None:
    """A group takes offsets from those who are no members any more."""
    patch.setattr(Group, "check", lambda *_: None)


def pending_offsets_are_told(patch: pytest.MonkeyPatch) -> None:
    """A group answers with its offsets while a transaction is about to move them."""

    class Never(Counter[Any]):
        def __getitem__(self, _: Any) -> int:
            return 0

    patch.setattr(ModelBroker, "pending_offsets", property(lambda _: Never(), lambda *_: None), raising=False)


def record_fetched_twice(patch: pytest.MonkeyPatch) -> None:
    """A consumer that is sent back goes back one record too far."""
    seek = ModelConsumer.seek

    def again(consumer: ModelConsumer, to: Any) -> None:
        seek(consumer, to)
        fetching = consumer._fetching(to)
        if fetching.position:
            fetching.position -= 1

    patch.setattr(ModelConsumer, "seek", again)


def fetch_begins_late(patch: pytest.MonkeyPatch) -> None:
    """A consumer that is sent to an offset begins behind it."""
    seek = ModelConsumer.seek

    def late(consumer: ModelConsumer, to: Any) -> None:
        seek(consumer, to)
        fetching = consumer._fetching(to)
        if fetching.position is not None:
            fetching.position += 1

    patch.setattr(ModelConsumer, "seek", late)


def no_wait_for_the_last_marker(patch: pytest.MonkeyPatch) -> None:
    """A new producer begins before the transaction of the one before it is over, which then goes nowhere."""

    def init_producer(broker: ModelBroker, name: str, timeout_s: float) -> int:
        transaction = broker._transactions.setdefault(name, Transaction(timeout_s))
        transaction.epoch += 1
        transaction.number, transaction.is_ending = 0, False
        transaction.places, transaction.offsets = set(), {}
        return transaction.epoch

    patch.setattr(ModelBroker, "init_producer", init_producer)


def disk_loses_a_write(patch: pytest.MonkeyPatch) -> None:
    """A store keeps its position but not the records of some writes."""
    write, calls = Kept.write, Counter[int]()

    def losing(store: Kept, records: Iterable[Any], position: int, *rest: Any) -> None:
        calls[id(store)] += 1
        write(store, [] if calls[id(store)] % 6 == 5 else list(records), position, *rest)

    patch.setattr(Kept, "write", losing)


def comparison_blind_and_a_record_lost(patch: pytest.MonkeyPatch) -> None:
    """The simulation compares nothing, while the door loses records."""
    patch.setattr(checking, "differences", lambda *_: iter(()))
    collected_record_lost(patch)


def faults_do_not_happen(patch: pytest.MonkeyPatch) -> None:
    """The simulation plans what goes wrong, and nothing does."""
    due = Faults._due

    def never(faults: Faults, call: str, *, is_after: bool) -> None:
        waiting, faults._waiting = faults._waiting, {}
        due(faults, call, is_after=is_after)
        faults._waiting = waiting

    patch.setattr(Faults, "_due", never)


def ends_too_soon(patch: pytest.MonkeyPatch) -> None:
    """The simulation ends before all is worked off."""
    patch.setattr(World, "_is_settled", lambda _: True)


def sends_part_of_the_records(patch: pytest.MonkeyPatch) -> None:
    """The simulation sends part of the records that it was asked to send."""
    send = World.send

    def some(world: World, sent: Any) -> None:
        if len(world.sent) % 5 == 3:
            world.sent.append(sent)
        else:
            send(world, sent)

    patch.setattr(World, "send", some)


MODELLING = (
    record_lost,
    record_repeated,
    nobody_fenced,
    aborted_records_are_read,
    offsets_of_an_aborted_transaction_count,
    open_transactions_are_read,
    marker_of_one_partition_lost,
    compaction_takes_the_newest,
    two_owners,
    generation_not_checked,
    pending_offsets_are_told,
    record_fetched_twice,
    fetch_begins_late,
    no_wait_for_the_last_marker,
    disk_loses_a_write,
    comparison_blind_and_a_record_lost,
    faults_do_not_happen,
    ends_too_soon,
    sends_part_of_the_records,
)
