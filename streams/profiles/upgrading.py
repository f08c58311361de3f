"""What other rules kept of a profile, in the form of those that hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_3
from streams.profiles.order_change import OrderChange
from streams.profiles.order_changes import REFUNDED
from streams.profiles.orders import refunds_of_none, with_changes
from streams.profiles.profile import Adjustment
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


def lowered(profile: Profile, rules: int) -> Profile:
    """Return a profile of rules 3 as earlier rules keep it.

    A device is absorbed so if the rules of its partition were raised before those of its user's. What earlier rules do
    not store must not be in memory either, or a restart would change the state.
    """
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
