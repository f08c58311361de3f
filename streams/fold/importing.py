"""Folds the past of customers, which an import brings into a prefix that runs: profiles are right, and nothing starts.

An imported touchpoint is folded as of two times. What happened then, such as credit, is of the touchpoint's own time.
What is so now, such as the score, is of the customer's clock. That is the partition's time, until which all that came
in is folded: the clock of the import's machine could be ahead of an order that is still on its way.

Until the import has left a customer, their segment, lifecycle and dates are those of a part of their past. So they are
no news, and `Landed` ends that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_4
from streams.fold.foreign import check_touchpoint
from streams.fold.guests import fold_entry
from streams.fold.identifying import was_seen_alone
from streams.fold.identities import Identities
from streams.fold.moment import FoldMoment, LaterMoment, Rejected
from streams.fold.past import Moments, fold_past
from streams.fold.record import waiting_headers
from streams.fold.scoring import landed
from streams.fold.timers import indexed, is_behind
from streams.fold.touchpoints import arrival_of
from streams.profiles.keys import is_entry
from streams.profiles.links import forward_target
from streams.profiles.profile import EMPTY
from streams.profiles.seen import event_hash, with_imported

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.fold.identifying import Changes
    from streams.fold.partition_state import Knowledge
    from streams.fold.record import Record
    from streams.fold.touchpoints import Arrival
    from streams.profiles.effects import Effects
    from streams.profiles.profile import Profile

_replace = msgspec.structs.replace


class Importing(Identities):
    """What the fold does with records of an import."""

    def _imported(self, record: Record, event: Touchpoint, known: Knowledge, effects: Effects) -> None:
        """Fold a touchpoint of the past.

        Raises:
            Rejected: the rules that hold know of no import.
        """
        if known.rules < RULES_4:
            raise Rejected("unexpected_type", "an imported touchpoint does not belong in the journal before rules 4")
        customer = record.key
        check_touchpoint(customer, record)
        profile = self._profile(customer, known, effects)
        target = forward_target(customer, profile) if profile.linked else None
        if target is not None:
            self._forward(record, target, profile, known, effects)
            return
        now_ms = _now_ms(profile, record, known)
        profile, is_waiting = self._caught_up_to(record, profile, now_ms, known, effects)
        if is_waiting:
            return
        if record.hops:
            effects.count("forwards_received")
        digest = event_hash(event.event_id, event.source)
        seen = with_imported(profile.seen, digest)
        if seen is None or (profile.ids_alone_ms and was_seen_alone(profile, event, now_ms)):
            effects.count("duplicates")
            self._keep(customer, profile, known)
            return
        effects.count("folded")
        # where the shop's history begins; what flows rely on is judged by what comes in itself
        effects.count("touchpoints", event.time_ms)
        changes: Changes = {"clock_ms": now_ms, "seen": seen, "rules": known.rules}
        moments = Moments(
            LaterMoment(customer, now_ms, event.event_id, known, effects),
            FoldMoment(customer, min(event.time_ms, now_ms), event.event_id, known, effects),
        )
        arrival = arrival_of(event, digest, event.time_ms, known)
        if is_entry(customer):
            self._keep(customer, _entry(_replace(profile, **changes), arrival, moments), known)
            return
        self._candidates -= len(profile.runs)
        profile = fold_past(profile, changes, arrival, moments)
        self._candidates += len(profile.runs)
        self._keep(customer, profile, known)

    def _landed(self, record: Record, effects: Effects) -> None:
        """Let a customer be where they are: the import has no more of them."""
        known = self.known()
        profile = self._profile(record.key, known, effects)
        target = forward_target(record.key, profile)
        if target is not None:
            effects.append(target, record.value)
            return
        if profile is EMPTY or profile.landing is None:
            return
        now_ms = _now_ms(profile, record, known)
        profile, is_waiting = self._caught_up_to(record, profile, now_ms, known, effects)
        if is_waiting or profile is EMPTY:
            return
        at = FoldMoment(record.key, now_ms, f"import:{record.value.import_id}", known, effects)
        self._keep(record.key, landed(_replace(profile, clock_ms=now_ms), at), known)

    def _caught_up_to(
        self, record: Record, profile: Profile, now_ms: int, known: Knowledge, effects: Effects
    ) -> tuple[Profile, bool]:
        """Return a profile with nothing due by now_ms; True: it is kept, and the record is appended again instead."""
        if not 0 < profile.wake_ms <= now_ms:
            return profile, False
        profile = self._caught_up(record.key, profile, now_ms, known, effects)
        if not is_behind(profile, now_ms, effects):
            return profile, False
        self._keep(record.key, profile, known)
        value = record.raw if record.is_imported else record.value
        effects.append(record.key, value, waiting_headers(record))
        return profile, True


def _now_ms(profile: Profile, record: Record, known: Knowledge) -> int:
    """Return the customer's clock at a record of an import; before the partition has a time, that of its broker."""
    watermark_ms = known.watermark_ms
    if watermark_ms is None:
        watermark_ms = record.appended_ms or record.received_ms
    return max(profile.clock_ms, watermark_ms)


def _entry(profile: Profile, arrival: Arrival, moments: Moments) -> Profile:
    """Fold a guest's order or a channel's spend, whose entry is kept from now on as long as one of today."""
    after = fold_entry(profile, arrival, moments.then)
    expires_ms = after.expires_ms + moments.now.now_ms - moments.then.now_ms
    return indexed(_replace(after, expires_ms=max(profile.expires_ms, expires_ms)))
