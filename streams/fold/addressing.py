"""Which address a profile has, and what profiles and addresses send each other from rules 4 on.

A withdrawal, a bounce or a report of spam goes to the address, and from there to all profiles that have it. So do an
order of a guest, and what shows that someone reads the address. An address passes on only what is new to it, and a
profile passes on nothing that came from an address, so the exchange ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.journal import AddressConsent, AddressNotice, Link
from streams.profiles.keys import ADDRESS, is_address, is_user
from streams.profiles.listings import entries_of
from streams.profiles.mailboxes import (
    held_at,
    mailbox,
    settles_doubt,
    with_mailboxes,
    with_naming,
    with_proof,
)
from streams.profiles.statement import ALL, BY_MAIL, PROMOTIONAL, Mailbox

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.fold.moment import FoldMoment
    from streams.profiles.profile import Profile
    from streams.profiles.statement import ConsentState, Listing

WITHDRAWN: Final = "withdrawn"
LIMITED: Final = "limited"
COMPLAINED: Final = "complained"
HARD: Final = "hard_bounce"
SOFT: Final = "soft_bounce"
PROVEN: Final = "proven"
ORDERED: Final = "ordered"
ERASED: Final = "erasure_requested"
LISTED: Final = "listed"
UNLISTED: Final = "unlisted"
SHARED: Final = "shared"
ALONE: Final = "alone"
KINDS: Final = frozenset(
    {WITHDRAWN, LIMITED, COMPLAINED, HARD, SOFT, PROVEN, ORDERED, ERASED, LISTED, UNLISTED, SHARED, ALONE}
)
"""Kinds of notices."""
LISTINGS: Final = frozenset({LISTED, UNLISTED})
"""Kinds of notices that a person writes, and an address passes on."""
TOLD: Final[tuple[type, ...]] = (AddressConsent, AddressNotice)
"""Types of records by which addresses and profiles tell each other; before rules 4 the first."""
FLOW_CHARS_MAX: Final = 64
"""Characters of a flow's name in a notice: no flow has a longer one."""
REPORTS: Final = frozenset({"email_delivered", "email_opened", "email_clicked", "email_bounced", "email_unsubscribed"})
"""Types of touchpoints that report about a message."""


def is_of_device(event: Touchpoint, at: FoldMoment) -> bool:
    """Return whether an event came to a user by a device of theirs and does not say who used that.

    It counts as if the device's profile had brought it.
    """
    return not event.user_id and is_user(at.customer)


def names_own(event: Touchpoint, at: FoldMoment) -> bool:
    """Return whether the address that an event names is the customer's own."""
    return event.type not in REPORTS and not is_of_device(event, at)


