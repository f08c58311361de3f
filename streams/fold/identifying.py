"""Who the customer of a touchpoint is, and the devices and addresses that belong to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

import msgspec

from schemas.countries import country_code
from schemas.journal import RULES_4, AddressConsent, Link
from schemas.touchpoint import IDENTITY_UNLINKED
from schemas.units import DAY_MS, WEEK_MS
from streams.fold.addressing import REPORTS, name_address, names_own, tell_link
from streams.fold.erasing import with_addresses_erased
from streams.fold.joining import joined_again
from streams.fold.moment import Rejected
from streams.fold.record import journal_headers
from streams.profiles.bounds import bounded_links
from streams.profiles.identity import last_country
from streams.profiles.joins import LINKED_MAX
from streams.profiles.keys import ADDRESS, DEVICE, USER, is_address, is_user
from streams.profiles.links import HOPS_MAX, HOPS_OF_USERS_MAX, with_link, with_own_link
from streams.profiles.mailboxes import mailbox, with_mailboxes
from streams.profiles.seen import DAYS_KEPT, event_hash, is_seen
from streams.profiles.statement import BY_MAIL, Mailbox
from streams.profiles.traits import with_channel, with_country, with_signup, with_traits

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.fold.moment import FoldMoment
    from streams.fold.record import Record
    from streams.profiles.attributes import Attributes
    from streams.profiles.effects import Effects
    from streams.profiles.profile import Cart, CategoryView, Profile, Session, ShownPrice, Touch
    from streams.profiles.statement import ConsentState

ASKED_AGAIN_MS: Final = WEEK_MS
"""How long after it was linked an address is linked again, at the next visit."""


class Changes(TypedDict, total=False):
    """What any touchpoint may change of a profile; gathered first, so that the profile is replaced once."""

    clock_ms: int
    seen: tuple[tuple[int, bytes], ...]
    first_ms: int
    time_zone: str
    country: tuple[str, int]
    user_id: str
    email_hash: str
    email_ms: int
    mailboxes: tuple[Mailbox, ...]
    consents: tuple[ConsentState, ...]
    linked: tuple[str, ...]
    sessions: tuple[Session, ...]
    touches: tuple[Touch, ...]
    cart: Cart | None
    prices: tuple[ShownPrice, ...]
    views: tuple[CategoryView, ...]
    attributes: Attributes | None
    rules: int


def identify(profile: Profile, event: Touchpoint, at: FoldMoment, changes: Changes, *, is_same_visit: bool) -> None:
    """Note what the touchpoint says of who the customer is, and link devices and addresses to them."""
    first_ms, time_ms, time_zone = profile.first_ms, event.time_ms, event.time_zone
    linked = before = profile.linked
    if not first_ms or time_ms < first_ms:
        changes["first_ms"] = time_ms
        profile = _joining(profile, at, changes) if linked and not first_ms else profile
        linked = profile.linked
    if time_zone is not None and time_zone != profile.time_zone:
        changes["time_zone"] = time_zone
    user, device, address = event.user_id, event.anonymous_id, event.email_hash
    if user:  # an empty id is none, as for the key
        if profile.user_id is None:
            # what a merged user did may come in before their profile does
            is_survivor = at.rules >= RULES_4 and is_user(at.customer)
            changes["user_id"] = at.customer.removeprefix(USER) if is_survivor else user
        if device:
            linked = _link_device(linked, DEVICE + device, event, at, is_same_visit=is_same_visit)
    if address is not None:
        if at.rules >= RULES_4:
            linked = _with_address(profile, event, linked, at, changes)
        else:
            linked = _by_earlier_rules(profile, event, linked, at, changes)
    if not is_same_visit and profile.email_hash is not None and at.rules >= RULES_4:
        linked = _asked_again(profile, linked, at, changes)
    if linked is not before:
        changes["linked"] = linked


def note_country(profile: Profile, event: Touchpoint, country: str, at: FoldMoment, changes: Changes) -> None:
    """Note the country where the customer is by event time. Reports about messages often come from elsewhere."""
    code = country_code(country)
    if code and event.type not in REPORTS:
        named = last_country((code, min(event.time_ms, at.now_ms)), profile.country)
        if named is not None and named != profile.country:
            changes["country"] = named
        _note(with_country(_attributes(profile, changes), code, event.time_ms), profile, changes)


def note_traits(profile: Profile, event: Touchpoint, received_ms: int, at: FoldMoment, changes: Changes) -> None:
    """Note what the touchpoint says of the customer; an address is no customer."""
    if not is_address(at.customer):
        said = with_traits(_attributes(profile, changes), event.traits, min(event.time_ms, received_ms))
        _note(said, profile, changes)


def note_channel(profile: Profile, touch: Touch, at: FoldMoment, changes: Changes) -> None:
    """Note the channel of a marketing touch, if it is the first."""
    if not is_address(at.customer):
        _note(with_channel(_attributes(profile, changes), touch.channel, touch.time_ms), profile, changes)


def signed_up(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    """Return the profile with the source of a sign-up, if it is the first."""
    if at.rules < RULES_4 or is_address(at.customer):
        return profile
    attributes = with_signup(profile.attributes, event.source, event.time_ms)
    return profile if attributes is profile.attributes else msgspec.structs.replace(profile, attributes=attributes)


def _attributes(profile: Profile, changes: Changes) -> Attributes | None:
    return changes.get("attributes", profile.attributes)


def _note(attributes: Attributes | None, profile: Profile, changes: Changes) -> None:
    if attributes is not profile.attributes:
        changes["attributes"] = attributes


def _joining(profile: Profile, at: FoldMoment, changes: Changes) -> Profile:
    """Return a user who is known from now on and has asked again for the merges that waited for that.

    What the others have said is on its way, so the first promotions wait for it, as after a new address.
    """
    linked = joined_again(profile.linked, at)
    if linked is profile.linked:
        return profile
    asking = with_mailboxes(profile, [Mailbox("", linked_ms=at.now_ms)])
    changes["mailboxes"] = asking.mailboxes
    return msgspec.structs.replace(asking, linked=linked)


def _with_address(
    profile: Profile, event: Touchpoint, linked: tuple[str, ...], at: FoldMoment, changes: Changes
) -> tuple[str, ...]:
    """Note the address that the customer has by event time, and return their links."""
    address, time_ms = event.email_hash, event.time_ms
    if is_address(at.customer) or address is None:
        return linked
    if address == profile.email_hash and time_ms > profile.email_ms > 0:
        if names_own(event, at):
            changes["email_ms"] = min(time_ms, at.now_ms)
        return linked
    named = name_address(profile, event, at)
    if profile.erasure_asked is not None:
        named = with_addresses_erased(named, at)
    if named is profile:
        return linked
    if named.email_hash is not None:
        changes["email_hash"] = named.email_hash
    changes["email_ms"], changes["mailboxes"] = named.email_ms, named.mailboxes
    if named.consents is not profile.consents:
        changes["consents"] = named.consents
    is_new = mailbox(profile, address) is None and mailbox(named, address) is not None
    return linked_to(linked, ADDRESS + address, at) if is_new else linked


def _by_earlier_rules(
    profile: Profile, event: Touchpoint, linked: tuple[str, ...], at: FoldMoment, changes: Changes
) -> tuple[str, ...]:
    """Note the address that came in last, and return the customer's links."""
    address = event.email_hash
    if is_address(at.customer) or address is None:
        return linked
    if address != profile.email_hash:
        changes["email_hash"] = address
    return link_address(linked, address, profile.consents, at)


