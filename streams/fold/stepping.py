"""A profile whose clock is ahead of the brokers' goes back to them, after time was pushed ahead.

What went out stays out, and timers that fired have fired. What was begun in the time ahead begins now. So no message
is early by it, and none waits until the world has come that far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_4
from schemas.units import DAY_MS, WEEK_MS
from streams.flows.runtime.asking import ANSWER_MS_MAX
from streams.fold.guests import GUEST_KEPT_MS
from streams.fold.owning import ENTRY_KEPT_MS
from streams.fold.timers import indexed
from streams.profiles.address_entry import AddressEntry
from streams.profiles.links import with_logout_by
from streams.profiles.slots import next_slot_ms
from streams.profiles.statement import ConsentState, Mailbox
from streams.profiles.statements import united_statements

if TYPE_CHECKING:
    from streams.profiles.profile import PendingMessage, Profile, Run, Sent
    from streams.profiles.seen import Seen

_replace = msgspec.structs.replace


def stepped_back(customer: str, profile: Profile, to_ms: int) -> Profile:
    """Return the profile as of `to_ms`, which is before its clock."""
    cart, score = profile.cart, profile.score
    if cart is not None:
        cart = _replace(cart, added_ms=min(cart.added_ms, to_ms))
    if score is not None:
        # recency grew with the time ahead: it is measured again at once
        score = _replace(score, scored_ms=min(score.scored_ms, to_ms), due_ms=to_ms)
    slot_ms = profile.slot_ms
    if slot_ms > to_ms + WEEK_MS:
        slot_ms = next_slot_ms(customer, to_ms)
    pending = tuple([_pending(message, to_ms) for message in profile.pending])
    kept_ms = GUEST_KEPT_MS if profile.rules < RULES_4 else ENTRY_KEPT_MS
    return indexed(
        _replace(
            profile,
            clock_ms=to_ms,
            linked=with_logout_by(profile.linked, to_ms),
            seen=_seen(profile.seen, to_ms // DAY_MS),
            cart=cart,
            score=score,
            slot_ms=slot_ms,
            runs=tuple([_run(run, to_ms) for run in profile.runs]),
            entries=tuple([_replace(each, time_ms=min(each.time_ms, to_ms)) for each in profile.entries]),
            messages=_messages(profile, pending, to_ms),
            pending=pending,
            expires_ms=min(profile.expires_ms, to_ms + kept_ms),
            uncredited_ms=min(profile.uncredited_ms, to_ms),
            ids_alone_ms=min(profile.ids_alone_ms, to_ms),
            unanswered=(profile.unanswered[0], min(profile.unanswered[1], to_ms)),
            email_ms=min(profile.email_ms, to_ms),
            mailboxes=tuple([_mailbox(box, to_ms) for box in profile.mailboxes]),
            consents=_consents(profile, to_ms),
            country=None if profile.country is None else (profile.country[0], min(profile.country[1], to_ms)),
            erasure_asked=_asked(profile.erasure_asked, to_ms),
            asked=tuple([_replace(each, until_ms=min(each.until_ms, to_ms + ANSWER_MS_MAX)) for each in profile.asked]),
            address_entry=_address_entry(profile.address_entry, to_ms),
        )
    )


def _consents(profile: Profile, to_ms: int) -> tuple[ConsentState, ...]:
    """Let what was said in the time ahead be said now, so that what is said from now on can be later."""
    if profile.rules < RULES_4:
        return profile.consents
    said = [
        _replace(each, time_ms=min(each.time_ms, to_ms), received_ms=min(each.received_ms, to_ms))
        for each in profile.consents
    ]
    return united_statements(said)


def _asked(asked: tuple[int, int] | None, to_ms: int) -> tuple[int, int] | None:
    return None if asked is None else (min(asked[0], to_ms), min(asked[1], to_ms))


def _mailbox(box: Mailbox, to_ms: int) -> Mailbox:
    return Mailbox(
        box.address,
        min(box.first_ms, to_ms),
        min(box.last_ms, to_ms),
        box.is_own,
        min(box.hard_ms, to_ms),
        tuple(sorted({min(each, to_ms) for each in box.soft_ms})),
        min(box.complaint_ms, to_ms),
        min(box.proof_ms, to_ms),
        min(box.ordered_ms, to_ms),
        min(box.linked_ms, to_ms),
        min(box.erased_ms, to_ms),
        tuple([_replace(each, time_ms=min(each.time_ms, to_ms)) for each in box.listed]),
        box.is_shared,
    )


def _address_entry(entry: AddressEntry | None, to_ms: int) -> AddressEntry | None:
    """Let what went out in the time ahead count as of now, and be answered what was asked then."""
    if entry is None:
        return None
    granted = tuple([_replace(each, time_ms=min(each.time_ms, to_ms)) for each in entry.granted])
    waiting = [
        _replace(each, decided_ms=min(each.decided_ms, to_ms), goes_ms=min(each.goes_ms, to_ms))
        for each in entry.waiting
    ]
    return AddressEntry(granted, tuple(waiting))


def _run(run: Run, to_ms: int) -> Run:
    """Let a candidate that entered in the time ahead enter now; others keep their due time, which is right."""
    by_ms = run.entered_ms - to_ms
    if by_ms <= 0:
        return run
    return _replace(run, entered_ms=to_ms, due_ms=run.due_ms - by_ms, held_ms=max(0, run.held_ms - by_ms))


def _pending(message: PendingMessage, to_ms: int) -> PendingMessage:
    trigger = message.trigger
    by_ms = trigger.decided_ms - to_ms
    if by_ms <= 0:
        return message
    moved = _replace(
        trigger, decided_ms=to_ms, due_ms=trigger.due_ms - by_ms, expires_ms=max(0, trigger.expires_ms - by_ms)
    )
    return _replace(message, trigger=moved, run=_run(message.run, to_ms))


def _messages(profile: Profile, pending: tuple[PendingMessage, ...], to_ms: int) -> tuple[Sent, ...]:
    """Count what went out in the time ahead as of now; what is pending counts from when it goes out."""
    goes_ms = {
        (before.goes_ms, before.trigger.channel, before.trigger.flow_id): after.goes_ms
        for before, after in zip(profile.pending, pending, strict=True)
    }
    return tuple(
        [
            _replace(sent, time_ms=goes_ms.get((sent.time_ms, sent.channel, sent.flow_id), min(sent.time_ms, to_ms)))
            for sent in profile.messages
        ]
    )


def _seen(seen: Seen, day: int) -> Seen:
    """Keep the event ids of days to come under `day`, so that their repeats are recognised from now on."""
    if not seen or seen[-1][0] <= day:
        return seen
    kept = [bucket for bucket in seen if bucket[0] < day]
    return (*kept, (day, b"".join([hashes for bucket_day, hashes in seen if bucket_day >= day])))
