"""An address that several profiles have grants slots for promotional messages, so that its limits hold for all of them.

Profiles ask when a message is decided. The address answers what was decided by one time together, in the order of
decision time and hash of the profile's key, once the watermark is past that time and its partition has had some turns
of the journal: so who gets a slot does not depend on which partition was faster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from schemas.journal import AddressNotice, Link, SlotAnswered, SlotsDue
from schemas.units import HOUR_MS
from streams.flows.language.flow import LOG_MS
from streams.flows.runtime.asking import ASKED, USED, report
from streams.fold.addressing import ALONE, SHARED
from streams.profiles.address_entry import AddressEntry, Granted, Waiting
from streams.profiles.bounds import SLOTS_MAX, SLOTS_WAITING_BYTES_MAX, utf8_bytes
from streams.profiles.effects import hash_64
from streams.profiles.keys import ADDRESS, is_address, is_customer
from streams.profiles.mailboxes import mailbox

if TYPE_CHECKING:
    from schemas.journal import SlotAsked
    from streams.fold.moment import FoldMoment
    from streams.profiles.profile import Profile

SETTLED_MS: Final = 10_000
"""How far the watermark has to be past a decision: those of different partitions are a second or two apart."""
TURNS: Final = 8
"""Records to itself in which an address waits, as in a replay the watermark goes by hours."""
STUCK_MS: Final = HOUR_MS
"""After which it begins to wait again: the record that it waits for was set aside."""
_WAITING_BYTES: Final = 80
_LIMIT_BYTES: Final = 12
_replace = msgspec.structs.replace


def with_profile(profile: Profile, linked: tuple[str, ...], target: str, at: FoldMoment) -> Profile:
    """Return an address after a link, with the keys that it has then, and let profiles know that others have it too.

    Those who knew hear nothing. The two first ones say what they got. What one of them said before it was alone
    may not hold any more.
    """
    before, entry = profile.linked, profile.address_entry
    if len(linked) > 1:
        is_second = len(before) == 1
        tell_all(tuple(sorted({target, *before})) if is_second else (target,), SHARED, at)
        if is_second and entry is not None:
            profile = _replace(profile, address_entry=_replace(entry, granted=()))
    return _replace(profile, linked=linked)


def ask_who_has(profile: Profile, at: FoldMoment) -> None:
    """Find out, as the rules rise, who else has an address: earlier rules did not say so."""
    if not is_address(at.customer):
        if profile.email_hash is not None and is_customer(at.customer):
            key = ADDRESS + profile.email_hash
            at.effects.append(key, Link(target=at.customer, time_ms=at.now_ms, cause=at.cause))
    elif len(profile.linked) > 1:
        tell_all(profile.linked, SHARED, at)


def tell_alone(before: tuple[str, ...], after: tuple[str, ...], at: FoldMoment) -> None:
    """Let the only profile of an address know that it is, after others were merged into it."""
    if len(before) > 1 and len(after) == 1:
        tell_all(after, ALONE, at)


def tell_all(keys: tuple[str, ...], kind: str, at: FoldMoment) -> None:
    """Send a notice of the address to profiles that have it."""
    address = at.customer.removeprefix(ADDRESS)
    for key in keys:
        at.effects.append(key, AddressNotice(kind, address, at.now_ms, at.now_ms, at.cause))


def fold_shared(profile: Profile, notice: AddressNotice, at: FoldMoment) -> Profile:
    """Return a profile whose address says that others have it too, or that they no longer do."""
    box, is_shared = mailbox(profile, notice.address), notice.kind == SHARED
    if box is None or is_address(at.customer):
        return profile
    if box.is_shared is not is_shared:
        changed = _replace(box, is_shared=is_shared)
        boxes = tuple([changed if each is box else each for each in profile.mailboxes])
        profile = _replace(profile, mailboxes=boxes)
    if not is_shared:
        return profile
    # said again, as messages of a device may have come that had not said it
    return report(profile, notice.address, at.known.flows, at, watermark_ms=at.known.watermark_ms)


def answers_due_ms(entry: AddressEntry) -> int:
    """Return at which watermark the address begins to answer; 0: it was asked nothing."""
    if not entry.waiting:
        return 0
    return entry.due_ms + STUCK_MS if entry.due_ms else min([each.decided_ms for each in entry.waiting]) + SETTLED_MS


def fold_asked(profile: Profile, asked: SlotAsked, at: FoldMoment) -> Profile:
    """Return an address after what one of its profiles says of promotional messages.

    That a message is out does not answer whether it may stay so, which was asked under a limit that came since.
    """
    entry, slots = profile.address_entry or AddressEntry(), asked.slots
    if asked.kind == USED and entry.waiting:
        open_ = {each.candidate_id for each in entry.waiting}
        slots = tuple([slot for slot in slots if slot.candidate_id not in open_])
    hashes = {hash_64(slot.candidate_id) for slot in slots}
    ids = {slot.candidate_id for slot in slots}
    granted = [each for each in entry.granted if each.id_hash not in hashes]
    waiting = tuple([each for each in entry.waiting if each.candidate_id not in ids])
    if asked.kind == USED:
        granted += [Granted(slot.time_ms, hash_64(slot.candidate_id)) for slot in slots]
    elif asked.kind == ASKED:
        limits = tuple([(limit.messages, limit.within_ms) for limit in asked.limits])
        for slot in slots:
            request = Waiting(asked.decided_ms, slot.time_ms, asked.customer, slot.candidate_id, limits)
            if sum(map(_bytes, waiting)) + _bytes(request) > SLOTS_WAITING_BYTES_MAX:
                at.effects.append(asked.customer, SlotAnswered(slot.candidate_id, is_granted=False))
            else:
                waiting = (*waiting, request)
    entry = AddressEntry(_bounded(granted), waiting, entry.due_ms)
    return with_answers_begun(_replace(profile, address_entry=entry), at)


def with_answers_begun(profile: Profile, at: FoldMoment) -> Profile:
    """Return an address that waits for others who ask, if it has something to answer by now; or the same object."""
    entry, watermark_ms = profile.address_entry, at.known.watermark_ms
    if entry is None or watermark_ms is None or not 0 < answers_due_ms(entry) <= watermark_ms:
        return profile
    at.effects.append(at.customer, SlotsDue(watermark_ms, 1))
    return _replace(profile, address_entry=_replace(entry, due_ms=watermark_ms))


def fold_due(profile: Profile, due: SlotsDue, at: FoldMoment, *, is_waking: bool) -> Profile:
    """Return an address after one more turn; after the last one it answers.

    While its partition still wakes customers for that time, they may ask, so the turn does not count.
    """
    entry = profile.address_entry
    if entry is None or not entry.due_ms or entry.due_ms != due.time_ms:
        return profile
    if is_waking or due.turn < TURNS:
        at.effects.append(at.customer, SlotsDue(due.time_ms, due.turn + (not is_waking)))
        return profile
    until_ms = max(due.time_ms, at.known.watermark_ms or 0) - SETTLED_MS
    ready = [each for each in entry.waiting if each.decided_ms <= until_ms]
    granted = list(entry.granted)
    for request in sorted(ready, key=_rank):
        answer = _answer(request, granted)
        if answer.is_granted:
            granted.append(Granted(request.goes_ms, hash_64(request.candidate_id)))
        at.effects.append(request.customer, answer)
    waiting = tuple([each for each in entry.waiting if each.decided_ms > until_ms])
    return _replace(profile, address_entry=AddressEntry(_bounded(granted), waiting))


def _rank(request: Waiting) -> tuple[int, int, str]:
    return request.decided_ms, hash_64(request.customer), request.candidate_id


def _answer(request: Waiting, granted: list[Granted]) -> SlotAnswered:
    """Return the answer: no window of the limits that has the message may have more than they allow."""
    for messages, within_ms in request.limits:
        found = len([each for each in granted if abs(each.time_ms - request.goes_ms) < within_ms])
        if found >= messages:
            return SlotAnswered(
                request.candidate_id, is_granted=False, messages=messages, within_ms=within_ms, found=found
            )
    return SlotAnswered(request.candidate_id, is_granted=True)


def _bounded(granted: list[Granted]) -> tuple[Granted, ...]:
    """Return the messages that a window may still have, the newest that fit."""
    ordered = sorted(granted, key=lambda each: (each.time_ms, each.id_hash))
    if not ordered:
        return ()
    after_ms = ordered[-1].time_ms - LOG_MS
    return tuple([each for each in ordered if each.time_ms > after_ms][-SLOTS_MAX:])


def _bytes(request: Waiting) -> int:
    return _WAITING_BYTES + utf8_bytes(request.customer) + _LIMIT_BYTES * len(request.limits)
