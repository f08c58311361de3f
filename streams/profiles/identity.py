"""Identity: links from devices and addresses to users, and the union of two profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_3
from schemas.limits import as_long
from streams.profiles import cart, contents, prices, seen, timed_cart, views
from streams.profiles.answered import united_answered, united_unanswered
from streams.profiles.hours import united_hours
from streams.profiles.keys import is_address, is_device
from streams.profiles.orders import bounded, with_united_orders
from streams.profiles.profile import (
    EMPTY,
    MESSAGES_MAX,
    ORDERS_MAX,
    Adjustment,
    ConsentState,
    Entered,
    OrderMonth,
    PendingMessage,
    PlacedOrder,
    Profile,
    Run,
    Sent,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

HOPS_MAX = 8
USERS_OF_A_DEVICE_MAX = 5
LINKED_MAX = 50
PROFILES_OF_AN_ADDRESS_MAX = 1_000


def forward_target(customer: str, profile: Profile) -> str | None:
    """Return the user to whom a device's records are forwarded, the last linked one; None: they stay.

    A device of more than USERS_OF_A_DEVICE_MAX users is shared, and forwards to none. Before rules 3 an address that a
    device had named counted as a user, and swallowed what the device did.
    """
    if not profile.linked or not is_device(customer):
        return None
    users = profile.linked
    if profile.rules >= RULES_3:
        users = tuple([key for key in users if not is_address(key)])
    return users[-1] if 0 < len(users) <= USERS_OF_A_DEVICE_MAX else None


def with_link(linked: tuple[str, ...], key: str, at_most: int = LINKED_MAX) -> tuple[str, ...]:
    """Return the keys with this one last; the same object if it was the last."""
    if linked and linked[-1] == key:
        return linked
    return (*(other for other in linked if other != key), key)[-at_most:]


def emptied(device: Profile) -> Profile:
    """Return what stays of a device whose profile a user absorbed: its links and clock."""
    return msgspec.structs.replace(EMPTY, clock_ms=device.clock_ms, linked=device.linked, rules=device.rules)


def united(
    user: Profile, device: Profile, device_key: str, rules: int
) -> tuple[Profile, tuple[PlacedOrder, ...], tuple[Run, ...]]:
    """Unite the device's profile with the user's: (profile, orders that were in both, runs that do not go on).

    Orders are united by id, and bounded lists keep the newest by (time, id), so the order of merges does not matter.
    Conversions, touches, sessions, score and slot are left to the modules that have their rules.
    """
    of_user = {order.id_hash: order for order in user.orders}
    in_both = tuple(order for order in device.orders if order.id_hash in of_user)
    orders = of_user | {order.id_hash: _merged_order(order, of_user.get(order.id_hash)) for order in device.orders}
    runs, lost = _united_runs(user.runs, device.runs)
    united_carts = cart.united if rules < RULES_3 else timed_cart.united
    profile = msgspec.structs.replace(
        user,
        clock_ms=max(user.clock_ms, device.clock_ms),
        first_ms=min(user.first_ms or device.first_ms, device.first_ms or user.first_ms),
        seen=seen.united(user.seen, device.seen),
        email_hash=user.email_hash or device.email_hash,
        linked=with_link(user.linked, device_key) if device_key not in user.linked else user.linked,
        orders=tuple(sorted(orders.values(), key=lambda order: (order.time_ms, order.id_hash))),
        months=_united_months(user.months, device.months),
        adjustments=_united_adjustments(user.adjustments, device.adjustments),
        cart=united_carts(user.cart, device.cart),
        answers=_united_answers(user.answers, device.answers),
        consents=united_consents((*user.consents, *device.consents)),
        runs=runs,
        messages=_united_messages(user.messages, device.messages),
        time_zone=user.time_zone or device.time_zone,
        entries=_united_entries(user.entries, device.entries),
        prices=prices.united(user.prices, device.prices),
        views=views.united(user.views, device.views) if device.views else user.views,
        hours=united_hours(user.hours, device.hours),
        answered=united_answered((*user.answered, *device.answered)),
        pending=tuple(sorted((*user.pending, *device.pending), key=_by_departure)),
        order_content=contents.united(user.order_content, device.order_content),
        unanswered=united_unanswered(user, device),
    )
    if rules >= RULES_3:
        return with_united_orders(profile, user, device), in_both, lost
    return bounded(profile), in_both, lost


def united_consents(statements: Iterable[ConsentState]) -> tuple[ConsentState, ...]:
    """Return the latest statement of each channel; of two at the same time a withdrawal wins."""
    latest: dict[str, ConsentState] = {}
    for item in statements:
        other = latest.get(item.channel)
        if other is None or (item.time_ms, not item.granted) > (other.time_ms, not other.granted):
            latest[item.channel] = item
    return tuple(latest[channel] for channel in sorted(latest))


def _by_departure(message: PendingMessage) -> tuple[int, str]:
    return message.goes_ms, message.trigger.trigger_id


def _merged_order(one: PlacedOrder, other: PlacedOrder | None) -> PlacedOrder:
    if other is None:
        return one
    first, second = sorted((one, other), key=lambda order: (order.time_ms, order.total_minor))
    return msgspec.structs.replace(first, refunded_minor=max(first.refunded_minor, second.refunded_minor))


def _united_months(one: tuple[OrderMonth, ...], other: tuple[OrderMonth, ...]) -> tuple[OrderMonth, ...]:
    months = {month.end_ms: month for month in one}
    for month in other:
        same = months.get(month.end_ms, OrderMonth(month.end_ms, 0, 0))
        months[month.end_ms] = OrderMonth(month.end_ms, same.orders + month.orders, as_long(same.minor + month.minor))
    return tuple(months[end_ms] for end_ms in sorted(months))


def _united_adjustments(one: tuple[Adjustment, ...], other: tuple[Adjustment, ...]) -> tuple[Adjustment, ...]:
    union = {item.id_hash: item for item in (*one, *other)}
    return tuple(sorted(union.values(), key=lambda item: (item.time_ms, item.id_hash)))[-ORDERS_MAX:]


def _united_answers(
    one: tuple[tuple[int, int], ...], other: tuple[tuple[int, int], ...]
) -> tuple[tuple[int, int], ...]:
    days = dict(one)
    for day, count in other:
        days[day] = days.get(day, 0) + count
    return tuple(sorted(days.items()))


def _united_messages(one: tuple[Sent, ...], other: tuple[Sent, ...]) -> tuple[Sent, ...]:
    key = [(item.time_ms, item.flow_id, item.channel, item.is_promotional) for item in (*one, *other)]
    return tuple(Sent(time_ms, channel, flow, promo) for time_ms, flow, channel, promo in sorted(set(key)))[
        -MESSAGES_MAX:
    ]


def _united_entries(one: tuple[Entered, ...], other: tuple[Entered, ...]) -> tuple[Entered, ...]:
    last: dict[str, int] = {}
    for item in (*one, *other):
        last[item.flow_id] = max(item.time_ms, last.get(item.flow_id, 0))
    return tuple(Entered(flow_id, last[flow_id]) for flow_id in sorted(last))


def _united_runs(one: tuple[Run, ...], other: tuple[Run, ...]) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    """Return the runs that go on and those that do not: of two in one flow, the first by entry goes on."""
    best: dict[str, Run] = {}
    lost = []
    for run in sorted((*one, *other), key=lambda run: (run.entered_ms, run.candidate_id)):
        if run.flow_id in best:
            lost.append(run)
        else:
            best[run.flow_id] = run
    return tuple(best[flow_id] for flow_id in sorted(best)), tuple(lost)
