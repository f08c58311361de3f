"""Folds one record of the journal: identity, the customer's timers due before it, then each domain's part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from schemas import wire
from schemas.journal import (
    RULES_4,
    Absorbed,
    Configured,
    Hold,
    Imported,
    Landed,
    Link,
    OrderOwned,
    OrderTold,
    Progress,
    Recall,
    SetAside,
    SlotAnswered,
    SlotAsked,
    SlotsDue,
    TimeReset,
    UndoMerge,
    Unlink,
    Unparked,
    Wake,
)
from schemas.limits import FIRES_MAX, WOKEN_MAX, WOKEN_OUTPUTS_MAX
from schemas.touchpoint import Touchpoint
from streams.flows.runtime.receipts import check_receipts
from streams.fold.addressing import TOLD
from streams.fold.appending import NEVER_MS, bounded_in_time
from streams.fold.foreign import check_record, check_settings, check_touchpoint
from streams.fold.guests import fold_entry
from streams.fold.identifying import was_seen_alone
from streams.fold.identities import count_touchpoint
from streams.fold.importing import Importing
from streams.fold.machines import machine_fact
from streams.fold.moment import FoldMoment, Rejected
from streams.fold.partition_state import LEARNT, PartitionState, with_progress
from streams.fold.record import waiting_headers
from streams.fold.timers import indexed, is_behind
from streams.fold.touchpoints import arrival_of, fold_touchpoint
from streams.profiles.effects import Effects
from streams.profiles.keys import is_entry
from streams.profiles.links import forward_target
from streams.profiles.seen import event_hash, with_seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.fold.identifying import Changes
    from streams.fold.partition_state import Knowledge, Times
    from streams.fold.record import Record
    from streams.fold.state import State
    from streams.profiles.profile import Profile

WAKES_MAX = 1_000

_replace = msgspec.structs.replace


class Fold(Importing):
    """The state machine of one journal partition: fold(state, record) -> effects, and nothing else."""

    def __init__(
        self, state: State, effects: type[Effects] = Effects, encode: Callable[[Any], bytes] = wire.encode
    ) -> None:
        """`encode` gives the bytes of what a record leads to."""
        super().__init__(state)
        self._effects = effects
        self._encode = encode
        self._folds: dict[type, Callable[[Record, Effects], None]] = {
            Progress: self._progress,
            Wake: self._wake,
            SetAside: _pass_over,
            TimeReset: self._reset,
            Link: self._link,
            Unlink: self._unlink,
            Absorbed: self._absorbed,
            UndoMerge: self._undo_merge,
            OrderTold: self._order_told,
            OrderOwned: self._order_owned,
            SlotAsked: self._slot_asked,
            SlotAnswered: self._slot_answered,
            SlotsDue: self._slots_due,
            Unparked: self._unparked,
            Recall: self._recall,
            Landed: self._landed,
            **dict.fromkeys(TOLD, self._of_address),
            **dict.fromkeys(LEARNT, self._learn),
        }

    def __call__(self, record: Record) -> Effects:
        """Fold one record into the state and return its effects.

        Raises:
            Rejected, TooLarge: the record is a dead letter. After any exception `undo` makes the state as it was.
        """
        self._state.savepoint()
        effects = self._effects(self._encode)
        effects.guard = record.guard
        self._candidates = 0  # by how many more profiles hold them after this record
        self._latest_ms, self._recalled_ms = NEVER_MS, 0
        event = record.value
        if type(event) is Touchpoint:
            # by far the most records are touchpoints
            known = self.known()
            if known.bounds_times and record.appended_ms:
                record, self._latest_ms = bounded_in_time(record)
            if record.is_imported:
                self._imported(record, event, known, effects)
            else:
                self._touchpoint(record, event, known, effects)
        else:
            self._fold_other(record, effects)
        check_receipts(self._candidates, effects)
        return effects

    def _fold_other(self, record: Record, effects: Effects) -> None:
        value = record.value
        fold = self._folds.get(type(value))
        if fold is None:
            raise Rejected("unexpected_type", f"a {type(value).__name__} does not belong in the journal")
        partition = self._read()
        if partition.rules > 1:
            check_record(record, partition)
        if type(value) is Configured:
            check_settings(value, partition)
        elif record.appended_ms and self.known().bounds_times:
            record, self._latest_ms = bounded_in_time(record)
        fold(record, effects)

    def undo(self) -> None:
        """Make the state as it was before the last record."""
        self._state.roll_back()

    def complete_to_ms(self) -> int | None:
        """Return up to when all is folded and every timer has fired; None until each input has sent its progress."""
        partition = self._read()
        now_ms = partition.now_ms
        if now_ms is None or not partition.is_waking:
            return now_ms
        first_ms = self._state.first_due_ms()
        return now_ms if first_ms is None else min(now_ms, first_ms - 1)

    def collected(self) -> Times:
        """Return up to when each input partition is in the journal, by what was folded here."""
        return self._read().collected

    def profile(self, customer: str) -> Profile | None:
        """Return the state of one key after the last record folded."""
        found: Profile | None = self._state.get(customer.encode())
        return found

    def _touchpoint(self, record: Record, event: Touchpoint, known: Knowledge, effects: Effects) -> None:
        customer, received_ms, rules = record.key, record.received_ms, known.rules
        if rules > 1:
            check_touchpoint(customer, record)
        profile = self._profile(customer, known, effects)
        target = forward_target(customer, profile) if profile.linked else None
        if target is not None:
            self._forward(record, target, profile, known, effects)
            return
        now_ms = max(profile.clock_ms, received_ms)
        if 0 < profile.wake_ms <= now_ms:
            profile = self._caught_up(customer, profile, now_ms, known, effects)
            if rules > 1 and is_behind(profile, now_ms, effects):
                self._keep(customer, profile, known)
                effects.append(customer, record.raw, waiting_headers(record))
                return
        if record.hops:
            effects.count("forwards_received")
        digest = event_hash(event.event_id, event.source if rules >= RULES_4 else "")
        seen = with_seen(profile.seen, digest, now_ms)
        fact = None if event.agent is None else machine_fact(event, rules)
        if seen is None or fact is not None or (profile.ids_alone_ms and was_seen_alone(profile, event, now_ms)):
            self._only_count(record, fact if seen is not None else None, profile, known, effects)
            return
        count_touchpoint(event, known, effects)
        changes: Changes = {"clock_ms": now_ms, "seen": seen}
        if profile.rules != rules:
            changes["rules"] = rules
        at = FoldMoment(customer, now_ms, event.event_id, known, effects)
        arrival = arrival_of(event, digest, received_ms, known)
        if is_entry(customer):
            profile = indexed(fold_entry(_replace(profile, **changes), arrival, at))
        else:
            self._candidates -= len(profile.runs)
            profile = indexed(fold_touchpoint(profile, changes, arrival, at))
            self._candidates += len(profile.runs)
        wake_ms = profile.wake_ms
        if 0 < wake_ms <= now_ms:
            # a flow without a wait is due at once, not when the watermark has passed
            profile = indexed(self._caught_up(customer, profile, now_ms, known, effects))
            wake_ms = profile.wake_ms
        self._state.put(customer.encode(), profile, wake_ms)

    def _progress(self, record: Record, effects: Effects) -> None:
        before = self._read()
        after = with_progress(before, record.value)
        has_advanced = after.now_ms is not None and after.now_ms != before.now_ms
        if has_advanced and after.rules > 1:
            # a Wake on its way is stale from here on; had it been set aside, nothing would wait for it
            after = _replace(after, is_waking=False, waking_ms=0)
        self._write(after)
        if has_advanced and not after.is_waking:
            self._wake_idle(after, effects)

    def _wake(self, record: Record, effects: Effects) -> None:
        partition = self._read()
        if partition.rules > 1 and record.value.time_ms != partition.waking_ms:
            return
        partition = _replace(partition, is_waking=False, waking_ms=0)
        self._write(partition)
        self._wake_idle(partition, effects)

    def _wake_idle(self, partition: PartitionState, effects: Effects) -> None:
        """Fire due timers of as many idle customers as the rules allow one record; a Wake does the rest."""
        now_ms, known = partition.now_ms, self.known()
        if now_ms is None:
            return
        wakes_max = WAKES_MAX if known.rules == 1 else WOKEN_MAX
        due = self._state.due(now_ms, wakes_max)
        for _, key in due:
            if known.rules > 1 and (effects.fires >= FIRES_MAX or len(effects.outputs) >= WOKEN_OUTPUTS_MAX):
                break
            self._wake_one(key, now_ms, known, effects)
        if len(due) == wakes_max if known.rules == 1 else due and self._state.due(now_ms, 1):
            waking_ms = 0 if known.rules == 1 else now_ms
            self._write(_replace(self._read(), is_waking=True, waking_ms=waking_ms))
            effects.append(None, Wake(time_ms=now_ms))

    def _learn(self, record: Record, effects: Effects) -> None:
        self._write(LEARNT[type(record.value)](self._read(), record.value))
        if type(record.value) is Configured or (type(record.value) is Hold and record.value.is_on):
            self._recall_first(record, effects)
        elif type(record.value) is Imported and record.value.is_over:
            effects.count("imports")


def _pass_over(_record: Record, _effects: Effects) -> None:
    """Do nothing with a mark: it is for those who fold the journal again."""
