"""Keys without a public profile: a guest's order, a channel's spend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.units import DAY_MS
from streams.fold.earlier_orders import count_order
from streams.profiles.effects import hash_64
from streams.profiles.orders import find_order, place_order
from streams.profiles.profile import PlacedOrder, Profile

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.fold.moment import FoldMoment

GUEST_KEPT_MS = 7 * DAY_MS


def fold_entry(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    """Count a guest's order or a channel's spend, and keep an order so that its repeat is recognised."""
    if event.type == "order_completed" and event.order is not None:
        id_hash = hash_64(event.order.order_id)
        if find_order(profile, id_hash) is not None:
            at.effects.count("orders_repeated")
            return profile
        profile = place_order(profile, PlacedOrder(event.time_ms, 0, 0, id_hash))
        at.effects.count("guest_orders", event.time_ms)
        count_order(event, at)
    elif event.type in {"order_refunded", "order_cancelled"} and event.order is not None:
        at.effects.count("refunds", event.time_ms)
        at.effects.count("refunds_minor", event.time_ms, event.order.total_minor)
    elif event.spend is not None:
        at.effects.count("spend_minor", event.time_ms, event.spend.total_minor, f"channel={event.channel or 'unknown'}")
    return msgspec.structs.replace(profile, first_ms=event.time_ms, expires_ms=at.now_ms + GUEST_KEPT_MS)
