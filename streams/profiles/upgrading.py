"""What other rules kept of a profile, in the form of those that hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_3, RULES_4
from streams.profiles.identity import united_consents
from streams.profiles.mailboxes import with_grants_addressed
from streams.profiles.order_change import Adjustment, OrderChange
from streams.profiles.order_changes import REFUNDED
from streams.profiles.orders import last_order_ms, refunds_of_none, with_changes
from streams.profiles.statement import EMAIL, PROMOTIONAL, ConsentState, Mailbox
from streams.profiles.statements import united_statements
from streams.profiles.timed_cart import timed
from streams.profiles.traits import with_channels

if TYPE_CHECKING:
    from streams.profiles.profile import PendingMessage, Profile

_UNKNOWN = 0


def upgraded(profile: Profile, rules: int) -> Profile:
    """Return the profile with its cart timed, and with refunds without an order among the changes."""
    if rules < RULES_3:
        return profile
    refunds = [
        OrderChange(each.time_ms, each.id_hash, _UNKNOWN, each.minor, REFUNDED, "") for each in profile.adjustments
    ]
    if refunds:
        profile = with_changes(msgspec.structs.replace(profile, adjustments=()), (*profile.changes, *refunds))
    profile = msgspec.structs.replace(profile, cart=timed(profile.cart))
    return profile if rules < RULES_4 else _with_first_channel(_with_addresses(profile))


def _with_first_channel(profile: Profile) -> Profile:
    """Return the profile with the channel of its first touch, as far back as it goes; rules 4 keep it for ever."""
    if not profile.touches or profile.attributes is not None:
        return profile
    return msgspec.structs.replace(profile, attributes=with_channels(None, profile.touches))


def _with_addresses(profile: Profile) -> Profile:
    """Return the profile with its address named until now, and with statements that were received as they were said.

    Earlier statements name no address: a grant is then about the one that the profile has, and a withdrawal about all.
    """
    if any(not each.received_ms for each in profile.consents):
        known = [
            msgspec.structs.replace(each, received_ms=each.received_ms or each.time_ms) for each in profile.consents
        ]
        profile = msgspec.structs.replace(profile, consents=united_statements(known))
    address = profile.email_hash
    if address is None or profile.mailboxes:
        return profile
    proof_ms = max(dict(profile.answered).get(EMAIL, 0), last_order_ms(profile) or 0)
    box = Mailbox(address, profile.first_ms or profile.clock_ms, profile.clock_ms, is_own=True, proof_ms=proof_ms)
    return with_grants_addressed(msgspec.structs.replace(profile, email_ms=profile.clock_ms, mailboxes=(box,)))


def lowered(profile: Profile, rules: int) -> Profile:
    """Return a profile of these rules as earlier ones keep it.

    A device is absorbed so if the rules of its partition were raised before those of its user's. What earlier rules do
    not store must not be in memory either, or a restart would change the state.
    """
    if profile.rules >= RULES_4 > rules:
        profile = _without_addresses(_without_entries(profile))
    if profile.rules < RULES_3 or rules >= RULES_3:
        return profile
    cart = profile.cart
    refunds = [Adjustment(each.time_ms, each.minor, each.id_hash) for each in refunds_of_none(profile)]
    return msgspec.structs.replace(
        profile,
        adjustments=tuple(refunds),
        cart=None if cart is None else msgspec.structs.replace(cart, adds=()),
        changes=(),
        order_content=None,
        unanswered=(0, 0),
        rules=rules,
    )


def _without_entries(profile: Profile) -> Profile:
    return msgspec.structs.replace(
        profile,
        orders=tuple([msgspec.structs.replace(each, is_browser=False) for each in profile.orders]),
        changes=tuple([msgspec.structs.replace(each, is_browser=False) for each in profile.changes]),
        order_entry=None,
        unmatched_ids=(),
        ids_alone_ms=0,
        kept=b"",
        landing=None,
    )


def _without_attributes(message: PendingMessage) -> PendingMessage:
    return msgspec.structs.replace(
        message,
        run=msgspec.structs.replace(message.run, attributes=()),
        trigger=msgspec.structs.replace(message.trigger, attributes={}),
    )


def _without_addresses(profile: Profile) -> Profile:
    said = [each for each in profile.consents if each.purpose == PROMOTIONAL and not each.is_of_other]
    consents = united_consents([ConsentState(each.channel, each.granted, each.time_ms) for each in said])
    messages = tuple([msgspec.structs.replace(each, candidate_id="", address_hash=0) for each in profile.messages])
    return msgspec.structs.replace(
        profile,
        consents=consents,
        messages=messages,
        email_ms=0,
        mailboxes=(),
        erasure_asked=None,
        country=None,
        asked=(),
        address_entry=None,
        attributes=None,
        runs=tuple([msgspec.structs.replace(each, attributes=()) for each in profile.runs]),
        pending=tuple([_without_attributes(each) for each in profile.pending]),
        rules=RULES_3,
    )
