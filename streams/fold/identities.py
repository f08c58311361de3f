"""Folds what joins and parts profiles: links, logouts, profiles that are handed over, and consents of addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_4, AddressNotice
from schemas.names import shown_name
from schemas.touchpoint import CUSTOM, IDENTITY_UNLINKED
from streams.attribution.slices import has_wrong_worth
from streams.flows.language.events import heard_as
from streams.fold.crediting import is_credit_due
from streams.fold.earlier_consents import with_told
from streams.fold.entries import Entries
from streams.fold.foreign import absorbed_profile, bad_key
from streams.fold.identifying import forward
from streams.fold.joining import check_source, fold_user_link, pass_on
from streams.fold.keeping import kept_key, kept_profile
from streams.fold.machines import count_machine, machine_fact
from streams.fold.merging import fold_absorbed, fold_address_link, fold_device_link
from streams.fold.moment import FoldMoment
from streams.fold.record import waiting_headers
from streams.fold.scoring import publish_changes
from streams.fold.timers import indexed, is_behind, with_credit
from streams.fold.undoing import Merge, asked_to_undo, divided, followed, restored
from streams.fold.unlinking import fold_unlink, logged_out
from streams.profiles.codec import decode_profile
from streams.profiles.keys import KEPT, KEPT_ABSORBED, is_device, is_user
from streams.profiles.links import forward_target
from streams.profiles.profile import EMPTY
from streams.profiles.seen import event_hash, with_seen

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.fold.partition_state import Knowledge
    from streams.fold.record import Record
    from streams.profiles.effects import Effects
    from streams.profiles.profile import Profile

_replace = msgspec.structs.replace


class Identities(Entries):
    """What the fold does with records about who is who."""

    def _forward(self, record: Record, target: str, profile: Profile, known: Knowledge, effects: Effects) -> None:
        is_logout = record.value.type == IDENTITY_UNLINKED and not record.is_imported
        if is_logout and known.rules >= RULES_4 and is_device(record.key):
            self._log_out(record, profile, known, effects)
            return
        forward(record, target, effects)
        if profile.kept and is_user(record.key) and machine_fact(record.value, known.rules) is None:
            self._keep(record.key, followed(profile, record, known, effects), known)

    def _log_out(self, record: Record, profile: Profile, known: Knowledge, effects: Effects) -> None:
        """Fold a logout that only names the device, which forwards to its user and so has nothing but links."""
        event, now_ms = record.value, max(profile.clock_ms, record.received_ms)
        seen = with_seen(profile.seen, event_hash(event.event_id, event.source), now_ms)
        if seen is None:
            count_duplicate(event, known, effects)
            return
        count_touchpoint(event, known, effects)
        at = FoldMoment(record.key, now_ms, event.event_id, known, effects)
        after = logged_out(_replace(profile, seen=seen, clock_ms=now_ms), event, profile.clock_ms, at)
        self._keep(record.key, after, known)

    def _only_count(
        self, record: Record, fact: str | None, profile: Profile, known: Knowledge, effects: Effects
    ) -> None:
        """Count a repeat, or under `fact` what a machine looked at; neither changes what is known of a customer."""
        event = record.value
        if fact is None:
            count_duplicate(event, known, effects)
            self._keep(record.key, profile, known)
            return
        count_machine(fact, event, effects)
        if profile is not EMPTY:
            # a crawler is nobody, and gets no profile by which to know a repeat
            now_ms = max(profile.clock_ms, record.received_ms)
            seen = with_seen(profile.seen, event_hash(event.event_id, event.source), now_ms) or profile.seen
            self._keep(record.key, _replace(profile, clock_ms=now_ms, seen=seen), known)

    def _link(self, record: Record, effects: Effects) -> None:
        known, link = self.known(), record.value
        profile = self._profile(record.key, known, effects)
        at = FoldMoment(record.key, max(profile.clock_ms, link.time_ms), link.cause, known, effects)
        if is_device(record.key):
            fold_link = fold_device_link
        else:
            fold_link = fold_user_link if known.rules >= RULES_4 and is_user(record.key) else fold_address_link
        self._keep(record.key, fold_link(profile, link, at), known)

    def _unlink(self, record: Record, effects: Effects) -> None:
        known, unlink = self.known(), record.value
        profile = self._profile(record.key, known, effects)
        if known.rules < RULES_4:
            return
        at = FoldMoment(record.key, max(profile.clock_ms, unlink.time_ms), unlink.cause, known, effects)
        after = fold_unlink(profile, unlink, at)
        if after is not profile:
            publish_changes(profile, after, at)
            self._keep(record.key, after, known)

    def _absorbed(self, record: Record, effects: Effects) -> None:
        known, absorbed = self.known(), record.value
        if known.rules >= RULES_4:
            check_source(absorbed, record.key)
        profile = self._profile(record.key, known, effects)
        now_ms = max(profile.clock_ms, absorbed.time_ms)
        cause = f"absorbed:{absorbed.source}:{absorbed.time_ms}"
        survivor = forward_target(record.key, profile) if known.rules >= RULES_4 else None
        if survivor is not None:
            pass_on(absorbed, survivor, FoldMoment(record.key, now_ms, cause, known, effects))
            return
        profile, is_waiting = self._ready(record, profile, now_ms, known, effects)
        if is_waiting:
            return
        at = FoldMoment(record.key, now_ms, cause, known, effects)
        device = absorbed_profile(absorbed) if known.rules > 1 else decode_profile(absorbed.profile)
        if known.rules >= RULES_4 and is_user(absorbed.source):
            self._keep_for_undo(kept_key(KEPT, record.key, absorbed.source), kept_profile(profile, at))
            self._keep_for_undo(kept_key(KEPT_ABSORBED, record.key, absorbed.source), kept_profile(device, at))
        merged = fold_absorbed(profile, device, absorbed.source, at)
        self._candidates += len(merged.runs) - len(profile.runs) - len(device.runs)
        self._keep(record.key, merged, known)

    def _ready(
        self, record: Record, profile: Profile, now_ms: int, known: Knowledge, effects: Effects
    ) -> tuple[Profile, bool]:
        """Return a profile with nothing due by now_ms; True: it is kept, and the record is appended again instead."""
        if 0 < profile.wake_ms <= now_ms:
            profile = self._caught_up(record.key, profile, now_ms, known, effects)
        if has_wrong_worth(profile):
            profile = with_credit(record.key, profile, known, effects)
        is_waiting = is_behind(profile, now_ms, effects) or (has_wrong_worth(profile) and is_credit_due(profile))
        if known.rules == 1 or not is_waiting:
            return profile, False
        self._keep(record.key, profile, known)
        effects.append(record.key, record.value, waiting_headers(record))
        return profile, True

    def _undo_merge(self, record: Record, effects: Effects) -> None:
        """Fold what a person asks, what the user who was merged sends the survivor, or what comes back."""
        known, undo, key = self.known(), record.value, record.key
        if not is_user(key):
            raise bad_key(key)
        profile = self._profile(key, known, effects)
        if not undo.source:
            asked_to_undo(profile, undo, FoldMoment(key, profile.clock_ms, "", known, effects))
            return
        absorbed, is_back = absorbed_profile(undo), undo.source < key
        now_ms = max(profile.clock_ms, min(absorbed.clock_ms, self._latest_ms))
        kept = profile if is_back else self._state.get(kept_key(KEPT, key, undo.source))
        cause = f"undo:{undo.source}:{kept.expires_ms if kept is not None else 0}"
        if is_back:
            self._keep(key, restored(profile, undo, absorbed, FoldMoment(key, now_ms, cause, known, effects)), known)
            return
        profile, is_waiting = self._ready(record, profile, now_ms, known, effects)
        if is_waiting:
            return
        at = FoldMoment(key, now_ms, cause, known, effects)
        after, others = divided(profile, self._merges(key, profile), undo, absorbed, at)
        for kind in (KEPT, KEPT_ABSORBED):
            self._state.delete(kept_key(kind, key, undo.source))
        for merged, before in others.items():
            under = kept_key(KEPT, key, merged)
            self._keep_for_undo(under, _replace(self._state.get(under), kept=kept_profile(before, at).kept))
        self._keep(key, after, known)

    def _keep_for_undo(self, key: bytes, kept: Profile) -> None:
        kept = indexed(kept)
        self._state.put(key, kept, kept.wake_ms)

    def _merges(self, survivor: str, profile: Profile) -> dict[str, Merge]:
        """Return by key the merges into a survivor that can be undone."""
        found = {}
        for source in profile.linked:
            if is_user(source):
                before, absorbed = (self._state.get(kept_key(kind, survivor, source)) for kind in (KEPT, KEPT_ABSORBED))
                if before is not None and absorbed is not None:
                    then = _replace(decode_profile(before.kept), clock_ms=before.clock_ms)
                    found[source] = Merge(then, decode_profile(absorbed.kept))
        return found

    def _of_address(self, record: Record, effects: Effects) -> None:
        known, told = self.known(), record.value
        profile = self._profile(record.key, known, effects)
        # an idle customer's clock is behind, and what had gone out when this was said cannot be taken back
        now_ms = max(profile.clock_ms, told.received_ms) if isinstance(told, AddressNotice) else profile.clock_ms
        at = FoldMoment(record.key, now_ms, told.cause, known, effects)
        target = forward_target(record.key, profile)
        if target is not None:
            effects.append(target, told)
            return
        after = with_told(profile, told, at)
        if after is not profile:
            publish_changes(profile, after, at)
            self._keep_changed(record.key, profile, after, known)


def count_duplicate(event: Touchpoint, known: Knowledge, effects: Effects) -> None:
    """Count a touchpoint that had come in before; from rules 4 on by its source too."""
    effects.count("duplicates")
    if known.rules >= RULES_4:
        effects.count("source_duplicates", by=f"source={shown_name(event.source)}")


def count_touchpoint(event: Touchpoint, known: Knowledge, effects: Effects) -> None:
    """Count a touchpoint that is no duplicate."""
    effects.count("folded")
    effects.count("touchpoints", event.time_ms)
    kind = event.type
    relied_on = known.flows.relied_on.get(kind if kind != CUSTOM else heard_as(event))
    if relied_on is not None:
        effects.count("flow_inputs", event.time_ms, by=relied_on)
