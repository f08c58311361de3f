"""Folds orders, refunds and cancellations by rules 1 and 2, where their order of arrival matters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.attribution.ledger import converted, refunded
from streams.attribution.slices import with_order as with_credited_order
from streams.attribution.slices import with_refund
from streams.fold.ordering import with_visit_ordered, within_months
from streams.profiles.effects import hash_64
from streams.profiles.order_change import Adjustment
from streams.profiles.orders import adjust, find_order, place_order, refund_order
from streams.profiles.profile import PlacedOrder, Profile

if TYPE_CHECKING:
    from schemas.touchpoint import Touchpoint
    from streams.fold.moment import FoldMoment

_replace = msgspec.structs.replace


def ordered(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    """Return the profile after an order."""
    order = event.order
    if order is None:
        return profile
    id_hash = hash_64(order.order_id)
    if find_order(profile, id_hash) is not None:
        at.effects.count("orders_repeated")
        return profile
    count_order(event, at)
    if not profile.orders and not profile.months:
        at.effects.count("new_customers", event.time_ms)
    profile = with_visit_ordered(profile, event, at)
    if profile.cart is not None:
        at.effects.count("carts_ordered", event.time_ms)
        profile = _replace(profile, cart=None)
    reporting = order.currency == at.settings.reporting_currency
    profile = place_order(profile, PlacedOrder(event.time_ms, order.total_minor if reporting else 0, 0, id_hash))
    if at.rules > 1:
        return with_credited_order(within_months(profile), event, at)
    return _replace(profile, conversions=converted(profile, event, at))


def count_order(event: Touchpoint, at: FoldMoment) -> None:
    """Add an order to the facts of its hour, in the reporting currency or under its own."""
    order = event.order
    if order is None:
        return
    at.effects.count("orders", event.time_ms)
    by = "" if order.currency == at.settings.reporting_currency else f"currency={order.currency}"
    at.effects.count("revenue_minor", event.time_ms, order.total_minor, by)


def taken_back(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    """Return the profile after a refund or a cancellation."""
    order = event.order
    if order is None:
        return profile
    reporting = order.currency == at.settings.reporting_currency
    by = "" if reporting else f"currency={order.currency}"
    placed = find_order(profile, hash_64(order.order_id))
    refund = order.total_minor
    if event.type == "order_cancelled" and placed is not None and reporting:
        refund = placed.total_minor - placed.refunded_minor
    at.effects.count("refunds", event.time_ms)
    at.effects.count("refunds_minor", event.time_ms, refund, by)
    if placed is not None and reporting:
        profile, _ = refund_order(profile, placed.id_hash, refund)
    elif reporting:
        profile = adjust(profile, Adjustment(event.time_ms, refund, hash_64(event.event_id)))
    if at.rules > 1:
        return with_refund(profile, event, refund, at)
    return _replace(profile, conversions=refunded(profile, event, refund, at))
