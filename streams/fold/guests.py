"""Keys without a public profile: a guest's order, a channel's spend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_3, RULES_4
from schemas.units import DAY_MS
from streams.attribution.slices import with_late_touch
from streams.attribution.touches import add_touch, touch_of
from streams.fold.addressing import tell_order
from streams.fold.earlier_orders import count_order
from streams.fold.ordering import with_order_event
from streams.fold.owning import ENTRY_KEPT_MS, tell
from streams.profiles.bounds import bounded_touches
from streams.profiles.effects import hash_64, signed_64
from streams.profiles.order_changes import KINDS
from streams.profiles.orders import find_order, place_order
from streams.profiles.profile import PlacedOrder, Profile

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.fold.moment import FoldMoment
    from streams.fold.touchpoints import Arrival

GUEST_KEPT_MS = 7 * DAY_MS


def fold_entry(profile: Profile, arrival: Arrival, at: FoldMoment) -> Profile:
    """Count a guest's order or a channel's spend, and keep an order so that its repeat is recognised."""
    event = arrival.event
    if at.rules < RULES_3:
        return _by_earlier_rules(profile, event, at)
    if event.order is not None:
        profile = _with_order(profile, arrival, at)
        if event.email_hash is not None and event.type == "order_completed" and at.rules >= RULES_4:
            tell_order(event.email_hash, event.time_ms, arrival.received_ms, at)
    elif event.spend is not None:
        currency = event.spend.currency
        by = "" if currency == at.settings.reporting_currency else f"currency={currency},"
        # the channel comes last, as it may be any text
        by += f"channel={event.channel or 'unknown'}"
        at.effects.count("spend_minor", event.time_ms, event.spend.total_minor, by)
    return _kept(profile, event, at)


def _kept(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    kept_ms = GUEST_KEPT_MS if at.rules < RULES_4 or event.order is None else ENTRY_KEPT_MS
    expires_ms = at.now_ms + kept_ms
    if profile.order_entry is not None:
        expires_ms = max(profile.expires_ms, expires_ms)
    return msgspec.structs.replace(profile, first_ms=event.time_ms, expires_ms=expires_ms)


def _with_order(profile: Profile, arrival: Arrival, at: FoldMoment) -> Profile:
    """Fold an order as a customer's: it has the touches that its own touchpoints are."""
    event = arrival.event
    session_hash = hash_64(event.session_id) if event.session_id else 0
    touch = touch_of(event, signed_64(arrival.digest), session_hash)
    touches = profile.touches if touch is None else add_touch(profile.touches, touch, at.now_ms)
    if touch is not None and touches is not profile.touches:
        profile = msgspec.structs.replace(profile, touches=bounded_touches(touches))
        profile = with_late_touch(profile, touch, at)
    if event.type not in KINDS:
        return profile
    is_known = bool(profile.orders)
    profile, _ = with_order_event(profile, event, at)
    if at.rules >= RULES_4:
        tell(profile, event, at)
    elif profile.orders and not is_known:
        at.effects.count("guest_orders", profile.orders[0].time_ms)
    return profile


def _by_earlier_rules(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
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
    return _kept(profile, event, at)
