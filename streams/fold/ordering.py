"""Folds orders, refunds and cancellations from rules 3 on: the end state is the same in any order of arrival.

Facts are those of `counts_of`, so their sums do not depend on the order of arrival either, by hour too. Three are not
corrected: an order that comes in late counts in `carts_ordered` only if it ends something, its visit counts in
`sessions_ordered` by what came in first, and `new_customers` stays though the first order is taken back.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_4
from streams.attribution.settling import with_order_credit, write_matched
from streams.attribution.slices import with_order as with_order_credit_alone
from streams.profiles import timed_cart
from streams.profiles.bounds import bounded_months
from streams.profiles.claims import with_id_noted
from streams.profiles.contents import with_order_content
from streams.profiles.effects import hash_64, signed_64
from streams.profiles.keys import is_entry
from streams.profiles.order_changes import (
    COMPLETED,
    OrderState,
    acting,
    change_of,
    counts_of,
    state_of,
    united_changes,
)
from streams.profiles.orders import history_of, place_order, united_histories, with_history
from streams.profiles.profile import PlacedOrder
from streams.profiles.seen import event_hash
from streams.profiles.sessions import with_order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.touchpoint import Touchpoint
    from streams.fold.moment import FoldMoment
    from streams.profiles.order_change import OrderChange
    from streams.profiles.order_changes import Changes
    from streams.profiles.profile import Profile

_replace = msgspec.structs.replace


def with_order_event(profile: Profile, event: Touchpoint, at: FoldMoment) -> tuple[Profile, int | None]:
    """Return the profile after an event of an order, and when it acts on carts and flows; None: it does not.

    A completion acts if the order is new, and what takes back an order if something was left. As clocks differ, what
    takes back an order acts at the order's time at the earliest.
    """
    change = change_of(event, at.settings.reporting_currency, at.rules)
    if change is None or event.order is None:
        return profile, event.time_ms
    before = history_of(profile, change.order_hash)
    if at.rules >= RULES_4:
        change = of_its_source(change, event, before, at)
    if not before and change.kind == COMPLETED and not change.currency:
        return _newly_ordered(profile, event, change, at), event.time_ms
    after = united_changes(before, (change,))
    state = state_of(after)
    is_new = state is not None and state_of(before) is None
    if change.kind == COMPLETED and not is_new:
        at.effects.count("orders_repeated")
    count_difference((before,), after, at)
    changed = within_months(with_history(profile, change.order_hash, after))
    if at.rules >= RULES_4:
        changed = with_id_noted(changed, event.order.order_id, after)
    count_first_order(profile, changed, at)
    if is_new:
        changed = _bought(changed, event, at)
    changed = with_order_credit(changed, event, event.order, (before, after), at)
    if is_new or change in acting(after):
        return changed, max(event.time_ms, state.first.time_ms) if state is not None else event.time_ms
    return changed, None


def of_its_source(change: OrderChange, event: Touchpoint, known: Changes, at: FoldMoment) -> OrderChange:
    """Return a change with the hash of its event's source and id, unless earlier rules keep it by the id alone."""
    servers = at.settings.server_sources
    is_browser = bool(servers) and event.source not in servers
    if change.kind == COMPLETED:
        return _replace(change, is_browser=True) if is_browser else change
    if change in known:
        return change
    id_hash = signed_64(event_hash(event.event_id, event.source)) if event.source else change.id_hash
    return _replace(change, id_hash=id_hash, is_browser=is_browser)


def _newly_ordered(profile: Profile, event: Touchpoint, change: OrderChange, at: FoldMoment) -> Profile:
    """Do the same for an order of which nothing is known, as nearly all are."""
    time_ms, minor = event.time_ms, change.minor
    at.effects.count("orders", time_ms)
    at.effects.count("revenue_minor", time_ms, minor)
    changed = within_months(place_order(profile, PlacedOrder(time_ms, minor, 0, change.order_hash, change.is_browser)))
    count_first_order(profile, changed, at)
    return with_order_credit_alone(_bought(changed, event, at), event, at)


def within_months(profile: Profile) -> Profile:
    """Return the profile with as many months of older orders as it may have."""
    months = bounded_months(profile.months)
    return profile if months is profile.months else _replace(profile, months=months)


def is_repeat(profile: Profile, event: Touchpoint) -> bool:
    """Return whether an event completes an order that is known already."""
    if event.type != "order_completed" or event.order is None:
        return False
    return state_of(history_of(profile, hash_64(event.order.order_id))) is not None


