"""Folds what goes into a customer's cart and comes out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_3
from streams.profiles import cart, timed_cart
from streams.profiles.bounds import bounded_cart
from streams.profiles.mailboxes import mailbox
from streams.profiles.orders import was_ordered_since

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.fold.moment import FoldMoment
    from streams.profiles.profile import Profile

_replace = msgspec.structs.replace


def added(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    """Return the profile with the event's articles in the cart, unless an order came after them."""
    at.effects.count("adds", event.time_ms)
    if was_ordered_since(profile, event.time_ms) or (
        profile.mailboxes and _guest_ordered_since(profile, event.time_ms)
    ):
        return profile
    if at.rules >= RULES_3:
        filled = timed_cart.added(profile.cart, event.products, event.time_ms, at.now_ms)
    else:
        filled = cart.added(profile.cart, event.products, event.time_ms, at.now_ms)
        if at.rules > 1:
            filled = bounded_cart(filled)
    if profile.cart is None and filled is not None:
        at.effects.count("carts_opened", event.time_ms)
    return _replace(profile, cart=filled)


def _guest_ordered_since(profile: Profile, time_ms: int) -> bool:
    """Return whether a guest ordered then or later with the address in use, and so ended what was in the cart."""
    box = mailbox(profile, profile.email_hash or "")
    return box is not None and box.ordered_ms >= time_ms


def removed(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    """Return the profile without the event's articles in the cart."""
    without = cart.removed if at.rules < RULES_3 else timed_cart.removed
    return _replace(profile, cart=without(profile.cart, event.products))