def name_address(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    """Return the profile after an event that names an address, and tell an address that is new.

    A report about a message names the address to which that was sent, which the customer may have left since. One that
    is typed at a device without a user id may be another person's. So both count only until the customer names one.
    """
    address, is_own = event.email_hash, names_own(event, at)
    if address is None or (profile.email_ms and not is_own):
        return profile
    time_ms = min(event.time_ms, at.now_ms)
    if mailbox(profile, address) is not None:
        return with_naming(profile, address, time_ms, is_own=is_own)
    named = with_mailboxes(profile, [Mailbox(address, time_ms, time_ms, is_own, linked_ms=at.now_ms)])
    if mailbox(named, address) is not None:
        tell_link(profile, address, at)
    return named


def withdrawal(item: ConsentState, address: str, at: FoldMoment) -> AddressNotice:
    """Return the notice of a withdrawal, or of a limited grant, which limits all who have the address."""
    return AddressNotice(
        LIMITED if item.granted else WITHDRAWN,
        address,
        item.time_ms,
        item.received_ms,
        at.cause,
        item.purpose,
        item.source,
        item.is_server,
        item.at_most,
        item.only_flow[:FLOW_CHARS_MAX],
    )


def listing_notice(item: Listing, address: str, cause: str) -> AddressNotice:
    """Return the notice of an entry of the suppression list; one that takes an address off does so for all messages."""
    return AddressNotice(
        LISTED if item.is_on else UNLISTED,
        address,
        item.time_ms,
        item.time_ms,
        cause,
        ALL if item.is_all else PROMOTIONAL,
        item.who,
        why=item.why,
    )


def mailbox_of(notice: AddressNotice) -> Mailbox:
    """Return what a notice says of its address."""
    kind, time_ms = notice.kind, notice.time_ms
    if kind in LISTINGS:
        is_all, texts = notice.purpose == ALL, {"who": notice.source, "why": notice.why}
        entries = entries_of(is_on=kind == LISTED, is_all=is_all, time_ms=time_ms, **texts)
        return Mailbox(notice.address, listed=entries)
    return Mailbox(
        notice.address,
        hard_ms=time_ms if kind == HARD else 0,
        soft_ms=(time_ms,) if kind == SOFT else (),
        complaint_ms=time_ms if kind == COMPLAINED else 0,
        proof_ms=time_ms if kind == PROVEN else 0,
        ordered_ms=time_ms if kind == ORDERED else 0,
        erased_ms=time_ms if kind == ERASED else 0,
    )


def prove(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    """Return the profile after an event which shows that someone reads the address that it is about.

    The address gets only the first one after something was said against it.
    """
    return prove_address(profile, address_of(profile, event, event.time_ms, at), event.time_ms, at)


def address_of(profile: Profile, event: Touchpoint, time_ms: int, at: FoldMoment) -> str:
    """Return the address that an event is about; empty: none is known."""
    return event.email_hash or ("" if is_of_device(event, at) else held_at(profile, time_ms) or "")


def prove_address(profile: Profile, address: str, time_ms: int, at: FoldMoment) -> Profile:
    """Return the profile after someone showed at a time that they read an address."""
    box = mailbox(profile, address)
    if box is None or is_address(at.customer):
        return profile
    time_ms = min(time_ms, at.now_ms)
    if settles_doubt(box, time_ms):
        tell_proof(address, time_ms, at)
    return with_proof(profile, box, time_ms)


def tell_proof(address: str, time_ms: int, at: FoldMoment) -> None:
    if address:
        at.effects.append(ADDRESS + address, AddressNotice(PROVEN, address, time_ms, time_ms, at.cause))


def tell_order(email_hash: str, time_ms: int, received_ms: int, at: FoldMoment) -> None:
    """Tell an address of an order that a guest placed with it, when it came in at the latest: clocks may be ahead."""
    time_ms = min(time_ms, received_ms)
    at.effects.append(ADDRESS + email_hash, AddressNotice(ORDERED, email_hash, time_ms, received_ms, at.cause))


def tell_link(profile: Profile, address: str, at: FoldMoment) -> None:
    """Tell an address that a profile has it, and the withdrawals that named no address."""
    key = ADDRESS + address
    at.effects.append(key, Link(target=at.customer, time_ms=at.now_ms, cause=at.cause))
    for item in profile.consents:
        if not item.granted and not item.address and item.channel in BY_MAIL:
            at.effects.append(key, withdrawal(item, address, at))


def answer_link(profile: Profile, target: str, at: FoldMoment) -> None:
    """Tell a profile that is new to an address what the address knows."""
    address = at.customer.removeprefix(ADDRESS)
    for item in profile.consents:
        if (not item.granted or item.is_limited) and item.channel in BY_MAIL:
            at.effects.append(target, withdrawal(item, address, at))
    for box in profile.mailboxes:
        times = [(HARD, box.hard_ms), (COMPLAINED, box.complaint_ms), (PROVEN, box.proof_ms), (ORDERED, box.ordered_ms)]
        times.append((ERASED, box.erased_ms))
        for entry in box.listed:
            at.effects.append(target, listing_notice(entry, address, at.cause))
        for kind, time_ms in [*times, *[(SOFT, each) for each in box.soft_ms]]:
            if time_ms:
                at.effects.append(target, AddressNotice(kind, address, time_ms, time_ms, at.cause))
