"""The e-mail addresses of a profile: which it has now, which it had when, and whether someone is known to read them.

All of it is made of first and last times, so the order of arrival does not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from schemas.units import DAY_MS
from streams.profiles.listings import listed, united_listings
from streams.profiles.orders import last_order_ms
from streams.profiles.statement import BY_MAIL, EMAIL, UNSURE, Mailbox
from streams.profiles.statements import united_statements

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.profiles.profile import Profile
    from streams.profiles.statement import ConsentState
    from streams.settings import DomainSettings

MAILBOXES_MAX: Final = 8
"""Addresses that a profile remembers: those that were named last."""
SOFT_MAX: Final = 10
"""Soft bounces that are remembered of an address."""
ERASED_HERE: Final = (
    "Someone who has this address asked to be forgotten, so no promotion goes there. Nothing was erased yet."
)
_replace = msgspec.structs.replace


def mailbox(profile: Profile, address: str) -> Mailbox | None:
    """Return what the profile knows of an address; None: it never had it."""
    for box in profile.mailboxes:
        if box.address == address:
            return box
    return None


def with_naming(profile: Profile, address: str, time_ms: int, *, is_own: bool = True) -> Profile:
    """Return the profile after an event that names an address; the last one by event time is in use.

    One that is not the customer's own is in use only if they named none.
    """
    return with_mailboxes(profile, [Mailbox(address, time_ms, time_ms, is_own)])


def with_mailboxes(profile: Profile, boxes: Iterable[Mailbox]) -> Profile:
    """Return the profile with what is known of these addresses; the same object if it knew all."""
    known = {box.address: box for box in profile.mailboxes}
    current = profile.email_hash
    if current is not None and current in known and known[current].last_ms < profile.email_ms:
        known[current] = _replace(known[current], last_ms=profile.email_ms)
    for box in boxes:
        other = known.get(box.address)
        known[box.address] = box if other is None else _united(other, box)
    ranked = sorted(known.values(), key=_rank)[-MAILBOXES_MAX:]
    kept = tuple(sorted(ranked, key=lambda box: box.address))
    used = ranked[-1] if ranked and ranked[-1].last_ms else None
    if used is None:
        return profile if kept == profile.mailboxes else _replace(profile, mailboxes=kept)
    email_ms = used.last_ms if used.is_own else 0
    if kept == profile.mailboxes and (used.address, email_ms) == (current, profile.email_ms):
        return profile
    after = _replace(profile, mailboxes=kept, email_hash=used.address, email_ms=email_ms)
    return with_grants_addressed(after) if current is None else after


def with_foreign_mailboxes(user: Profile, device: Profile) -> Profile:
    """Return the user's profile with the addresses of a device: they are in use only if the user named none."""
    boxes = with_mailboxes(device, ()).mailboxes
    return with_mailboxes(user, [_replace(box, is_own=False) for box in boxes])


def held_at(profile: Profile, time_ms: int) -> str | None:
    """Return the address that the customer had at a time, or else the first that is known; None: none is."""
    best: tuple[int, str] | None = None
    for box in profile.mailboxes:
        if not box.last_ms:
            continue
        last_ms = max(box.last_ms, profile.email_ms) if box.address == profile.email_hash else box.last_ms
        # one that was named later only is the further away the later that was
        rank = min(last_ms, time_ms) if box.first_ms <= time_ms else -box.first_ms
        if best is None or (rank, box.address) > best:
            best = rank, box.address
    return profile.email_hash if best is None else best[1]


def surely_held_at(profile: Profile, time_ms: int) -> str:
    """Return the address that the customer had at a time, or else the first that is known; empty: none is.

    Of an address only the first and last naming is known. Where several may have been in use, it is UNSURE. Addresses
    that came with a device count only if the customer named none.
    """
    known = [box for box in profile.mailboxes if box.last_ms]
    known = [box for box in known if box.is_own] or known
    if not known:
        return profile.email_hash or ""
    earliest_ms = min(box.first_ms for box in known)
    if time_ms < earliest_ms:
        first = [box.address for box in known if box.first_ms == earliest_ms]
        return first[0] if len(first) == 1 else UNSURE
    # (the latest that it can have been named before then, the earliest that its last naming before then can be)
    spans = [
        (min(last_ms, time_ms), last_ms if last_ms <= time_ms else box.first_ms, box.address)
        for box in known
        if box.first_ms <= time_ms
        for last_ms in (max(box.last_ms, profile.email_ms) if box.address == profile.email_hash else box.last_ms,)
    ]
    # compared by value: the compiled wheel makes a new tuple whenever it hands one on
    best = max(spans, key=lambda span: span[1])
    return best[2] if all(span == best or span[0] < best[1] for span in spans) else UNSURE


