"""A customer who asks to be forgotten, from rules 4 on: no more promotions for them, nor to the addresses they had.

Nothing is erased yet. It is for good: neither a grant nor a proof ends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from schemas.journal import AddressNotice
from streams.flows.runtime.withdrawing import without_disallowed
from streams.fold.addressing import ERASED
from streams.profiles.identity import united_requests
from streams.profiles.keys import ADDRESS
from streams.profiles.mailboxes import with_mailboxes
from streams.profiles.statement import Mailbox

if TYPE_CHECKING:
    from streams.fold.moment import FoldMoment
    from streams.profiles.profile import Profile

REQUESTS: Final = "erasure_requests"
"""Fact: how many touchpoints asked to forget somebody."""
_replace = msgspec.structs.replace


def with_request(profile: Profile, time_ms: int, at: FoldMoment) -> Profile:
    """Return the profile of a customer who asked at a time to be forgotten; what is on the way is taken back."""
    asked = united_requests(profile.erasure_asked, (time_ms, time_ms))
    if asked == profile.erasure_asked:
        return profile
    profile = with_addresses_erased(_replace(profile, erasure_asked=asked), at)
    return without_disallowed(profile, at.known.flows, at)


def with_addresses_erased(profile: Profile, at: FoldMoment) -> Profile:
    """Return the profile of a customer who may have asked, and tell the addresses that they had then.

    An address that they named only later may be somebody else's, such as that of a present.
    """
    if profile.erasure_asked is None:
        return profile
    first_ms, last_ms = profile.erasure_asked
    new = []
    for box in profile.mailboxes:
        is_theirs = box.is_own or box.address == profile.email_hash
        if not (is_theirs and box.address and 0 < box.first_ms <= last_ms):
            continue
        time_ms = first_ms if box.first_ms <= first_ms else last_ms
        if not 0 < box.erased_ms <= time_ms:
            at.effects.append(ADDRESS + box.address, AddressNotice(ERASED, box.address, time_ms, time_ms, at.cause))
            new.append(Mailbox(box.address, erased_ms=time_ms))
    return with_mailboxes(profile, new) if new else profile
