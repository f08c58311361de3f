"""Records between profiles and the entries of orders and addresses, as a partition folds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.journal import RULES_4
from streams.flows.runtime.answering import answered
from streams.fold.customers import Customers
from streams.fold.foreign import bad_key
from streams.fold.granting import fold_asked, fold_due
from streams.fold.moment import FoldMoment
from streams.fold.owning import fold_owned, fold_told, send_on
from streams.profiles.keys import is_entry
from streams.profiles.links import forward_target
from streams.profiles.profile import EMPTY

if TYPE_CHECKING:
    from streams.fold.record import Record
    from streams.profiles.effects import Effects


class Entries(Customers):
    """The part of the state machine that has the entries of orders and addresses."""

    def _order_told(self, record: Record, effects: Effects) -> None:
        """Fold what a profile knows of an order into the order's entry; before rules 4 none is kept."""
        known, told = self.known(), record.value
        if known.rules < RULES_4:
            return
        if not is_entry(record.key):
            raise bad_key(record.key)
        profile = self._profile(record.key, known, effects)
        now_ms = max(profile.clock_ms, told.time_ms)
        if 0 < profile.wake_ms <= now_ms:
            profile = self._caught_up(record.key, profile, now_ms, known, effects)
        at = FoldMoment(record.key, now_ms, told.event_id or told.moved_from, known, effects)
        self._keep(record.key, fold_told(profile, told, at), known)

    def _order_owned(self, record: Record, effects: Effects) -> None:
        """Fold who owns an order; a device or user that was absorbed sends the answer on."""
        known, owned = self.known(), record.value
        profile = self._profile(record.key, known, effects)
        if known.rules < RULES_4 or profile is EMPTY:
            return
        at = FoldMoment(record.key, profile.clock_ms, owned.cause, known, effects)
        target = forward_target(record.key, profile)
        if target is not None:
            send_on(owned, target, at)
            return
        self._keep_changed(record.key, profile, fold_owned(profile, owned, at), known)

    def _slot_asked(self, record: Record, effects: Effects) -> None:
        """Fold what a profile says of promotional messages into its address."""
        known, asked = self.known(), record.value
        if known.rules < RULES_4:
            return
        profile = self._profile(record.key, known, effects)
        at = FoldMoment(record.key, profile.clock_ms, f"{asked.kind}:{asked.customer}", known, effects)
        self._keep(record.key, fold_asked(profile, asked, at), known)

    def _slots_due(self, record: Record, effects: Effects) -> None:
        known, due = self.known(), record.value
        if known.rules < RULES_4:
            return
        profile = self._profile(record.key, known, effects)
        at = FoldMoment(record.key, profile.clock_ms, f"due:{due.time_ms}", known, effects)
        after = fold_due(profile, due, at, is_waking=self._read().is_waking)
        self._keep_changed(record.key, profile, after, known)

    def _slot_answered(self, record: Record, effects: Effects) -> None:
        """Fold the answer of an address; a device or user that was absorbed sends it on."""
        known, answer = self.known(), record.value
        if known.rules < RULES_4:
            return
        profile = self._profile(record.key, known, effects)
        target = forward_target(record.key, profile)
        if target is not None:
            effects.append(target, answer)
            return
        at = FoldMoment(record.key, profile.clock_ms, f"answer:{answer.candidate_id}", known, effects)
        after = answered(profile, answer, known.flows, at, watermark_ms=known.watermark_ms)
        self._keep_changed(record.key, profile, after, known)
