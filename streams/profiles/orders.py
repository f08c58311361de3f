"""A customer's orders, each id once, with their refunds and the sums of the window."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from schemas.limits import as_long
from streams.profiles.profile import ORDERS_MAX, Adjustment, OrderMonth, PlacedOrder, Profile


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
    """Return whether an order came after that time, so that what happened then was part of the way to it."""
    return bool(profile.orders) and profile.orders[-1].time_ms > time_ms


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


def bounded(profile: Profile) -> Profile:
    """Move orders beyond the newest ORDERS_MAX into month buckets."""
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
    return msgspec.structs.replace(profile, orders=profile.orders[-ORDERS_MAX:], months=kept)


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
    for adjustment in profile.adjustments:
        if adjustment.time_ms > since_ms:
            minor -= adjustment.minor
            leaves_ms = min(leaves_ms or adjustment.time_ms + window_ms, adjustment.time_ms + window_ms)
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
