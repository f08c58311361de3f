"""Mistakes in the engine: commits, restores, the overlay, the membership."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from streams.engine import committer, cycle
from streams.engine.assignment import Assignment
from streams.engine.changelog import ChangelogWriter
from streams.engine.committer import Committer
from streams.engine.poller import Poller
from streams.engine.transaction import Transactions
from streams.profiles import effects

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    import pytest

    from streams.engine.partition import Partition
    from streams.engine.restore import Restored
    from streams.engine.transaction import Moved
    from streams.kafka.offsets import PartitionId


def offset_before_changelog(patch: pytest.MonkeyPatch) -> None:
    """The offsets are committed by themselves, and the changelog after them."""

    def make_durable(
        transactions: Transactions, partitions: Collection[Partition], group_metadata: Callable[[], bytes], _: object
    ) -> None:
        transactions.begin()
        transactions.flush()
        transactions.commit(cycle._offsets(partitions), cycle._joined(group_metadata()))
        changelog = ChangelogWriter(transactions)
        transactions.begin()
        for partition in partitions:
            changelog.write(partition)
        transactions.flush()
        transactions._guarded.commit()
        transactions._open = False
        _store(partitions, changelog)

    patch.setattr(committer, "make_durable", make_durable)


def store_before_commit(patch: pytest.MonkeyPatch) -> None:
    """The local store is written when the brokers have the changelog, but before the commit."""

    def make_durable(
        transactions: Transactions, partitions: Collection[Partition], group_metadata: Callable[[], bytes], _: object
    ) -> None:
        changelog = ChangelogWriter(transactions)
        transactions.begin()
        for partition in partitions:
            changelog.write(partition)
        transactions.flush()
        _store(partitions, changelog)
        transactions.commit(cycle._offsets(partitions), cycle._joined(group_metadata()))

    patch.setattr(committer, "make_durable", make_durable)


def _store(partitions: Collection[Partition], changelog: ChangelogWriter) -> None:
    for partition in partitions:
        if partition.overlay is not None:
            end = changelog.position(partition)
            partition.overlay.committed(partition.overlay.store.position if end is None else end)


def random_id(patch: pytest.MonkeyPatch) -> None:
    """An effect's id is drawn instead of derived from its cause."""
    chance = Random(1)
    patch.setattr(effects, "xxh3_128_hexdigest", lambda _: f"{chance.getrandbits(128):032x}")


def seek_after_hand_over(patch: pytest.MonkeyPatch) -> None:
    """The tag of a rewound partition changes at once, its position after one more fetch has been handed over."""
    late: dict[Poller, Mapping[PartitionId, int]] = {}
    rewind, step = Poller._rewind, Poller._poll

    def tagged(poller: Poller, offsets: Mapping[PartitionId, int]) -> None:
        for place in offsets:
            poller._tags[place] += 1
        late[poller] = offsets

    def polled(poller: Poller, wait_s: float) -> None:
        step(poller, wait_s)
        offsets = late.pop(poller, {})
        owned = {place: offset for place, offset in offsets.items() if place in poller._owned}
        tags = dict(poller._tags)
        rewind(poller, owned)
        poller._tags = tags

    patch.setattr(Poller, "_rewind", tagged)
    patch.setattr(Poller, "_poll", polled)


def resume_before_ready(patch: pytest.MonkeyPatch) -> None:
    """A restored partition's records may come before the engine knows that it is ready."""
    make_ready = Assignment._make_ready

    async def resumed(assignment: Assignment, partition: Partition, restored: Restored) -> bool:
        await assignment.poller.resume(partition.place, partition.tag, restored.start)
        return await make_ready(assignment, partition, restored)

    patch.setattr(Assignment, "_make_ready", resumed)


def no_seek_after_rebalance(patch: pytest.MonkeyPatch) -> None:
    """What is kept during a rebalance goes on by librdkafka's own count."""

    def leave(_: Poller, __: Iterable[PartitionId]) -> None: ...

    patch.setattr(Poller, "_continue", leave)


