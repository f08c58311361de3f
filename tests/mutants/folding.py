"""Mistakes in what the agents make of records: facts, time, forwarding, what is not committed yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from schemas.journal import Wake
from streams.engine.broker_clock import BrokerClock
from streams.fold import fold, identifying, partition_state
from streams.fold.fold import Fold
from streams.fold.partition_state import PARTITION_KEY, JournalCodec, PartitionState, with_collected
from streams.fold.record import journal_headers
from streams.kafka.partitioner import partition_of
from streams.processors import profiling
from streams.processors.collecting import Collecting
from streams.processors.profiling import Profiling, Tally
from streams.processors.watermark_gate import WatermarkGate
from streams.profiles.effects import Effects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pytest

    from streams.engine.batch import Batch, Output
    from streams.fold.partition_state import Times
    from streams.kafka.offsets import GroupOffsets


def facts_of_an_aborted_cycle_stay(patch: pytest.MonkeyPatch) -> None:
    """What was counted in a cycle that is aborted is sent with the next one."""

    def dropped(profiling: Profiling) -> None:
        profiling._gate.dropped()
        profiling._pending = []

    patch.setattr(Profiling, "dropped", dropped)


def facts_sent_again(patch: pytest.MonkeyPatch) -> None:
    """What was sent of a partition's facts is sent again with its next ones."""
    send = Profiling._send_facts

    def kept(profiling: Profiling, partition: int, outputs: list[Output]) -> None:
        before = profiling._tallies[partition]
        send(profiling, partition, outputs)
        if profiling._tallies[partition] is not before:
            new = Tally()
            new._counted.update(before[0]._counted)
            profiling._tallies[partition] = new, Tally(), Tally()

    patch.setattr(Profiling, "_send_facts", kept)


def marks_of_aborted_records_count(patch: pytest.MonkeyPatch) -> None:
    """The time of records that were aborted is announced before they come again."""

    def dropped(collecting: Collecting) -> None:
        collecting._letters, collecting._journalled = [], 0

    patch.setattr(Collecting, "dropped", dropped)


def announced_without_a_commit(patch: pytest.MonkeyPatch) -> None:
    """A time whose announcement was aborted is not announced again."""

    def dropped(collecting: Collecting) -> None:
        collecting._announced |= collecting._announcing
        collecting._announcing, collecting._letters, collecting._journalled = {}, [], 0

    patch.setattr(Collecting, "dropped", dropped)


def time_told_while_records_are_under_way(patch: pytest.MonkeyPatch) -> None:
    """Time is announced as soon as it is collected, whatever is still to be folded."""

    def looked(gate: WatermarkGate, _: GroupOffsets) -> None:
        while gate._waves:
            gate._settled |= gate._waves.popleft().times

    patch.setattr(WatermarkGate, "looked", looked)


def time_told_without_a_second_look(patch: pytest.MonkeyPatch) -> None:
    """What the folds forward meanwhile is not waited for."""
    looked = WatermarkGate.looked

    def once(gate: WatermarkGate, offsets: GroupOffsets) -> None:
        for wave in gate._waves:
            wave.rounds_left = min(wave.rounds_left, 1)
        looked(gate, offsets)

    patch.setattr(WatermarkGate, "looked", once)


def time_not_told_again_after_an_abort(patch: pytest.MonkeyPatch) -> None:
    """A watermark whose announcement was aborted counts as announced."""
    patch.setattr(WatermarkGate, "dropped", lambda _: None)


def time_goes_by_one_input_only(patch: pytest.MonkeyPatch) -> None:
    """A partition's time is the latest that any input has come to."""
    patch.setattr(
        PartitionState, "now_ms", property(lambda state: None if not state.progress else _positive(max(state.progress)))
    )


def _positive(time_ms: int) -> int | None:
    return time_ms if time_ms >= 0 else None


def time_told_by_the_workers_own_clock(patch: pytest.MonkeyPatch) -> None:
    """The worker's wall clock is taken for the brokers' time."""
    patch.setattr(BrokerClock, "now_ms", lambda clock: int(clock._wall_s() * 1_000))


