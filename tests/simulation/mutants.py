"""Mistakes in the engine that a simulation must notice: each puts one into the real modules."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from streams.engine import committer, cycle
from streams.engine.assignment import Assignment
from streams.engine.changelog import ChangelogWriter
from streams.engine.poller import Poller
from streams.profiles import effects

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    import pytest

    from streams.engine.partition import Partition
    from streams.engine.restore import Restored
    from streams.engine.transaction import Transactions
    from streams.kafka.offsets import PartitionId

    Mutate = Callable[[pytest.MonkeyPatch], None]


def offset_before_changelog(patch: pytest.MonkeyPatch) -> None:
    """The offsets are committed by themselves, and the changelog after them."""

    def make_durable(
        transactions: Transactions, partitions: Collection[Partition], group_metadata: Callable[[], bytes], _: object
    ) -> None:
        transactions.begin()
        transactions.flush()
        transactions.commit(cycle._offsets(partitions), cycle._joined(group_metadata()))  # noqa: SLF001
        changelog = ChangelogWriter(transactions)
        transactions.begin()
        for partition in partitions:
            changelog.write(partition)
        transactions.flush()
        transactions._guarded.commit()  # noqa: SLF001
        transactions._open = False  # noqa: SLF001
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
        transactions.commit(cycle._offsets(partitions), cycle._joined(group_metadata()))  # noqa: SLF001

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
    rewind, step = Poller._rewind, Poller._poll  # noqa: SLF001

    def tagged(poller: Poller, offsets: Mapping[PartitionId, int]) -> None:
        for place in offsets:
            poller._tags[place] += 1  # noqa: SLF001
        late[poller] = offsets

    def polled(poller: Poller, wait_s: float) -> None:
        step(poller, wait_s)
        offsets = late.pop(poller, {})
        owned = {place: offset for place, offset in offsets.items() if place in poller._owned}  # noqa: SLF001
        tags = dict(poller._tags)  # noqa: SLF001
        rewind(poller, owned)
        poller._tags = tags  # noqa: SLF001

    patch.setattr(Poller, "_rewind", tagged)
    patch.setattr(Poller, "_poll", polled)


def resume_before_ready(patch: pytest.MonkeyPatch) -> None:
    """A restored partition's records may come before the engine knows that it is ready."""
    make_ready = Assignment._make_ready  # noqa: SLF001

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
    """Who was let in again after others had its partitions commits as if nothing had been."""
    patch.setattr(Poller, "group_metadata", lambda poller: poller._consumer.consumer_group_metadata())  # noqa: SLF001


def kept_after_abort(patch: pytest.MonkeyPatch) -> None:
    """An aborted cycle's changes stay in the overlay."""
    patch.setattr("state.overlay.Overlay.drop", lambda _: None)


def never_renewed(patch: pytest.MonkeyPatch) -> None:
    """A producer goes on after an end that may have been sent twice."""
    patch.setattr("streams.engine.transaction.Transactions._renew", lambda _: None)
    patch.setattr("streams.kafka.transactional.TransactionalProducer.in_doubt", False)


MUTANTS: dict[str, Any] = {
    mutate.__name__: mutate
    for mutate in (
        offset_before_changelog,
        store_before_commit,
        random_id,
        seek_after_hand_over,
        resume_before_ready,
        no_seek_after_rebalance,
        no_rewind_after_abort,
        no_look_at_the_membership,
        kept_after_abort,
        never_renewed,
    )
}
