"""Folds orders, refunds and cancellations from rules 3 on: the end state is the same in any order of arrival.

Facts are those of `counts_of`, so their sums do not depend on the order of arrival either, by hour too. Three are not
corrected: an order that comes in late counts in `carts_ordered` only if it ends something, its visit counts in
`sessions_ordered` by what came in first, and `new_customers` stays though the first order is taken back.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from streams.attribution.settling import with_order_credit, write_matched
from streams.attribution.slices import with_order as with_order_credit_alone
from streams.profiles import timed_cart
from streams.profiles.bounds import bounded_months
from streams.profiles.contents import with_order_content
from streams.profiles.effects import hash_64
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
    change = change_of(event, at.settings.reporting_currency)
    if change is None or event.order is None:
        return profile, event.time_ms
    before = history_of(profile, change.order_hash)
    if not before and change.kind == COMPLETED and not change.currency:
        return _newly_ordered(profile, event, change, at), event.time_ms
    after = united_changes(before, (change,))
    state = state_of(after)
    is_new = state is not None and state_of(before) is None
    if change.kind == COMPLETED and not is_new:
        at.effects.count("orders_repeated")
    count_difference((before,), after, at)
    changed = within_months(with_history(profile, change.order_hash, after))
    count_first_order(profile, changed, at)
    if is_new:
        changed = _bought(changed, event, at)
    changed = with_order_credit(changed, event, event.order, (before, after), at)
    if is_new or change in acting(after):
        return changed, max(event.time_ms, state.first.time_ms) if state is not None else event.time_ms
    return changed, None


def _newly_ordered(profile: Profile, event: Touchpoint, change: OrderChange, at: FoldMoment) -> Profile:
    """Do the same for an order of which nothing is known, as nearly all are."""
    time_ms, minor = event.time_ms, change.minor
    at.effects.count("orders", time_ms)
    at.effects.count("revenue_minor", time_ms, minor)
    changed = within_months(place_order(profile, PlacedOrder(time_ms, minor, 0, change.order_hash)))
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
    histories = united_histories(user, device)
    states = {}
    for id_hash, both in histories.items():
        after = united_changes(*both)
        count_difference(both, after, at)
        state = state_of(after)
        if state is not None:
            states[id_hash] = state
    write_matched(user, device, histories, states, at)
    if user.orders and device.orders:
        at.effects.count("new_customers", max(user.orders[0].time_ms, device.orders[0].time_ms), -1)
    return states


def count_first_order(before: Profile, after: Profile, at: FoldMoment) -> None:
    """Count a new customer, who is no guest, at the time of the earliest order that the profile holds."""
    if is_entry(at.customer):
        return
    was_ms = before.orders[0].time_ms if before.orders else None
    is_ms = after.orders[0].time_ms if after.orders else None
    if before.months or after.months or is_ms is None or (was_ms is not None and was_ms <= is_ms):
        return
    if was_ms is not None:
        at.effects.count("new_customers", was_ms, -1)
    at.effects.count("new_customers", is_ms)


def _bought(profile: Profile, event: Touchpoint, at: FoldMoment) -> Profile:
    """Return the profile after a new order has ended what was in the cart until then."""
    profile = with_visit_ordered(profile, event, at)
    if at.known.flows.shows_orders:
        profile = with_order_content(profile, event)
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