def _asked_again(profile: Profile, linked: tuple[str, ...], at: FoldMoment, changes: Changes) -> tuple[str, ...]:
    """Link the address in use again after ASKED_AGAIN_MS, and return the customer's links.

    It may have forgotten the customer for others, and what was said of it since has not reached them.
    """
    address = changes.get("email_hash", profile.email_hash)
    boxes = changes.get("mailboxes", profile.mailboxes)
    for box in boxes:
        if box.address == address and box.linked_ms <= at.now_ms - ASKED_AGAIN_MS:
            asked = msgspec.structs.replace(box, linked_ms=at.now_ms)
            changes["mailboxes"] = tuple([asked if each.address == address else each for each in boxes])
            tell_link(profile, address, at)
            key = ADDRESS + address
            return linked if key in linked else linked_to(linked, key, at)
    return linked


def was_seen_alone(profile: Profile, event: Touchpoint, now_ms: int) -> bool:
    """Return whether an event was folded before the rules became 4, which know events by source and id."""
    if now_ms - profile.ids_alone_ms > DAYS_KEPT * DAY_MS:
        return False
    return is_seen(profile.seen, event_hash(event.event_id))


def _link_device(
    linked: tuple[str, ...], key: str, event: Touchpoint, at: FoldMoment, *, is_same_visit: bool
) -> tuple[str, ...]:
    """Link a device to the customer: once a visit, or at each event outside of one.

    Others may have used the device meanwhile. A logout links nothing.
    """
    if event.type == IDENTITY_UNLINKED and at.rules >= RULES_4:
        return linked
    if not is_same_visit or key not in linked:
        at.effects.append(key, Link(target=at.customer, time_ms=at.linked_ms(event.time_ms), cause=event.event_id))
    return linked_to(linked, key, at)


def linked_to(linked: tuple[str, ...], key: str, at: FoldMoment, at_most: int = LINKED_MAX) -> tuple[str, ...]:
    """Return the keys with this one last, within the limits of the rules."""
    if at.rules >= RULES_4 and not is_address(at.customer):
        return with_own_link(linked, key)
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
        if item.channel in BY_MAIL:
            at.effects.append(key, AddressConsent(item.channel, item.granted, item.time_ms, at.cause))
    return linked_to(linked, key, at)


def forward(record: Record, target: str, effects: Effects) -> None:
    """Forward a device's record to its user, or a merged user's to the survivor, with the bytes as they are."""
    hops = record.hops
    if hops:
        effects.count("forwards_received")
    if hops >= HOPS_MAX and (hops >= HOPS_OF_USERS_MAX or not is_user(record.key)):
        raise Rejected("identity_loop", f"the record was forwarded {hops} times; at most {HOPS_MAX} are allowed")
    effects.count("forwards_sent")
    effects.append(target, record.raw, journal_headers(record.received_ms, hops + 1, is_imported=record.is_imported))