def no_rewind_after_abort(patch: pytest.MonkeyPatch) -> None:
    """An aborted cycle's records do not come again."""

    def leave(_: Poller, __: Mapping[PartitionId, int]) -> None: ...

    patch.setattr(Poller, "_rewind", leave)


def no_look_at_the_membership(patch: pytest.MonkeyPatch) -> None:
    """A member that was let in again after others had its partitions commits as if nothing had been."""
    patch.setattr(Poller, "group_metadata", lambda poller: poller._consumer.consumer_group_metadata())


def never_renewed(patch: pytest.MonkeyPatch) -> None:
    """A producer goes on after an end that may have been sent twice."""
    patch.setattr(Transactions, "_renew", lambda _: None)
    patch.setattr("streams.kafka.transactional.TransactionalProducer.in_doubt", False)


def commit_before_flush(patch: pytest.MonkeyPatch) -> None:
    """A commit does not wait for the records that were sent."""
    patch.setattr(Transactions, "flush", lambda _: None)
    patch.setattr(ChangelogWriter, "position", lambda writer, part: writer._ends.get(part.place))


def offset_of_one_partition_only(patch: pytest.MonkeyPatch) -> None:
    """A cycle of several partitions commits the offset of the first."""
    offsets = cycle._offsets
    patch.setattr(cycle, "_offsets", lambda partitions: dict(list(offsets(partitions).items())[:1]))


def _moved_by(patch: pytest.MonkeyPatch, count: int) -> None:
    offsets = cycle._offsets

    def off(partitions: Collection[Partition]) -> dict[PartitionId, Moved]:
        return {
            place: moved._replace(after=max(0, moved.after + count)) for place, moved in offsets(partitions).items()
        }

    patch.setattr(cycle, "_offsets", off)


def offset_one_too_far(patch: pytest.MonkeyPatch) -> None:
    """The committed offset is beyond a record that was not processed."""
    _moved_by(patch, 1)


def offset_one_too_low(patch: pytest.MonkeyPatch) -> None:
    """The committed offset is that of the last record processed."""
    _moved_by(patch, -1)


def outputs_of_an_aborted_cycle_stay(patch: pytest.MonkeyPatch) -> None:
    """An abort leaves the transaction open, with all that was sent."""
    patch.setattr(Transactions, "abort", lambda _: None)


def an_error_means_aborted(patch: pytest.MonkeyPatch) -> None:
    """A commit whose answer was an error is taken for undone."""
    patch.setattr(Transactions, "_has_committed", lambda *_, said: said)


def an_error_means_committed(patch: pytest.MonkeyPatch) -> None:
    """A commit whose answer was an error is taken for done."""
    patch.setattr(Transactions, "_has_committed", lambda *_, said: True)  # noqa: ARG005 - as it is called


def old_batches_are_taken(patch: pytest.MonkeyPatch) -> None:
    """What was fetched before a rewind or an assignment is processed after it."""
    patch.setattr(Poller, "is_current", lambda *_: True)


def revoked_in_the_middle_of_a_cycle(patch: pytest.MonkeyPatch) -> None:
    """Partitions are given up without the commit of what was processed."""

    async def leave(_: Committer) -> None: ...

    patch.setattr(Committer, "finish", leave)


ENGINE = (
    offset_before_changelog,
    store_before_commit,
    random_id,
    seek_after_hand_over,
    resume_before_ready,
    no_seek_after_rebalance,
    no_rewind_after_abort,
    no_look_at_the_membership,
    never_renewed,
    commit_before_flush,
    offset_of_one_partition_only,
    offset_one_too_far,
    offset_one_too_low,
    outputs_of_an_aborted_cycle_stay,
    an_error_means_aborted,
    an_error_means_committed,
    old_batches_are_taken,
    revoked_in_the_middle_of_a_cycle,
)
