"""Links: a device's profile goes whole to its user, and an address knows its profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_3, Absorbed, AddressConsent
from streams.attribution.ledger import merged
from streams.attribution.slices import with_fitting_conversions, with_merged
from streams.flows.runtime.pending import (
    Ending,
    bounded,
    without_dispatched,
    without_ended,
    without_unmet,
    without_withdrawn,
)
from streams.flows.runtime.rooms import with_runs_that_fit
from streams.flows.runtime.runner import end_lost_to_merge, with_restarted_waits, without_ended_by
from streams.fold.crediting import with_credit_due
from streams.fold.identifying import link_address, linked_to
from streams.fold.ordering import count_united_orders, with_cart_ordered
from streams.fold.scoring import publish_changes, rescored, withdraw
from streams.profiles.bounds import within_limits
from streams.profiles.codec import encode_profile
from streams.profiles.effects import hash_64
from streams.profiles.identity import PROFILES_OF_AN_ADDRESS_MAX, emptied, forward_target, united
from streams.profiles.keys import USER, is_user
from streams.profiles.orders import acting_of
from streams.profiles.profile import EMPTY, Profile
from streams.profiles.sessions import united_sessions
from streams.profiles.timed_cart import current, first_add_ms, has_ended
from streams.profiles.upgrading import lowered, upgraded

if TYPE_CHECKING:
    from schemas.journal import Link
    from streams.fold.moment import FoldMoment
    from streams.profiles.profile import PlacedOrder, Session

_ORDERED = "order_completed"
_replace = msgspec.structs.replace


def fold_device_link(profile: Profile, link: Link, at: FoldMoment) -> Profile:
    """Send a device's profile to the user that it was linked to, and return what stays: links and clock."""
    before = profile
    profile = _replace(profile, linked=linked_to(profile.linked, link.target, at))
    if forward_target(at.customer, profile) != link.target:
        publish_changes(before, profile, at)
        return profile
    if profile.pending:
        profile = without_dispatched(profile, at)
    kept = emptied(profile)
    if profile != kept:
        withdraw(before, at)
        body = encode_profile(_replace(profile, wake_ms=0, linked=()))
        absorbed = Absorbed(source=at.customer, profile=body, time_ms=profile.clock_ms)
        at.effects.append(link.target, absorbed)
    return kept


def fold_address_link(profile: Profile, link: Link, at: FoldMoment) -> Profile:
    """Link one more profile to an address, and send it the address's consents."""
    for item in profile.consents:
        statement = AddressConsent(channel=item.channel, granted=item.granted, time_ms=item.time_ms, cause=link.cause)
        at.effects.append(link.target, statement)
    return _replace(profile, linked=linked_to(profile.linked, link.target, at, PROFILES_OF_AN_ADDRESS_MAX))


def fold_absorbed(profile: Profile, device: Profile, source: str, at: FoldMoment) -> Profile:
    """Return the user's profile united with the device's; what both had counted leaves the facts once."""
    device = lowered(device, at.rules)
    if at.rules > 1:
        device = with_fitting_conversions(upgraded(within_limits(device, at.rules), at.rules), at)
    before = profile
    by_user, by_device = _after_orders(profile, device, at), _after_orders(device, profile, at)
    profile, in_both, lost = united(by_user, by_device, source, at.rules)
    if at.rules < RULES_3:
        _count_orders_once(before, device, in_both, at)
    else:
        profile = _replace(profile, cart=current(profile.cart, at.now_ms))
    if by_user.cart is not None and by_device.cart is not None:
        at.effects.count("carts_opened", max(by_user.cart.opened_ms, by_device.cart.opened_ms), -1)
    for run in lost:
        end_lost_to_merge(run, at)
    if at.rules > 1:
        states = count_united_orders(before, device, at) if at.rules >= RULES_3 else None
        profile = within_limits(with_merged(profile, before, device, at, states), at.rules)
        profile = with_credit_due(before, with_runs_that_fit(profile, at), at)
    else:
        touches, conversions = merged(before, device, at)
        profile = _replace(profile, touches=touches, conversions=conversions)
    runs = with_restarted_waits(profile.runs, lost, at.known.flows, at.customer)
    sessions = _count_sessions_once(before, device, at)
    profile = _replace(profile, runs=runs, sessions=sessions)
    if before is EMPTY and profile.user_id is None and is_user(at.customer):
        profile = _replace(profile, user_id=at.customer.removeprefix(USER))
    if profile.email_hash is not None:
        profile = _replace(profile, linked=link_address(profile.linked, profile.email_hash, profile.consents, at))
    if profile.pending:
        profile = without_withdrawn(profile, (*before.consents, *device.consents), at)
        profile = bounded(profile, at)
    profile = rescored(profile, at)
    profile = without_unmet(profile, at.now_ms, at.known.flows, at)
    publish_changes(before, profile, at)
    return profile


