"""Which of a profile's statements are about a message, and what they say of each channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from streams.profiles.mailboxes import mailbox
from streams.profiles.statement import ALL, EMAIL, PROMOTIONAL, UNSURE, ConsentState
from streams.profiles.statements import standing_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.profiles.profile import Profile
    from streams.settings import DomainSettings


def statements_about(profile: Profile, channel: str, purpose: str, address: str | None) -> list[ConsentState]:
    """Return the statements about a channel, a purpose and, by e-mail, an address (its hash; None: none is known).

    A withdrawal that names no address is about all of them, and so is a limit that came with a device. A grant names
    none only while none is known. A message without an address was decided then, and whatever address the grant has got
    since, it is about it.
    """
    found = []
    for item in profile.consents:
        if item.purpose != purpose or item.channel not in {channel, ALL}:
            continue
        if channel != EMAIL:
            # a grant beside another's address, as from a device, is not the user's
            known = item.address in {"", UNSURE} or mailbox(profile, item.address) is not None
            holds = not item.grants or known
        elif address is None:
            holds = item.address != UNSURE if item.granted else not item.address
        else:
            holds = item.address == address or not (item.grants or item.address)
        if holds:
            found.append(item)
    return found


def promotional_default(profile: Profile, settings: DomainSettings) -> bool:
    """Return whether promotions go to a customer who said nothing of them, in the country where they are."""
    default = settings.consent_default
    if settings.consent_default_by_country:
        default = settings.consent_default_by_country.get(_code(profile), default)
    return default == "granted"


def _code(profile: Profile) -> str:
    return "" if profile.country is None else profile.country[0]


def country_of_default(profile: Profile, settings: DomainSettings) -> str | None:
    """Return the country whose default holds for a customer who said nothing; None: the general default does."""
    code = _code(profile)
    return code if code in settings.consent_default_by_country else None


def promotional_consent(profile: Profile) -> dict[str, bool]:
    """Return by channel whether the customer consents to promotions, to the address in use, if they said so."""
    answers = {}
    for channel in sorted({item.channel for item in profile.consents if item.purpose == PROMOTIONAL}):
        about = statements_about(profile, channel, PROMOTIONAL, profile.email_hash)
        said = [item for item in about if not item.is_of_other]
        if said:
            answers[channel] = standing_of(said, default=False).is_allowed
    return answers


def statements_of_device(user: Profile, said: Iterable[ConsentState]) -> tuple[ConsentState, ...]:
    """Return what counts for a user of the statements made at a device of theirs, where others may be too.

    All withdrawals do. Of the grants those do that are for an address of the user's, and those of channels of
    which the user has said nothing, but for one that is for an address of somebody else. A limited one that does not
    still limits.
    """
    own = {box.address for box in user.mailboxes if box.address}
    kept = []
    for item in said:
        if not item.grants:
            kept.append(item)
        elif item.address in own:
            is_said = item.channel == ALL and _has_said(user, item)
            kept.append(replace(item, channel=EMAIL) if is_said else item)
        elif not _has_said(user, item) and (user.email_hash is None or not item.address):
            kept.append(item)
        elif item.is_limited:
            address = "" if item.address == UNSURE else item.address
            kept.append(replace(item, is_of_other=True, address=address, event_hash=0))
    return tuple(kept)


def _has_said(user: Profile, grant: ConsentState) -> bool:
    """Return whether the user said anything of what a grant is about."""
    channels = {grant.channel, ALL}
    return any(
        item.purpose == grant.purpose and (grant.channel == ALL or item.channel in channels) for item in user.consents
    )