def count_difference(counted: Iterable[Changes], after: Changes, at: FoldMoment) -> None:
    """Count what changes in the facts of an order that one profile or two profiles of a merge had counted."""
    found: Counter[tuple[str, int, str]] = Counter()
    for name, time_ms, value, currency in counts_of(after):
        found[name, time_ms, currency] += value
    for before in counted:
        for name, time_ms, value, currency in counts_of(before):
            found[name, time_ms, currency] -= value
    for (name, time_ms, currency), value in found.items():
        if value:
            at.effects.count(name, time_ms, value, f"currency={currency}" if currency else "")


def count_united_orders(user: Profile, device: Profile, at: FoldMoment) -> dict[int, OrderState]:
    """Take out of facts and ledger what two profiles of a merge both had counted, or did not know of each other.

    Return by hash the states of the orders that both have, or that were not only completed.
    """
    histories = united_histories(user, device, _in_both_ledgers(user, device) if at.rules >= RULES_4 else ())
    states = {}
    for id_hash, both in histories.items():
        after = united_changes(*both)
        count_difference(both, after, at)
        state = state_of(after)
        if state is not None:
            states[id_hash] = state
    write_matched(user, device, histories, states, at)
    if user.orders and device.orders:
        _count_first_of_both(user, device, states, at)
    return states


def _count_first_of_both(user: Profile, device: Profile, states: dict[int, OrderState], at: FoldMoment) -> None:
    """Count one new customer instead of two; a server's time of the first order may be later than a browser's."""
    placed = {order.id_hash: order.time_ms for order in (*user.orders, *device.orders)}
    placed.update({id_hash: state.first.time_ms for id_hash, state in states.items()})
    found = Counter([min(placed.values())])
    found.subtract([user.orders[0].time_ms, device.orders[0].time_ms])
    for time_ms, value in found.items():
        if value:
            at.effects.count("new_customers", time_ms, value)


def _in_both_ledgers(user: Profile, device: Profile) -> set[int]:
    """Return by hash the orders that are open in both; one that is not a profile's own is worth nothing there."""
    both = {each.order_id for each in user.conversions} & {each.order_id for each in device.conversions}
    return {hash_64(order_id) for order_id in both}


def count_first_order(before: Profile, after: Profile, at: FoldMoment) -> None:
    """Count a new customer at the time of the earliest order that the profile holds, and a guest's orders apart."""
    if is_entry(at.customer):
        if at.rules >= RULES_4:
            _count_guest_orders(before, after, at)
        return
    was_ms = before.orders[0].time_ms if before.orders else None
    is_ms = after.orders[0].time_ms if after.orders else None
    if before.months or after.months or was_ms == is_ms:
        return
    if was_ms is not None:
        at.effects.count("new_customers", was_ms, -1)
    if is_ms is not None:
        at.effects.count("new_customers", is_ms)


def _count_guest_orders(before: Profile, after: Profile, at: FoldMoment) -> None:
    """Count the orders of a guest's key, which are more than one only if two shops gave them the same id."""
    if before.orders is after.orders:
        return
    found = Counter([order.time_ms for order in after.orders])
    found.subtract([order.time_ms for order in before.orders])
    for time_ms, value in found.items():
        if value:
            at.effects.count("guest_orders", time_ms, value)


def _bought(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    """Return the profile after a new order has ended what was in the cart until then."""
    profile = with_visit_ordered(profile, event, at)
    if at.known.flows.shows_orders:
        profile = with_order_content(profile, event, at.settings)
    return with_cart_ordered(profile, event.time_ms, at)


def with_visit_ordered(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    """Return the profile after a new order of a visit, which counts as one with an order once."""
    if event.session_id is None:
        return profile
    sessions = with_order(profile.sessions, hash_64(event.session_id), event.time_ms)
    if sessions is profile.sessions:
        return profile
    at.effects.count("sessions_ordered", event.time_ms)
    return _replace(profile, sessions=sessions)


def with_cart_ordered(profile: Profile, order_ms: int, at: FoldMoment) -> Profile:
    """Return the profile without what was in the cart when an order was placed."""
    cart = timed_cart.after_order(profile.cart, order_ms)
    if cart is profile.cart:
        return profile
    at.effects.count("carts_ordered", order_ms)
    if cart is not None:
        at.effects.count("carts_opened", cart.opened_ms)
    return _replace(profile, cart=cart)