def time_counts_from_the_sending(patch: pytest.MonkeyPatch) -> None:
    """What passed since a record was sent is added to its stamp, not what passed since the worker heard of it."""

    def now_ms(clock: BrokerClock) -> int | None:
        now_s = clock.clock_s()
        times = [each.time_ms + (now_s - each.began_s) * 1_000 for each in clock._fresh(now_s)]
        return int(min(times)) if times else None

    patch.setattr(BrokerClock, "now_ms", now_ms)


def wake_lost(patch: pytest.MonkeyPatch) -> None:
    """The rest of many timers due at once is forgotten: the record that would wake them is not sent."""
    append = Effects.append

    def without(effects: Effects, key: str | None, record: Any, *rest: Any) -> None:
        if not isinstance(record, Wake):
            append(effects, key, record, *rest)

    patch.setattr(fold, "WAKES_MAX", 1)
    patch.setattr(fold, "WOKEN_MAX", 1)
    patch.setattr(Effects, "append", without)


def records_in_the_wrong_partition(patch: pytest.MonkeyPatch) -> None:
    """What goes back to the journal goes to another partition than its customer's."""
    right = partition_of
    patch.setattr(profiling, "partition_of", lambda key, count: (right(key, count) + 1) % count)


def hops_not_counted(patch: pytest.MonkeyPatch) -> None:
    """A forwarded record looks as if it came from outside."""
    patch.setattr(identifying, "journal_headers", lambda received_ms, _, **given: journal_headers(received_ms, **given))


def order_within_a_batch_lost(patch: pytest.MonkeyPatch) -> None:
    """Records of a batch are folded by key."""
    process = Profiling.process

    def sorted_(profiling: Profiling, batch: Batch) -> Iterable[Output]:
        batch.messages.sort(key=lambda message: (message.key() or b"", message.offset()))
        return process(profiling, batch)

    patch.setattr(Profiling, "process", sorted_)


def last_of_a_long_batch_skipped(patch: pytest.MonkeyPatch) -> None:
    """The fourth record of a batch, and what follows it, is passed by."""
    process = Profiling.process

    def cut(profiling: Profiling, batch: Batch) -> Iterable[Output]:
        del batch.messages[3:]
        return process(profiling, batch)

    patch.setattr(Profiling, "process", cut)


def collected_record_lost(patch: pytest.MonkeyPatch) -> None:
    """Every ninth touchpoint does not reach the journal, in each run the same ones."""
    process = Collecting.process

    def losing(collecting: Collecting, batch: Batch) -> Iterator[Output]:
        batch.messages[:] = [each for each in batch.messages if each.offset() % 9 != 8]
        yield from process(collecting, batch)

    patch.setattr(Collecting, "process", losing)


def state_loses_a_field(patch: pytest.MonkeyPatch) -> None:
    """What is stored of a profile lacks which events it has seen."""
    encode = JournalCodec.encode

    def lossy(codec: JournalCodec, key: bytes, value: Any) -> bytes:
        if key != PARTITION_KEY:
            value = msgspec.structs.replace(value, seen=())
        return encode(codec, key, value)

    patch.setattr(JournalCodec, "encode", lossy)


def collected_is_not_stored(patch: pytest.MonkeyPatch) -> None:
    """How far the inputs were collected is known to the fold that read it, and to no later one."""
    memory: dict[int, Times] = {}

    def learn(self: Fold, record: Any, _: Effects) -> None:
        if type(record.value).__name__ == "CollectedTo":
            memory[id(self)] = with_collected(
                msgspec.structs.replace(self._read(), collected=memory.get(id(self), ())), record.value
            ).collected
            return
        self._write(partition_state.LEARNT[type(record.value)](self._read(), record.value))

    def collected(self: Fold) -> Times:
        return memory.get(id(self), ())

    patch.setattr(Fold, "_learn", learn)
    patch.setattr(Fold, "collected", collected)


FOLDING = (
    facts_of_an_aborted_cycle_stay,
    facts_sent_again,
    marks_of_aborted_records_count,
    announced_without_a_commit,
    time_told_while_records_are_under_way,
    time_told_without_a_second_look,
    time_not_told_again_after_an_abort,
    time_goes_by_one_input_only,
    time_told_by_the_workers_own_clock,
    time_counts_from_the_sending,
    wake_lost,
    records_in_the_wrong_partition,
    hops_not_counted,
    order_within_a_batch_lost,
    last_of_a_long_batch_skipped,
    collected_record_lost,
    state_loses_a_field,
    collected_is_not_stored,
)
