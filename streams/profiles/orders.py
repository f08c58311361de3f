"""A customer's orders, each id once, with their refunds and the sums of the window."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from schemas.journal import RULES_3
from schemas.limits import as_long
from streams.profiles.effects import hash_64
from streams.profiles.order_change import Adjustment, OrderChange
from streams.profiles.order_changes import (
    COMPLETED,
    TAKING_BACK,
    TYPES,
    acting,
    beyond,
    is_plain,
    placed_by,
    state_of,
    united_changes,
    unmatched_minor,
    with_own,
)
from streams.profiles.profile import ORDERS_MAX, OrderMonth, PlacedOrder, Profile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.profiles.order_changes import Changes


class WindowSums(NamedTuple):
    """Orders inside the window that ends now, without those that are fully refunded."""

    orders: int
    minor: int
    """Their sum less refunds, or the long that is nearest to it."""
    last_ms: int
    """Time of the last order that counts, of any age; 0: none."""
    leaves_ms: int
    """When the next order, refund or month leaves the window; 0: never."""


def find_order(profile: Profile, id_hash: int) -> PlacedOrder | None:
    """Return the order whose id has this hash; None: the profile does not hold it."""
    for order in reversed(profile.orders):
        if order.id_hash == id_hash:
            return order
    return None


def was_ordered_since(profile: Profile, time_ms: int) -> bool:
    """Return whether an order came after that time, so that what happened then was part of the way to it.

    From RULES_3 on also one of the same time, which imports may round to a minute.
    """
    if not profile.orders:
        return False
    last_ms = profile.orders[-1].time_ms
    return last_ms > time_ms or (last_ms == time_ms and profile.rules >= RULES_3)


def place_order(profile: Profile, order: PlacedOrder) -> Profile:
    """Add an order, whose id must be new."""
    orders = profile.orders
    if not orders or (orders[-1].time_ms, orders[-1].id_hash) < (order.time_ms, order.id_hash):
        orders = (*orders, order)
    else:
        orders = tuple(sorted((*orders, order), key=_by_time))
    return bounded(msgspec.structs.replace(profile, orders=orders))


def refund_order(profile: Profile, id_hash: int, refund_minor: int) -> tuple[Profile, int]:
    """Refund an order by at most what is left of it; return the profile and the amount refunded."""
    refunded = 0
    orders = []
    for order in profile.orders:
        if order.id_hash == id_hash:
            refunded = min(refund_minor, order.total_minor - order.refunded_minor)
            orders.append(msgspec.structs.replace(order, refunded_minor=order.refunded_minor + refunded))
        else:
            orders.append(order)
    return msgspec.structs.replace(profile, orders=tuple(orders)), refunded


def adjust(profile: Profile, adjustment: Adjustment) -> Profile:
    """Add a refund that matches no order."""
    adjustments = tuple(sorted((*profile.adjustments, adjustment), key=_by_time))[-ORDERS_MAX:]
    return msgspec.structs.replace(profile, adjustments=adjustments)


def history_of(profile: Profile, id_hash: int) -> Changes:
    """Return all that the profile knows of the order whose id has this hash."""
    known = profile.changes
    changes = tuple([change for change in known if change.order_hash == id_hash]) if known else ()
    return _with_own(profile, find_order(profile, id_hash), changes)


def _with_own(profile: Profile, order: PlacedOrder | None, changes: Changes) -> Changes:
    """Return the changes of an order with its completion.

    Of one in another currency, whose completion earlier rules did not keep, an open conversion knows what is left.
    """
    if order is not None and not order.total_minor and not any(change.kind == COMPLETED for change in changes):
        is_browser, id_hash = order.is_browser, order.id_hash
        for each in profile.conversions:
            if each.time_ms == order.time_ms and each.value_minor and hash_64(each.order_id) == id_hash:
                own = OrderChange(each.time_ms, 0, id_hash, each.value_minor, COMPLETED, each.currency, is_browser)
                return own, *changes
    return with_own(order, changes)


def with_history(profile: Profile, id_hash: int, history: Changes) -> Profile:
    """Return the profile in which all of this happened to an order; `orders` is the same object if it does not change.

    Beyond ORDERS_MAX the oldest changes go. An order that loses one stays as it is, as if it was settled then.
    """
    state, kept = state_of(history), () if is_plain(history) else history
    if state is not None:
        placed, before = placed_by(state), find_order(profile, id_hash)
        if before is not None and before != placed:
            others = tuple([order for order in profile.orders if order is not before])
            profile = msgspec.structs.replace(profile, orders=others)
        if before != placed:
            profile = place_order(profile, placed)
            if find_order(profile, id_hash) is None:
                kept = ()  # it is so old that only its month keeps it
    if kept or profile.changes:
        changes = [change for change in profile.changes if change.order_hash != id_hash]
        profile = with_changes(profile, (*changes, *kept))
    return profile


def with_changes(profile: Profile, changes: Changes) -> Profile:
    """Return the profile with the newest ORDERS_MAX of these changes."""
    kept = united_changes(changes)
    while len(kept) > ORDERS_MAX:
        oldest = kept[0]
        if find_order(profile, oldest.order_hash) is None:
            kept = kept[1:]
        else:
            kept = tuple([change for change in kept if change.order_hash != oldest.order_hash])
    return msgspec.structs.replace(profile, changes=kept)


def histories_of(profile: Profile, id_hashes: Iterable[int]) -> dict[int, Changes]:
    """Return by hash what the profile knows of each of these orders."""
    changes: dict[int, list[OrderChange]] = {}
    for change in profile.changes:
        changes.setdefault(change.order_hash, []).append(change)
    orders = {order.id_hash: order for order in profile.orders}
    return {each: _with_own(profile, orders.get(each), tuple(changes.get(each, ()))) for each in id_hashes}


def acting_of(profile: Profile) -> list[tuple[str, int]]:
    """Return (type, time) of the refunds and cancellations that did something, by time for each type."""
    acted = united_changes(*map(acting, histories_of(profile, {each.order_hash for each in profile.changes}).values()))
    return [(name, each.time_ms) for name in TAKING_BACK for each in acted if TYPES.get(each.kind) == name]


def united_histories(one: Profile, other: Profile, also: Iterable[int] = ()) -> dict[int, tuple[Changes, Changes]]:
    """Return by hash what each profile knows of `also`, and of orders that both have or that were taken back."""
    found = {order.id_hash for order in one.orders} & {order.id_hash for order in other.orders}
    found |= {change.order_hash for change in (*one.changes, *other.changes)}
    found.update(also)
    ordered = sorted(found)
    by_one, by_other = histories_of(one, ordered), histories_of(other, ordered)
    return {each: (by_one[each], by_other[each]) for each in ordered}


def with_united_orders(profile: Profile, one: Profile, other: Profile) -> Profile:
    """Return the united profile with the orders of both, as if all had happened to one customer."""
    orders = {order.id_hash: order for order in (*one.orders, *other.orders)}
    changes: list[OrderChange] = []
    for id_hash, histories in united_histories(one, other).items():
        history = united_changes(*histories)
        state = state_of(history)
        if state is not None:
            orders[id_hash] = placed_by(state)
        if not is_plain(history):
            changes += history
    listed = tuple(sorted(orders.values(), key=_by_time))
    return bounded(with_changes(msgspec.structs.replace(profile, orders=listed), tuple(changes)))


def unmatched(profile: Profile) -> list[tuple[int, int]]:
    """Return (time, amount) of what was refunded beyond an order, or of none that the profile holds."""
    found = [(adjustment.time_ms, adjustment.minor) for adjustment in profile.adjustments]
    if not profile.changes:
        return found
    found += [(change.time_ms, change.minor) for change in refunds_of_none(profile)]
    hashes = {order.id_hash for order in profile.orders}
    known = dict.fromkeys([change.order_hash for change in profile.changes if change.order_hash in hashes])
    for history in histories_of(profile, known).values():
        state = state_of(history)
        if state is not None and not state.first.currency:
            found += [(change.time_ms, minor) for change, minor in beyond(state).items()]
    return found


def refunds_of_none(profile: Profile) -> list[OrderChange]:
    """Return what lowers the spend while its order is not known."""
    hashes = {order.id_hash for order in profile.orders}
    return [change for change in profile.changes if change.order_hash not in hashes and unmatched_minor(change)]


def orders_that_count(profile: Profile) -> int:
    """Return how many orders were not taken back whole; under rules 1 and 2 all count, except of a month."""
    orders = profile.orders
    if profile.rules >= RULES_3:
        orders = tuple([order for order in orders if order.counts])
    return len(orders) + sum([month.orders for month in profile.months])


def bounded(profile: Profile) -> Profile:
    """Move orders beyond the newest ORDERS_MAX into month buckets; what happens to them later matches none."""
    if len(profile.orders) <= ORDERS_MAX:
        return profile
    months = {month.end_ms: month for month in profile.months}
    for order in profile.orders[:-ORDERS_MAX]:
        if not order.counts:
            continue
        end_ms = _month_end(order.time_ms)
        month = months.get(end_ms, OrderMonth(end_ms, 0, 0))
        minor = as_long(month.minor + order.total_minor - order.refunded_minor)
        months[end_ms] = OrderMonth(end_ms, month.orders + 1, minor)
    kept = tuple(months[end_ms] for end_ms in sorted(months))
    moved = {order.id_hash for order in profile.orders[:-ORDERS_MAX]}
    changes = tuple([change for change in profile.changes if change.order_hash not in moved])
    return msgspec.structs.replace(profile, orders=profile.orders[-ORDERS_MAX:], months=kept, changes=changes)


def is_worth_changed(before: Profile, after: Profile) -> bool:
    """Return whether orders or what was taken back may differ; False is certain."""
    return (
        before.orders is not after.orders
        or before.changes is not after.changes
        or before.adjustments is not after.adjustments
    )


def window_sums(profile: Profile, now_ms: int, window_ms: int) -> WindowSums:
    """Sum the orders with now - window < time; a month bucket counts until its end has left the window."""
    since_ms = now_ms - window_ms
    count = minor = last_ms = 0
    leaves_ms = 0
    for order in profile.orders:
        if not order.counts:
            continue
        last_ms = max(last_ms, order.time_ms)
        if order.time_ms > since_ms:
            count += 1
            minor += order.total_minor - order.refunded_minor
            leaves_ms = leaves_ms or order.time_ms + window_ms
    for month in profile.months:
        if month.end_ms > since_ms:
            count += month.orders
            minor += month.minor
            leaves_ms = min(leaves_ms or month.end_ms + window_ms, month.end_ms + window_ms)
    for time_ms, refund_minor in unmatched(profile):
        if time_ms > since_ms:
            minor -= refund_minor
            leaves_ms = min(leaves_ms or time_ms + window_ms, time_ms + window_ms)
    return WindowSums(count, as_long(minor), last_ms, leaves_ms)


def mean_gap_ms(profile: Profile) -> int:
    """Return the mean time between orders that count; 0 with fewer than two."""
    times = [order.time_ms for order in profile.orders if order.counts]
    return (times[-1] - times[0]) // (len(times) - 1) if len(times) > 1 else 0


def first_order_ms(profile: Profile) -> int | None:
    """Return the time of the first order that counts and is not in a month bucket; None: there is none."""
    for order in profile.orders:
        if order.counts:
            return order.time_ms
    return None


def last_order_ms(profile: Profile) -> int | None:
    """Return the time of the last order that counts; None: there is none."""
    for order in reversed(profile.orders):
        if order.counts:
            return order.time_ms
    return None


def _by_time(item: PlacedOrder | Adjustment) -> tuple[int, int]:
    return item.time_ms, item.id_hash


def _month_end(time_ms: int) -> int:
    """Return the last ms of the calendar month (UTC) of a time."""
    day = datetime.fromtimestamp(time_ms // 1000, UTC)
    year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)  # noqa: PLR2004 - December
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1000 - 1
