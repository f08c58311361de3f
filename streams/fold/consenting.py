"""Statements of consent, bounces and reports of spam, from rules 4 on: what they change, and to whom they go.

A grant stays where it was given; all else goes to the address: see `addressing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from schemas.journal import AddressConsent, AddressNotice
from schemas.limits import SOURCE_CHARS_MAX
from schemas.touchpoint import BOUNCE_TYPE, COMPLAINT, ERASURE_REQUESTED, SOFT_BOUNCES, Consent
from streams.flows.runtime.asking import ask_again
from streams.flows.runtime.ending import without_ended_by
from streams.flows.runtime.pending import Ending, without_ended
from streams.flows.runtime.withdrawing import name_too_late, without_disallowed
from streams.fold.addressing import (
    ALONE,
    COMPLAINED,
    ERASED,
    HARD,
    LIMITED,
    ORDERED,
    PROVEN,
    SHARED,
    SOFT,
    WITHDRAWN,
    address_of,
    is_of_device,
    mailbox_of,
    prove_address,
    tell_link,
    withdrawal,
)
from streams.fold.erasing import REQUESTS, with_addresses_erased, with_request
from streams.fold.granting import fold_shared
from streams.fold.identifying import linked_to
from streams.fold.ordering import with_cart_ordered
from streams.profiles.joins import with_users_kept
from streams.profiles.keys import ADDRESS, is_address, is_device
from streams.profiles.mailboxes import (
    mailbox,
    settles_doubt,
    surely_held_at,
    with_foreign_mailboxes,
    with_grants_addressed,
    with_mailboxes,
)
from streams.profiles.seen import event_hash
from streams.profiles.standing import statements_of_device
from streams.profiles.statement import ALL, BY_MAIL, EMAIL, PROMOTIONAL, UNSURE, ConsentState, Mailbox
from streams.profiles.statements import united_statements

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.fold.moment import FoldMoment
    from streams.profiles.profile import Profile

OF_ADDRESSES: Final = frozenset({"consent_changed", "email_unsubscribed", "email_bounced", ERASURE_REQUESTED})
"""Types of touchpoints whose effect is here."""
_HASH_BYTES: Final = 4
"""Enough to tell what two users said in one millisecond, and half of what a profile keeps of each event."""
_replace = msgspec.structs.replace


def fold_of_address(profile: Profile, event: Touchpoint, received_ms: int, at: FoldMoment) -> Profile:
    """Return the profile after one of OF_ADDRESSES."""
    if event.type == "email_bounced":
        is_soft = event.properties.get(BOUNCE_TYPE, "").strip().lower() in SOFT_BOUNCES
        return _reported(profile, SOFT if is_soft else HARD, event, received_ms, at)
    if event.type == "email_unsubscribed":
        profile = _stated(profile, Consent(EMAIL, granted=False), event, received_ms, at)
        is_complaint = COMPLAINT in event.properties
        return _reported(profile, COMPLAINED, event, received_ms, at) if is_complaint else profile
    if event.type == ERASURE_REQUESTED:
        at.effects.count(REQUESTS)
        if is_address(at.customer):
            return _reported(profile, ERASED, event, received_ms, at)
        return with_request(profile, min(event.time_ms, received_ms), at)
    return profile if event.consent is None else _stated(profile, event.consent, event, received_ms, at)


def _reported(profile: Profile, kind: str, event: Touchpoint, received_ms: int, at: FoldMoment) -> Profile:
    """Return the profile after a message that came back or was reported, and tell the address to which it went."""
    time_ms = min(event.time_ms, received_ms)
    address = address_of(profile, event, time_ms, at)
    source, is_server = event.source[:SOURCE_CHARS_MAX], event.source in at.settings.server_sources
    notice = AddressNotice(kind, address, time_ms, received_ms, at.cause, PROMOTIONAL, source, is_server)
    after = _noted(profile, notice, at)
    if after is not profile or not is_address(at.customer):
        _tell(profile, notice, at)
    _tell_later_proof(after, notice, at)
    return after


def _stated(profile: Profile, said: Consent, event: Touchpoint, received_ms: int, at: FoldMoment) -> Profile:
    """Return the profile after a statement, and tell the address what is withdrawn.

    A withdrawal that names no address is kept so: it holds for each that the customer has or will have. A grant is for
    the one that they have then. What came by a device without a user id may be another person's, and counts as if the
    device's profile had brought it.
    """
    by_mail, time_ms, by_device = said.channel in BY_MAIL, min(event.time_ms, received_ms), is_of_device(event, at)
    named = _named(event, at) if by_mail else ""
    if by_mail and said.granted and not (named or by_device):
        named = surely_held_at(profile, time_ms)
    statement = ConsentState(
        said.channel,
        said.granted,
        time_ms,
        said.purpose or PROMOTIONAL,
        named,
        received_ms,
        event.source in at.settings.server_sources,
        event.source[:SOURCE_CHARS_MAX],
        max(said.at_most or 0, 0) if said.granted else 0,
        (said.only_flow or "") if said.granted else "",
        event_hash=_hash_of(event) if said.granted else 0,
    )
    if by_device:
        counting = statements_of_device(profile, (statement,))
        if not counting:
            return profile
        statement = counting[0]
    after = with_grants_addressed(with_statement(profile, statement, at))
    if by_mail and statement.is_limited and after is not profile and named not in {"", UNSURE}:
        _tell(profile, withdrawal(statement, named, at), at)
    if statement.granted and by_mail:
        return prove_address(after, named, time_ms, at) if event.user_id else after
    if by_mail and after is not profile:
        _tell(profile, withdrawal(statement, statement.address or address_of(profile, event, time_ms, at), at), at)
    return after


def _hash_of(event: Touchpoint) -> int:
    return int.from_bytes(event_hash(event.event_id, event.source)[:_HASH_BYTES])


def _named(event: Touchpoint, at: FoldMoment) -> str:
    return event.email_hash or (at.customer.removeprefix(ADDRESS) if is_address(at.customer) else "")


def with_statement(profile: Profile, said: ConsentState, at: FoldMoment) -> Profile:
    """Return the profile with a statement; messages that it forbids are taken back, or named if they are gone."""
    consents = united_statements((*profile.consents, said))
    if consents == profile.consents:
        return profile
    after = _replace(profile, consents=consents)
    if profile.messages and is_binding(said):
        name_too_late((profile,), after, said.time_ms, at.known.flows, at)
    after = without_disallowed(after, at.known.flows, at)
    if said.at_most and after.pending:
        ids = {message.run.candidate_id for message in after.pending}
        after = ask_again(after, ids, at.known.flows, at, watermark_ms=at.known.watermark_ms)
    return after


def is_binding(said: ConsentState) -> bool:
    """Return whether a statement may forbid a message."""
    return not said.granted or said.is_limited


def _with_statements_of(profile: Profile, other: Profile, said: tuple[ConsentState, ...], at: FoldMoment) -> Profile:
    """Return the profile with all that another one said, at once: one statement may answer another.

    Messages of both are looked at by what each of the two knew when they went out.
    """
    after = with_grants_addressed(_replace(profile, consents=united_statements((*profile.consents, *said))))
    binding = [item.time_ms for item in after.consents if is_binding(item)]
    if profile.messages and binding:
        name_too_late((profile, other), after, min(binding), at.known.flows, at)
    return without_disallowed(after, at.known.flows, at)


def _tell(profile: Profile, notice: AddressNotice, at: FoldMoment) -> None:
    if is_address(at.customer):
        for target in profile.linked:
            at.effects.append(target, notice)
    elif notice.address:
        at.effects.append(ADDRESS + notice.address, notice)


def fold_told(profile: Profile, told: AddressNotice | AddressConsent, at: FoldMoment) -> Profile:
    """Return an address, or a profile that has it, after a notice; an address passes on what is new to it.

    Of what earlier rules sent only withdrawals count: a grant was another profile's.
    """
    if isinstance(told, AddressNotice):
        return fold_shared(profile, told, at) if told.kind in {SHARED, ALONE} else _passed_on(profile, told, at)
    if told.granted:
        return profile
    if is_address(at.customer):
        address = at.customer.removeprefix(ADDRESS)
        return _passed_on(profile, AddressNotice(WITHDRAWN, address, told.time_ms, told.time_ms, at.cause), at)
    said = ConsentState(told.channel, granted=False, time_ms=told.time_ms, received_ms=told.time_ms)
    return with_statement(profile, said, at)


def _passed_on(profile: Profile, notice: AddressNotice, at: FoldMoment) -> Profile:
    after = _noted(profile, notice, at)
    if after is not profile:
        if is_address(at.customer) and _is_news(profile, notice):
            _tell(profile, notice, at)
        _tell_later_proof(after, notice, at)
    return after


def _is_news(profile: Profile, notice: AddressNotice) -> bool:
    """Return whether others have to know it: of the proofs only the first after each message that came back."""
    box = mailbox(profile, notice.address) if notice.kind == PROVEN else None
    return notice.kind != PROVEN or (box is not None and settles_doubt(box, notice.time_ms))


def _tell_later_proof(profile: Profile, notice: AddressNotice, at: FoldMoment) -> None:
    """Tell the proof that was not worth telling before a message that came back earlier came in."""
    box = mailbox(profile, notice.address) if notice.kind in {HARD, SOFT} else None
    if box is not None and box.proof_ms > notice.time_ms:
        proof = AddressNotice(PROVEN, box.address, box.proof_ms, box.proof_ms, at.cause)
        _tell(profile, proof, at)


def _noted(profile: Profile, notice: AddressNotice, at: FoldMoment) -> Profile:
    """Return the profile with what a notice says; the same object if nothing of it is new."""
    kind = notice.kind
    if kind in {WITHDRAWN, LIMITED, COMPLAINED}:
        statement = ConsentState(
            EMAIL,
            granted=kind == LIMITED,
            time_ms=notice.time_ms,
            purpose=notice.purpose or PROMOTIONAL,
            address=notice.address,
            received_ms=notice.received_ms,
            is_server=notice.is_server,
            source=notice.source,
            at_most=notice.at_most,
            only_flow=notice.only_flow,
            is_of_other=kind == LIMITED,
        )
        if kind == LIMITED and _is_known(profile, statement):
            return profile
        profile = with_statement(profile, statement, at)
    if kind in {WITHDRAWN, LIMITED}:
        return profile
    if not is_address(at.customer) and notice.address and mailbox(profile, notice.address) is None:
        return profile  # it is no address of the customer's, or one that they had long ago
    after = with_mailboxes(profile, [mailbox_of(notice)])
    if after is profile:
        return profile
    if kind == ORDERED:
        return _after_order(after, notice, at)
    return without_disallowed(after, at.known.flows, at)


def _is_known(profile: Profile, limit: ConsentState) -> bool:
    """Return whether a limit came back to the profile whose grant it is."""
    own = _replace(limit, is_of_other=False)
    return any(_replace(item, event_hash=0) in {own, _replace(own, channel=ALL)} for item in profile.consents)


def _after_order(profile: Profile, notice: AddressNotice, at: FoldMoment) -> Profile:
    """End the cart and the flows that an order ends, which a guest placed with the address that is in use."""
    if notice.address != profile.email_hash or is_address(at.customer):
        return profile
    flows = at.known.flows
    profile = with_cart_ordered(profile, notice.time_ms, at)
    runs = without_ended_by(profile.runs, "order_completed", notice.time_ms, flows, at)
    if runs is not profile.runs:
        profile = _replace(profile, runs=runs)
    ending = Ending("order_completed", notice.time_ms, notice.received_ms)
    return without_ended(profile, ending, flows, at) if profile.pending else profile


def with_addresses_of(profile: Profile, other: Profile, source: str, at: FoldMoment) -> Profile:
    """Return a profile with the addresses and statements of another one that is merged into it.

    A device may have been another's before the customer used it. So its addresses are in use only if the customer has
    named none, and of its grants some stay behind. A withdrawal that was made there holds for the user alone, not for
    all who have their address.
    """
    before, consents = profile, other.consents
    if is_device(source):
        consents = statements_of_device(profile, other.consents)
        profile = with_foreign_mailboxes(profile, other)
    else:
        profile = with_mailboxes(profile, with_mailboxes(other, ()).mailboxes)
    linked = profile.linked
    new = [box.address for box in profile.mailboxes if box.last_ms and mailbox(before, box.address) is None]
    for address in new:
        tell_link(profile, address, at)
        linked = linked_to(linked, ADDRESS + address, at)
    profile = with_mailboxes(profile, [Mailbox(address, linked_ms=at.now_ms) for address in new])
    profile = with_addresses_erased(profile, at)
    if profile.email_hash is not None and not is_device(source):
        for item in consents:
            is_for_all = not item.granted and not item.address and item.channel in BY_MAIL
            if is_for_all and item not in profile.consents:
                _tell(profile, withdrawal(item, profile.email_hash, at), at)
    return _with_statements_of(_replace(profile, linked=with_users_kept(linked)), other, consents, at)
