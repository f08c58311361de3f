"""Links: a device's profile goes whole to its user, and an address knows its profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_3, RULES_4, Absorbed, AddressConsent, Unlink
from streams.attribution.ledger import merged
from streams.attribution.slices import with_fitting_conversions, with_merged
from streams.flows.runtime.ending import end_lost_to_merge, without_ended_by
from streams.flows.runtime.moving import decided_again, with_restarted_waits, without_dispatched
from streams.flows.runtime.pending import (
    Ending,
    bounded,
    without_ended,
    without_unmet,
    without_withdrawn,
)
from streams.flows.runtime.rooms import with_runs_that_fit
from streams.fold.addressing import answer_link
from streams.fold.consenting import with_addresses_of
from streams.fold.crediting import with_credit_due
from streams.fold.granting import ask_who_has, with_profile
from streams.fold.identifying import link_address, linked_to
from streams.fold.joining import joined_again, joined_since
from streams.fold.ordering import count_united_orders, with_cart_ordered
from streams.fold.owning import tell_moved
from streams.fold.scoring import publish_changes, rescored, withdraw
from streams.profiles.bounds import within_limits
from streams.profiles.claims import with_ids_united
from streams.profiles.codec import encode_profile
from streams.profiles.effects import hash_64
from streams.profiles.identity import emptied, united
from streams.profiles.keys import USER, is_address, is_user
from streams.profiles.links import (
    PROFILES_OF_AN_ADDRESS_MAX,
    forward_target,
    freed_ms,
    is_shared,
    used_after_ms,
    with_earlier_link,
    with_profile_linked,
)
from streams.profiles.orders import acting_of
from streams.profiles.profile import EMPTY, Profile
from streams.profiles.rfm import segment_of
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
    """Send a device's profile to the user that it was linked to, and return what stays: links and clock.

    From rules 4 on a link from before a logout does not tie the device again. What it then holds goes to the user only
    if nothing came in since the first logout after the link, because a profile cannot be divided. What a shared device
    holds stays there.
    """
    before, freed_at_ms = profile, freed_ms(profile.linked)
    if freed_at_ms >= 0 and link.time_ms <= freed_at_ms:
        profile = _replace(profile, linked=with_earlier_link(profile.linked, link.target))
        is_theirs = profile.clock_ms <= freed_at_ms and used_after_ms(profile.linked) < link.time_ms
        if is_theirs and not is_shared(profile.linked):
            return handed_over(profile, link.target, at)
        publish_changes(before, profile, at)
        return profile
    profile = _replace(profile, linked=linked_to(profile.linked, link.target, at))
    if forward_target(at.customer, profile) != link.target:
        publish_changes(before, profile, at)
        return profile
    return handed_over(profile, link.target, at)


def handed_over(profile: Profile, target: str, at: FoldMoment) -> Profile:
    """Send a device's profile whole to a user, and return what stays of it: links and clock."""
    before = profile
    if profile.pending:
        profile = without_dispatched(profile, at)
    kept = emptied(profile)
    if profile != kept:
        withdraw(before, at)
        body = encode_profile(_replace(profile, wake_ms=0, linked=()))
        at.effects.append(target, Absorbed(source=at.customer, profile=body, time_ms=profile.clock_ms))
        for key in profile.linked if at.rules >= RULES_4 else ():
            if is_address(key):
                at.effects.append(key, Unlink(at.customer, at.now_ms, at.cause, target))
    return kept


def fold_address_link(profile: Profile, link: Link, at: FoldMoment) -> Profile:
    """Link one more profile to an address, and send it the address's consents."""
    if at.rules >= RULES_4:
        answer_link(profile, link.target, at)
        return with_profile(profile, with_profile_linked(profile.linked, link.target), link.target, at)
    for item in profile.consents:
        statement = AddressConsent(channel=item.channel, granted=item.granted, time_ms=item.time_ms, cause=link.cause)
        at.effects.append(link.target, statement)
    return _replace(profile, linked=linked_to(profile.linked, link.target, at, PROFILES_OF_AN_ADDRESS_MAX))


def fold_absorbed(profile: Profile, device: Profile, source: str, at: FoldMoment) -> Profile:
    """Return the user's profile united with the device's; what both had counted leaves the facts once."""
    device = lowered(device, at.rules)
    if at.rules > 1:
        device = with_fitting_conversions(upgraded(within_limits(device, at.rules), at.rules), at)
    device = decided_again(device, source, at.known.flows, at)
    before = profile
    by_user, by_device = _after_orders(profile, device, at), _after_orders(device, profile, at)
    profile, in_both, lost = united(by_user, by_device, source, at.rules)
    if at.rules < RULES_3:
        _count_orders_once(before, device, in_both, at)
    else:
        profile = _replace(profile, cart=current(profile.cart, at.now_ms))
    if by_user.cart is not None and by_device.cart is not None:
        at.effects.count("carts_opened", max(by_user.cart.opened_ms, by_device.cart.opened_ms), -1)
    profile = _with_landing(profile, before, device)
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
    if profile.user_id is None and is_user(at.customer) and (before is EMPTY or is_user(source)):
        profile = _replace(profile, user_id=at.customer.removeprefix(USER))
    if at.rules >= RULES_4:
        profile = with_ids_united(profile)
        tell_moved(profile, device, source, at)
        if is_user(source):
            profile = _replace(profile, linked=joined_again(profile.linked, at))
    profile = _with_addresses(profile, before, device, source, at)
    if profile.pending:
        profile = bounded(profile, at)
    profile = rescored(profile, at)
    profile = without_unmet(profile, at.now_ms, at.known.flows, at)
    publish_changes(before, profile, at)
    return profile


def _with_landing(profile: Profile, before: Profile, device: Profile) -> Profile:
    """Return the united profile, which an import brings as long as it brings one of both."""
    if device.landing is None or profile.landing is not None:
        return profile
    return _replace(profile, landing=segment_of(before.score))


def _with_addresses(profile: Profile, before: Profile, device: Profile, source: str, at: FoldMoment) -> Profile:
    """Return the united profile with the addresses and statements of both."""
    if at.rules >= RULES_4:
        own = _replace(
            profile,
            consents=before.consents,
            email_hash=before.email_hash,
            email_ms=before.email_ms,
            mailboxes=before.mailboxes,
        )
        return with_addresses_of(own, device, source, at)
    if profile.email_hash is not None:
        profile = _replace(profile, linked=link_address(profile.linked, profile.email_hash, profile.consents, at))
    return without_withdrawn(profile, (*before.consents, *device.consents), at) if profile.pending else profile


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
    if profile.rules < RULES_4 <= at.rules:
        ask_who_has(profile, at)
    linked = joined_since(profile.linked, profile.rules, at)
    profile = profile if linked is profile.linked else _replace(profile, linked=linked)
    profile = with_runs_that_fit(upgraded(within_limits(profile, at.rules), at.rules), at)
    return with_fitting_conversions(bounded(profile, at), at)