def _count_orders_once(user: Profile, device: Profile, in_both: tuple[PlacedOrder, ...], at: FoldMoment) -> None:
    """Take out of the facts what both had counted: orders in both profiles, and one of two first orders."""
    conversions = {hash_64(item.order_id): item for item in device.conversions}
    for order in in_both:
        conversion = conversions.get(order.id_hash)
        foreign = conversion is not None and conversion.currency != at.settings.reporting_currency
        at.effects.count("orders", order.time_ms, -1)
        if conversion is not None and foreign:
            by = f"currency={conversion.currency}"
            at.effects.count("revenue_minor", order.time_ms, -conversion.value_minor, by)
        else:
            at.effects.count("revenue_minor", order.time_ms, -order.total_minor)
    if user.orders and device.orders:
        later_ms = max(user.orders[0].time_ms, device.orders[0].time_ms)
        at.effects.count("new_customers", later_ms, -1)


def _count_sessions_once(user: Profile, device: Profile, at: FoldMoment) -> tuple[Session, ...]:
    """Return the sessions of both profiles; the later count of a session in both leaves the facts."""
    sessions, in_both = united_sessions(user.sessions, device.sessions)
    for one in in_both:
        at.effects.count("sessions", one.time_ms, -1)
        if one.ordered_ms:
            at.effects.count("sessions_ordered", one.ordered_ms, -1)
    return sessions


def _after_orders(profile: Profile, other: Profile, at: FoldMoment) -> Profile:
    """End the cart and the candidates that orders of the other profile would have ended in this one.

    A customer who logs in on the way to the checkout fills the cart as a device and orders as a user.
    """
    orders, flows = other.orders, at.known.flows
    if at.rules >= RULES_3:
        known = {order.id_hash for order in profile.orders}
        orders = tuple([order for order in orders if order.id_hash not in known])
        profile = _without_ended_cart(profile, other)
    if orders:
        profile = _without_ordered_cart(profile, orders, at)
    endings = [(_ORDERED, order.time_ms) for order in orders]
    endings += acting_of(other)
    runs = profile.runs
    for event_type, time_ms in dict(endings).items():
        runs = without_ended_by(runs, event_type, time_ms, flows, at)
    for event_type, time_ms in endings if profile.pending else ():
        profile = without_ended(profile, Ending(event_type, time_ms, time_ms), flows, at)
    return profile if runs is profile.runs else _replace(profile, runs=runs)


def _without_ended_cart(profile: Profile, other: Profile) -> Profile:
    if profile.cart is None or other.cart is None or not has_ended(profile.cart, first_add_ms(other.cart)):
        return profile
    return _replace(profile, cart=None)


def _without_ordered_cart(profile: Profile, orders: tuple[PlacedOrder, ...], at: FoldMoment) -> Profile:
    cart, last_ms = profile.cart, orders[-1].time_ms
    if at.rules >= RULES_3:
        return with_cart_ordered(profile, last_ms, at)
    if cart is None or cart.added_ms > last_ms:
        return profile
    order_ms = next(order.time_ms for order in orders if order.time_ms >= cart.added_ms)
    at.effects.count("carts_ordered", order_ms)
    return _replace(profile, cart=None)


def raised(profile: Profile, at: FoldMoment) -> Profile:
    """Return a profile that earlier rules bounded as these do: flows and messages beyond the limits end now."""
    profile = with_runs_that_fit(upgraded(within_limits(profile, at.rules), at.rules), at)
    return with_fitting_conversions(bounded(profile, at), at)
