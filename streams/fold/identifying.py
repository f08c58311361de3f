"""Who the customer of a touchpoint is, and the devices and addresses that belong to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from schemas.journal import AddressConsent, Link
from streams.fold.moment import Rejected
from streams.fold.record import journal_headers
from streams.profiles.bounds import bounded_links
from streams.profiles.identity import HOPS_MAX, LINKED_MAX, with_link
from streams.profiles.keys import ADDRESS, DEVICE, is_address

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.fold.moment import FoldMoment
    from streams.fold.record import Record
    from streams.profiles.effects import Effects
    from streams.profiles.profile import Cart, CategoryView, ConsentState, Profile, Session, ShownPrice, Touch

ADDRESS_CHANNELS = frozenset({"email", "all"})
"""A consent about one of these channels holds for the address, and so for every profile that has it."""


class Changes(TypedDict, total=False):
    """What any touchpoint may change of a profile; gathered first, so that the profile is replaced once."""

    clock_ms: int
    seen: tuple[tuple[int, bytes], ...]
    first_ms: int
    time_zone: str
    user_id: str
    email_hash: str
    linked: tuple[str, ...]
    sessions: tuple[Session, ...]
    touches: tuple[Touch, ...]
    cart: Cart | None
    prices: tuple[ShownPrice, ...]
    views: tuple[CategoryView, ...]
    rules: int


def identify(profile: Profile, event: Touchpoint, at: FoldMoment, changes: Changes, *, is_same_visit: bool) -> None:
    """Note what the touchpoint says of who the customer is, and link devices and addresses to them."""
    first_ms, time_ms, time_zone = profile.first_ms, event.time_ms, event.time_zone
    if not first_ms or time_ms < first_ms:
        changes["first_ms"] = time_ms
    if time_zone is not None and time_zone != profile.time_zone:
        changes["time_zone"] = time_zone
    linked = before = profile.linked
    user, device, address = event.user_id, event.anonymous_id, event.email_hash
    if user:  # an empty id is none, as for the key
        if profile.user_id is None:
            changes["user_id"] = user
        if device:
            linked = _link_device(profile, DEVICE + device, event, at, is_same_visit=is_same_visit)
    if address is not None and not is_address(at.customer):
        linked = link_address(linked, address, profile.consents, at)
        if address != profile.email_hash:
            changes["email_hash"] = address
    if linked is not before:
        changes["linked"] = linked


def _link_device(
    profile: Profile, key: str, event: Touchpoint, at: FoldMoment, *, is_same_visit: bool
) -> tuple[str, ...]:
    """Link a device to the customer: once a visit, or at each event outside of one.

    Others may have used the device meanwhile.
    """
    if not is_same_visit or key not in profile.linked:
        at.effects.append(key, Link(target=at.customer, time_ms=at.now_ms, cause=event.event_id))
    return linked_to(profile.linked, key, at)


def linked_to(linked: tuple[str, ...], key: str, at: FoldMoment, at_most: int = LINKED_MAX) -> tuple[str, ...]:
    """Return the keys with this one last, within the limits of the rules."""
    keys = with_link(linked, key, at_most)
    return keys if at.rules == 1 or keys is linked else bounded_links(keys)


def link_address(
    linked: tuple[str, ...], email_hash: str, consents: tuple[ConsentState, ...], at: FoldMoment
) -> tuple[str, ...]:
    """Link an address to the customer once, and send it their consents about e-mail until now."""
    key = ADDRESS + email_hash
    if key in linked:
        return linked
    at.effects.append(key, Link(target=at.customer, time_ms=at.now_ms, cause=at.cause))
    for item in consents:
        if item.channel in ADDRESS_CHANNELS:
            at.effects.append(key, AddressConsent(item.channel, item.granted, item.time_ms, at.cause))
    return linked_to(linked, key, at)


def forward(record: Record, target: str, effects: Effects) -> None:
    """Forward a device's record to its user, with the bytes as they are."""
    if record.hops:
        effects.count("forwards_received")
    if record.hops >= HOPS_MAX:
        raise Rejected("identity_loop", f"the record was forwarded {record.hops} times; at most {HOPS_MAX} are allowed")
    effects.count("forwards_sent")
    effects.append(target, record.raw, journal_headers(record.received_ms, record.hops + 1))
