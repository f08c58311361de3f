"""What people wrote on the suppression list about an address, and what that stops.

An address is on the list for promotions, or for all messages. Of each of the two what was written last holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.units import shown_time
from streams.profiles.statement import Listing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.profiles.profile import Profile
    from streams.profiles.statement import Mailbox


def united_listings(entries: Iterable[Listing]) -> tuple[Listing, ...]:
    """Return the last entry for promotions and the last one for all messages, in any order of arrival."""
    last: dict[bool, Listing] = {}
    for item in entries:
        other = last.get(item.is_all)
        if other is None or _order(item) > _order(other):
            last[item.is_all] = item
    return tuple([last[is_all] for is_all in sorted(last)])


def entries_of(*, is_on: bool, is_all: bool, time_ms: int, who: str, why: str) -> tuple[Listing, ...]:
    """Return the entries that a person makes; to take an address off takes it off for promotions and for all."""
    scopes = (is_all,) if is_on else (False, True)
    return tuple([Listing(each, is_on, time_ms, who, why) for each in scopes])


def listed(box: Mailbox, before_ms: int, *, is_promotional: bool) -> str | None:
    """Return why the list stops a message to an address, as one sentence; None: it does not.

    What was written from before_ms on does not count.
    """
    for item in box.listed:
        if item.is_on and item.time_ms < before_ms and (item.is_all or is_promotional):
            why = item.why.rstrip(". ") or "no reason is known"
            who = item.who or "somebody"
            return f"{who} put the address on the suppression list on {shown_time(item.time_ms)}: {why}."
    return None


def stopped(profile: Profile, address: str | None, before_ms: int) -> str | None:
    """Return why no message at all goes to an address, as one sentence; None: the list does not stop all."""
    for box in profile.mailboxes:
        if box.address == address and box.listed:
            return listed(box, before_ms, is_promotional=False)
    return None


def _order(item: Listing) -> tuple[int, bool, str, str]:
    """Return a key of a total order: by time, and at one time what stops messages is the last."""
    return item.time_ms, item.is_on, item.who, item.why
