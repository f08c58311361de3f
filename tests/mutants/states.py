"""Mistakes in the state: the overlay, its timers, the changelog, restores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from state.overlay import Overlay
from state.timers import Timers
from streams.engine import restore
from streams.engine.assignment import Assignment
from streams.engine.changelog import ChangelogWriter
from streams.engine.transaction import Transactions
from streams.fold.partition_state import PARTITION_KEY, JournalCodec
from streams.kafka.watermarks import watermarks
from streams.profiles.profile import Profile
from tests.simulation.disk import Kept

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from streams.engine.batch import Output
    from streams.engine.partition import Partition
    from streams.engine.restore import Restoration, Restored


def kept_after_abort(patch: pytest.MonkeyPatch) -> None:
    """An aborted cycle's changes stay in the overlay."""
    patch.setattr(Overlay, "drop", lambda _: None)


def position_behind_another_change(patch: pytest.MonkeyPatch) -> None:
    """The store's position in the changelog is beyond a record that it does not have."""
    position = ChangelogWriter.position

    def too_far(writer: ChangelogWriter, partition: Partition) -> int | None:
        end = position(writer, partition)
        return None if end is None else end + 2

    patch.setattr(ChangelogWriter, "position", too_far)


def deletions_not_in_the_changelog(patch: pytest.MonkeyPatch) -> None:
    """The changelog has no record of a state that was deleted."""
    send = Transactions.send

    def without(transactions: Transactions, outputs: Iterable[Output]) -> None:
        send(transactions, [each for each in outputs if each.value is not None or "changelog" not in each.topic])

    patch.setattr(Transactions, "send", without)


def restore_skips_deletions(patch: pytest.MonkeyPatch) -> None:
    """A restore passes tombstones of the changelog by."""
    catch_up = restore._catch_up

    def skipping(wanted: Restoration, store: Any, *rest: Any) -> int | None:
        write = store.write
        store.write = lambda records, position: write([each for each in records if each[1] is not None], position)
        try:
            return catch_up(wanted, store, *rest)
        finally:
            del store.write

    patch.setattr(restore, "_catch_up", skipping)


class _Uncommitted:
    """What is to be restored, by consumers that read uncommitted records."""

    def __init__(self, wanted: Restoration) -> None:
        self._wanted = wanted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wanted, name)

    def consumer(self, **_: str | int) -> Any:
        return self._wanted.consumer(**{"isolation.level": "read_uncommitted"})


def _uncommitted(wanted: Restoration) -> Any:
    return _Uncommitted(wanted)


def restore_reads_uncommitted(patch: pytest.MonkeyPatch) -> None:
    """A restore takes changes in that were aborted."""
    catch_up = restore._catch_up
    patch.setattr(restore, "_catch_up", lambda wanted, *rest: catch_up(_uncommitted(wanted), *rest))


def restore_asks_for_unstable_offsets(patch: pytest.MonkeyPatch) -> None:
    """A restore takes a committed offset that a pending transaction is about to move."""
    committed = restore._committed
    patch.setattr(restore, "_committed", lambda wanted: committed(_uncommitted(wanted)))


def restore_stops_short(patch: pytest.MonkeyPatch) -> None:
    """A restore leaves the last two offsets of the changelog out."""

    def short(*arguments: Any) -> tuple[int, int]:
        low, high = watermarks(*arguments)
        return low, max(low, high - 2)

    patch.setattr(restore, "watermarks", short)


def restore_trusts_the_disk(patch: pytest.MonkeyPatch) -> None:
    """A local store is taken as it is, though the changelog goes on after it."""
    catch_up = restore._catch_up

    def trusting(wanted: Restoration, store: Any, *rest: Any) -> int | None:
        return 0 if store.position > 0 else catch_up(wanted, store, *rest)

    patch.setattr(restore, "_catch_up", trusting)


def cached_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    """A value is cached as soon as it is put, and an abort leaves it there."""
    put = Overlay.put

    def cached(overlay: Overlay[Any], key: bytes, value: Any, due_ms: int) -> None:
        put(overlay, key, value, due_ms)
        overlay.cache.put(key, value, 100)

    patch.setattr(Overlay, "put", cached)


def blind_to_its_own_changes(patch: pytest.MonkeyPatch) -> None:
    """A profile is read as it was before the cycle."""
    get = Overlay.get

    def committed(overlay: Overlay[Any], key: bytes) -> Any:
        if isinstance(overlay._dirty.get(key), Profile):
            dirty, overlay._dirty = overlay._dirty, {}
            try:
                return get(overlay, key)
            finally:
                overlay._dirty = dirty
        return get(overlay, key)

    patch.setattr(Overlay, "get", committed)


def new_timers_before_the_horizon_lost(patch: pytest.MonkeyPatch) -> None:
    """A committed timer that is due before those in memory is not taken up among them."""
    committed = Timers.committed

    def without(timers: Timers, entries: Iterable[Any]) -> None:
        committed(timers, [entry for entry in entries if entry > timers._horizon])

    patch.setattr(Timers, "committed", without)


def timers_not_restored(patch: pytest.MonkeyPatch) -> None:
    """The timers in a restored store never fire."""

    def nothing(timers: Timers) -> None:
        timers._horizon = timers._beyond_ms, b""
        timers._beyond_ms = 1 << 62

    patch.setattr(Timers, "_load", nothing)


def restored_state_thrown_away(patch: pytest.MonkeyPatch) -> None:
    """A journal partition begins without profiles at the committed offset."""
    make_ready = Assignment._make_ready

    async def emptied(assignment: Assignment, partition: Partition, restored: Restored) -> bool:
        if isinstance(restored.store, Kept) and isinstance(partition.input.codec, JournalCodec):
            for key, _ in list(restored.store.items()):
                if key != PARTITION_KEY:
                    restored.store._records.pop(key)
        return await make_ready(assignment, partition, restored)

    patch.setattr(Assignment, "_make_ready", emptied)


def partition_record_not_in_the_changelog(patch: pytest.MonkeyPatch) -> None:
    """What a partition knows besides its customers is in the local store only."""
    send = Transactions.send

    def without(transactions: Transactions, outputs: Iterable[Output]) -> None:
        send(transactions, [each for each in outputs if each.key != PARTITION_KEY or "changelog" not in each.topic])

    patch.setattr(Transactions, "send", without)


STATES = (
    kept_after_abort,
    position_behind_another_change,
    deletions_not_in_the_changelog,
    restore_skips_deletions,
    restore_reads_uncommitted,
    restore_asks_for_unstable_offsets,
    restore_stops_short,
    restore_trusts_the_disk,
    cached_before_the_commit,
    blind_to_its_own_changes,
    new_timers_before_the_horizon_lost,
    timers_not_restored,
    restored_state_thrown_away,
    partition_record_not_in_the_changelog,
)
