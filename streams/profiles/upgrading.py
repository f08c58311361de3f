"""What earlier rules kept of a profile, in the form of those that hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_3
from streams.profiles.order_change import OrderChange
from streams.profiles.order_changes import REFUNDED
from streams.profiles.orders import with_changes
from streams.profiles.timed_cart import timed

if TYPE_CHECKING:
    from streams.profiles.profile import Profile

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
    return msgspec.structs.replace(profile, cart=timed(profile.cart))