def with_grants_addressed(profile: Profile) -> Profile:
    """Return the profile with the address in each grant for e-mail that named none, as soon as one is known.

    Read again each time, such a grant would move to an address that the customer names later, or that comes with a
    profile which is united with theirs. There it may have been withdrawn.
    """
    if not any(_is_open(item) for item in profile.consents) or profile.email_hash is None:
        return profile
    consents = [
        _replace(item, address=surely_held_at(profile, item.time_ms)) if _is_open(item) else item
        for item in profile.consents
    ]
    return _replace(profile, consents=united_statements(consents))


def _is_open(item: ConsentState) -> bool:
    return item.grants and not item.address and item.channel in BY_MAIL


class Sending(NamedTuple):
    """A promotion that would go to an address."""

    address: str | None
    now_ms: int
    before_ms: int
    """What happened from then on does not count."""
    granted_ms: int
    """Time of the grant that allows it; 0: it needs none."""


def suppressed(profile: Profile, sending: Sending, settings: DomainSettings) -> str | None:
    """Return why no promotion goes to an address, as one sentence; None: nothing suppresses it.

    A later open, click, order or grant shows that someone reads it. After a report of spam only a grant counts. What
    showed that someone reads another address does not count, unless it is not known which one was bad.
    """
    own_ms = max(dict(profile.answered).get(EMAIL, 0), last_order_ms(profile) or 0)
    for box in profile.mailboxes:
        if _is_about(profile, box, sending.address):
            why = _why_suppressed(box, sending, 0 if box.address else own_ms, settings)
            if why is not None:
                return why
    return None


def _is_about(profile: Profile, box: Mailbox, address: str | None) -> bool:
    """Return whether what is known of a box is about an address; without one, about that of its time."""
    if box.address:
        return box.address == address
    last_ms = max(box.hard_ms, box.complaint_ms, *box.soft_ms[-1:])
    return (held_at(profile, last_ms) or address) == address


def settles_doubt(box: Mailbox, time_ms: int) -> bool:
    """Return whether a proof of a time is the first one after a message to the address that came back."""
    return any(box.proof_ms <= bad_ms < time_ms for bad_ms in (box.hard_ms, *box.soft_ms) if bad_ms)


def with_proof(profile: Profile, box: Mailbox, time_ms: int) -> Profile:
    """Return the profile after someone showed at a time that they read the address of one of its mailboxes."""
    if time_ms <= box.proof_ms:
        return profile
    proven = _replace(box, proof_ms=time_ms)
    return _replace(profile, mailboxes=tuple([proven if each is box else each for each in profile.mailboxes]))


def _why_suppressed(box: Mailbox, sending: Sending, own_ms: int, settings: DomainSettings) -> str | None:
    before_ms, granted_ms = sending.before_ms, sending.granted_ms
    after_ms = min(sending.now_ms, before_ms) - settings.suppression_days * DAY_MS
    proof_ms = max(after_ms, box.proof_ms, own_ms, granted_ms)
    if 0 < box.erased_ms < before_ms:
        return ERASED_HERE
    if box.listed and (why := listed(box, before_ms, is_promotional=True)) is not None:
        return why
    if box.complaint_ms and max(after_ms, granted_ms) <= box.complaint_ms < before_ms:
        return "A message was reported as spam, so no promotion goes to this address."
    if box.hard_ms and proof_ms <= box.hard_ms < before_ms:
        return "A message to this address came back for good, and nothing since then shows that someone reads it."
    soft = [time_ms for time_ms in box.soft_ms if proof_ms <= time_ms < before_ms]
    count, within_ms = settings.soft_bounces_max, settings.soft_bounce_days * DAY_MS
    if count and any(soft[at] - soft[at - count + 1] <= within_ms for at in range(count - 1, len(soft))):
        return (
            f"{count} messages to this address came back within {settings.soft_bounce_days} days, so no more go there."
        )
    return None


def _united(one: Mailbox, other: Mailbox) -> Mailbox:
    first_ms = min(one.first_ms or other.first_ms, other.first_ms or one.first_ms)
    last_ms = max(one.last_ms, other.last_ms)
    if one.is_own is not other.is_own:
        # when others named it says nothing of when the customer had it, whichever came in first
        own = one if one.is_own else other
        first_ms, last_ms = own.first_ms, own.last_ms
    return Mailbox(
        one.address,
        first_ms,
        last_ms,
        one.is_own or other.is_own,
        max(one.hard_ms, other.hard_ms),
        tuple(sorted({*one.soft_ms, *other.soft_ms}))[-SOFT_MAX:],
        max(one.complaint_ms, other.complaint_ms),
        max(one.proof_ms, other.proof_ms),
        max(one.ordered_ms, other.ordered_ms),
        max(one.linked_ms, other.linked_ms),
        min(one.erased_ms or other.erased_ms, other.erased_ms or one.erased_ms),
        united_listings((*one.listed, *other.listed)) if one.listed or other.listed else (),
        one.is_shared or other.is_shared,
    )


def _rank(box: Mailbox) -> tuple[bool, int, str]:
    return box.is_own, box.last_ms, box.address
