"""Folds statements of consent: by the rules before purposes and addresses, or else by those of `consenting`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_4, AddressConsent, AddressNotice
from streams.flows.runtime.consent import with_consent
from streams.flows.runtime.pending import without_withdrawn
from streams.fold.consenting import fold_of_address, fold_told
from streams.fold.moment import FoldMoment, Rejected
from streams.profiles.answered import CONSENT_CHANNELS
from streams.profiles.keys import ADDRESS, is_address
from streams.profiles.statement import BY_MAIL, PROMOTIONAL, ConsentState

if TYPE_CHECKING:
    from schemas.touchpoint import Consent, Touchpoint
    from streams.profiles.profile import Profile

_replace = msgspec.structs.replace


def of_address(profile: Profile, event: Touchpoint, received_ms: int, at: FoldMoment) -> Profile:
    """Return the profile after a touchpoint that says something of consent or of an address."""
    if at.rules >= RULES_4:
        return fold_of_address(profile, event, received_ms, at)
    time_ms = min(event.time_ms, at.now_ms)
    if event.type == "email_unsubscribed":
        return with_statement(profile, "email", time_ms, at, granted=False)
    if event.consent is None or event.type != "consent_changed" or _is_narrow(event.consent):
        return profile
    return with_statement(profile, event.consent.channel, time_ms, at, granted=event.consent.granted)


def _is_narrow(said: Consent) -> bool:
    """Return whether it is a grant for less than earlier rules can keep: they would take it for one of everything."""
    return said.granted and (said.purpose not in {None, "", PROMOTIONAL} or bool(said.at_most or said.only_flow))


def with_told(profile: Profile, told: AddressConsent | AddressNotice, at: FoldMoment) -> Profile:
    """Return the profile after what an address or another profile sent it; the same object if it knew that."""
    if at.rules >= RULES_4:
        return fold_told(profile, told, at)
    if isinstance(told, AddressNotice):
        raise Rejected("unexpected_type", "an AddressNotice does not belong in the journal before rules 4")
    return with_statement(profile, told.channel, told.time_ms, at, granted=told.granted)


def with_statement(profile: Profile, channel: str, time_ms: int, at: FoldMoment, *, granted: bool) -> Profile:
    """Return the profile with a statement of consent, and send it to the address, or from there to its profiles."""
    if at.rules > 1 and channel not in CONSENT_CHANNELS:
        return profile
    if profile.pending:
        statement = ConsentState(channel, granted, time_ms)
        profile = without_withdrawn(profile, (statement,), at)
    consents = with_consent(profile.consents, channel, granted=granted, time_ms=time_ms)
    if consents == profile.consents:
        return profile
    shared = AddressConsent(channel=channel, granted=granted, time_ms=time_ms, cause=at.cause)
    if is_address(at.customer):
        for target in profile.linked:
            at.effects.append(target, shared)
    elif profile.email_hash is not None and channel in BY_MAIL:
        at.effects.append(ADDRESS + profile.email_hash, shared)
    return _replace(profile, consents=consents)
