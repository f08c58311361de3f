"""A profile whose clock is ahead of the brokers' goes back to them, after time was pushed ahead.

What went out stays out, and timers that fired have fired. What was begun in the time ahead begins now. So no message
is early by it, and none waits until the world has come that far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.units import DAY_MS, WEEK_MS
from streams.fold.guests import GUEST_KEPT_MS
from streams.fold.timers import indexed
from streams.profiles.slots import next_slot_ms

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
    return indexed(
        _replace(
            profile,
            clock_ms=to_ms,
            seen=_seen(profile.seen, to_ms // DAY_MS),
            cart=cart,
            score=score,
            slot_ms=slot_ms,
            runs=tuple([_run(run, to_ms) for run in profile.runs]),
            entries=tuple([_replace(each, time_ms=min(each.time_ms, to_ms)) for each in profile.entries]),
            messages=_messages(profile, pending, to_ms),
            pending=pending,
            expires_ms=min(profile.expires_ms, to_ms + GUEST_KEPT_MS),
            uncredited_ms=min(profile.uncredited_ms, to_ms),
            unanswered=(profile.unanswered[0], min(profile.unanswered[1], to_ms)),
        )
    )


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
