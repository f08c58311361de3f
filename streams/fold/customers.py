"""What a journal partition holds of its customers: read within the limits, caught up with time, woken, kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_3, RULES_4, Recall, TimeReset
from schemas.limits import FIRES_MAX, TIME_AHEAD_MS_MAX, WOKEN_MAX, WOKEN_OUTPUTS_MAX
from schemas.units import WEEK_MS
from state.store import BEFORE_ALL
from streams.flows.runtime.holding import LOOK_MS
from streams.flows.runtime.pending import released, without_paused
from streams.fold.appending import NEVER_MS
from streams.fold.attempt import NOT_OF_RECORDS, raised_detail
from streams.fold.crediting import ALL
from streams.fold.granting import with_answers_begun
from streams.fold.merging import raised
from streams.fold.moment import FoldMoment, Rejected
from streams.fold.partition_state import PARTITION_KEY, Knowledge, PartitionState, knowledge, with_reset
from streams.fold.stepping import stepped_back
from streams.fold.timers import (
    TimerFailed,
    caught_up,
    indexed,
    next_due_ms,
    next_wake_ms,
    parked,
    send_letter,
    with_credit,
)
from streams.profiles.profile import EMPTY

if TYPE_CHECKING:
    from state.store import Entry
    from streams.fold.record import Record
    from streams.fold.state import State
    from streams.profiles.effects import Effects
    from streams.profiles.profile import Profile

_replace = msgspec.structs.replace


class Customers:
    """The state of one partition between two records, or while one is folded."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._partition: PartitionState | None = None
        self._known: Knowledge | None = None
        self._candidates = 0
        """By how many more candidates profiles hold because of the record."""
        self._latest_ms = NEVER_MS
        """The latest time at which a customer's clock may be, by the broker that appended the record."""
        self._recalled_ms = 0
        """Of a record that takes back what is out: when, by the broker's clock or the watermark; 0: it does not."""

    def __call__(self, record: Record) -> Effects:
        """Fold one record; `Fold` does it.

        It is here as well because mypyc lays out a class with `__call__` otherwise than one without, also what it
        inherits, so that a compiled `Fold` would crash.
        """
        raise NotImplementedError

    def _read(self) -> PartitionState:
        partition: PartitionState | None = self._state.get(PARTITION_KEY)
        return partition if partition is not None else PartitionState()

    def known(self) -> Knowledge:
        """Return the settings, flows and models that hold now.

        Raises:
            Rejected: no settings have been published in this partition.
        """
        partition: PartitionState | None = self._state.get(PARTITION_KEY)
        if self._known is None or partition is not self._partition or partition is None:
            if partition is None or not partition.settings:
                raise Rejected(
                    "not_configured", "no settings were published before this record: run `touchstream topics create`"
                )
            self._partition, self._known = partition, knowledge(partition)
        return self._known

    def _write(self, partition: PartitionState) -> None:
        self._state.put(PARTITION_KEY, partition, 0)

    def _profile(self, customer: str, known: Knowledge, effects: Effects) -> Profile:
        """Return the state of one key, within the limits of the rules that hold; EMPTY: there is none."""
        profile: Profile = self._state.get(customer.encode()) or EMPTY
        if known.bounds_times and profile.clock_ms > self._latest_ms:
            profile = stepped_back(customer, profile, self._latest_ms)
        if profile.rules < known.rules:
            profile = self._raised(customer, profile, known, effects)
        if known.flows.has_paused and profile.pending and known.rules >= RULES_3:
            profile = self._without_paused(customer, profile, known, effects)
        return profile

    def _without_paused(self, customer: str, profile: Profile, known: Knowledge, effects: Effects) -> Profile:
        """Keep and return a profile without what paused flows have on the way.

        As with a timer, that is as of when the customer was to be woken, however far time has gone on at once. What
        settings take back, they take back as of now: what was due by then has gone.
        """
        now_ms, wake_ms = known.watermark_ms or 0, profile.wake_ms
        if self._recalled_ms:
            as_of_ms = max(profile.clock_ms, self._recalled_ms)
        else:
            as_of_ms = max(profile.clock_ms, wake_ms if 0 < wake_ms <= now_ms else now_ms)
        after = without_paused(profile, known.flows, FoldMoment(customer, as_of_ms, "paused", known, effects))
        if after is not profile:
            self._keep(customer, after, known)
        return after

    def _recall_first(self, record: Record, effects: Effects) -> None:
        """Begin to take back what is out, if a flow is paused; before rules 4 that waits until customers are woken."""
        known = self.known()
        if known.rules >= RULES_4 and known.flows.has_paused:
            until_ms = _now_ms(record, known) + 2 * LOOK_MS
            self._recall_behind(BEFORE_ALL, until_ms, effects)

    def _recall(self, record: Record, effects: Effects) -> None:
        """Take back what is out of the next customers, and go on behind them in a record of its own."""
        known, recall = self.known(), record.value
        if known.rules < RULES_4 or not known.flows.has_paused:
            return
        self._recalled_ms = _now_ms(record, known)
        last = (recall.to_ms, recall.to_key)
        found = self._state.later((recall.after_ms, recall.after_key), WOKEN_MAX)
        for number, entry in enumerate(found, 1):
            if entry > last:
                break
            profile = self._state.get(entry[1])
            if profile is not None and profile.pending:
                self._profile(entry[1].decode(), known, effects)
            if len(effects.outputs) >= WOKEN_OUTPUTS_MAX or number == WOKEN_MAX:
                last = entry
                break
        self._recall_behind(last, recall.until_ms, effects)

    def _recall_behind(self, after: Entry, until_ms: int, effects: Effects) -> None:
        """Send the record that takes back what is out of the next customers, if there may be any.

        Customers with a message that is out are woken within LOOK_MS of their clock, which is close to the partition's.
        """
        found, end = self._state.later(after, WOKEN_MAX), (until_ms + 1, b"")
        if found and found[0] < end:
            to = min(found[-1], end) if len(found) == WOKEN_MAX else end
            effects.append(None, Recall(*after, *to, until_ms))

    def _raised(self, customer: str, profile: Profile, known: Knowledge, effects: Effects) -> Profile:
        """Keep and return a profile of earlier rules within the limits of those that hold."""
        if profile is EMPTY:
            return profile
        before = len(profile.runs)
        profile = raised(profile, FoldMoment(customer, profile.clock_ms, f"rules:{known.rules}", known, effects))
        self._candidates += len(profile.runs) - before
        self._keep(customer, profile, known)
        return profile

    def _keep(self, customer: str, profile: Profile, known: Knowledge) -> None:
        rules = known.rules
        profile = indexed(profile if profile.rules == rules else _replace(profile, rules=rules))
        self._state.put(customer.encode(), profile, profile.wake_ms)

    def _keep_changed(self, customer: str, before: Profile, after: Profile, known: Knowledge) -> None:
        """Keep a profile that a record may have changed, and count the candidates that it began or ended."""
        if after is not before:
            self._candidates += len(after.runs) - len(before.runs)
            self._keep(customer, after, known)

    def _reset(self, record: Record, effects: Effects) -> None:
        """Take time back, and so many customers whose next timer is far ahead; others go back at their next record."""
        reset, at_ms = record.value, record.appended_ms
        if not at_ms:
            raise Rejected(
                "no_append_time", "no broker said when it appended the record: run `touchstream topics create`"
            )
        self._write(with_reset(self._read(), at_ms))
        known = self.known()
        after = (reset.after_ms, reset.after_key) if reset.after_key else (at_ms + TIME_AHEAD_MS_MAX + WEEK_MS, b"")
        found = self._state.later(after, WOKEN_MAX)
        for _, key in found:
            customer, before = key.decode(), self._state.get(key)
            profile = self._profile(customer, known, effects)
            if profile is not before:
                self._keep(customer, profile, known)
        if len(found) == WOKEN_MAX:
            effects.append(None, TimeReset(reset.reason, *found[-1]))

    def _caught_up(self, customer: str, profile: Profile, now_ms: int, known: Knowledge, effects: Effects) -> Profile:
        """Fire the timers due by now_ms, which the profile's wake_ms says there may be, and return the profile."""
        after = caught_up(customer, profile, now_ms, known, effects)
        if after is not profile:
            self._candidates += len(after.runs) - len(profile.runs)
        return after

    def _wake_one(self, key: bytes, now_ms: int, known: Knowledge, effects: Effects) -> None:
        """Fire the timers of one idle customer; if that raises, park all of them: others have to go on."""
        changes, candidates, customer = self._state.changes(), self._candidates, key.decode()
        try:
            own = effects.fresh(customer, ALL)
            self._fire_idle(key, self._profile(customer, known, own), now_ms, known, own)
        except NOT_OF_RECORDS:
            raise
        except Exception as error:  # noqa: BLE001 - as for a timer: only this customer is set aside
            self._state.roll_back(changes)
            self._candidates = candidates
            failed = TimerFailed(ALL, now_ms, self._state.get(key), 0)
            self._state.put(key, _replace(parked(failed), wake_ms=0), 0)
            send_letter(customer, failed, raised_detail(error), effects)
        else:
            effects.take(own)

    def _fire_idle(self, key: bytes, profile: Profile, now_ms: int, known: Knowledge, effects: Effects) -> None:
        """Fire the timers of one idle customer, and move their index entry, which has passed, to the next timer.

        Unlike in _keep, the customer's own clock does not matter for the entry.
        """
        customer, before = key.decode(), profile
        if profile.pending:
            at = FoldMoment(customer, profile.clock_ms, "watermark", known, effects)
            profile = released(profile, known.flows, at, watermark_ms=known.watermark_ms)
        if 0 < profile.wake_ms <= now_ms:
            profile = self._caught_up(customer, profile, now_ms, known, effects)
        if profile is EMPTY:
            self._state.delete(key)
            return
        if profile.address_entry is not None:
            profile = with_answers_begun(profile, FoldMoment(customer, profile.clock_ms, "answers", known, effects))
        profile = with_credit(customer, profile, known, effects)
        due_ms, wake_ms = next_due_ms(profile), next_wake_ms(profile, now_ms)
        if known.rules == 1 and 0 < due_ms <= now_ms:
            raise RuntimeError(f"a timer due at {due_ms} is left after all due by {now_ms} have fired")
        if 0 < wake_ms <= now_ms and known.rules >= RULES_4 and effects.fires < FIRES_MAX and profile == before:
            # another record would do as little, and so would all that follow it
            raise RuntimeError(f"nothing is done at {wake_ms}, for which the customer is woken")
        self._state.put(key, _replace(profile, wake_ms=wake_ms), wake_ms)

    def _unparked(self, record: Record, effects: Effects) -> None:
        profile = self._profile(record.key, self.known(), effects)
        if record.value.timer not in profile.parked:
            return  # for example, a user has absorbed the device that had it
        parked = tuple(name for name in profile.parked if name != record.value.timer)
        # what was due then is decided as of now: a message may have expired meanwhile
        now_ms = max(profile.clock_ms, self._read().now_ms or 0)
        profile = indexed(_replace(profile, parked=parked, clock_ms=now_ms))
        self._fire_idle(record.key.encode(), profile, now_ms, self.known(), effects)


def _now_ms(record: Record, known: Knowledge) -> int:
    """Return how far time has come with a record: on wall time by the broker, else by the watermark."""
    return max(known.watermark_ms or 0, record.appended_ms if known.bounds_times else 0)
