"""The union of two profiles that turn out to be of one customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_3, RULES_4
from schemas.limits import as_long
from streams.profiles import cart, contents, prices, seen, timed_cart, traits, views
from streams.profiles.answered import united_answered, united_unanswered
from streams.profiles.entered import Entered
from streams.profiles.hours import united_hours
from streams.profiles.joins import with_users_kept, without_asked
from streams.profiles.keys import ASKED, is_user
from streams.profiles.links import with_link, with_own_link
from streams.profiles.orders import bounded, with_united_orders
from streams.profiles.profile import (
    EMPTY,
    MESSAGES_MAX,
    ORDERS_MAX,
    OrderMonth,
    PendingMessage,
    PlacedOrder,
    Profile,
    Run,
    Sent,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.profiles.order_change import Adjustment
    from streams.profiles.statement import ConsentState


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
    if is_user(device_key):
        united_carts = timed_cart.joined
    profile = msgspec.structs.replace(
        user,
        clock_ms=max(user.clock_ms, device.clock_ms),
        first_ms=min(user.first_ms or device.first_ms, device.first_ms or user.first_ms),
        seen=seen.united(user.seen, device.seen),
        email_hash=user.email_hash or device.email_hash,
        linked=_united_links(user.linked, device, device_key, rules),
        orders=tuple(sorted(orders.values(), key=lambda order: (order.time_ms, order.id_hash))),
        months=_united_months(user.months, device.months),
        adjustments=_united_adjustments(user.adjustments, device.adjustments),
        cart=united_carts(user.cart, device.cart),
        answers=_united_answers(user.answers, device.answers),
        consents=united_consents((*user.consents, *device.consents)),
        runs=runs,
        messages=united_messages(user.messages, device.messages),
        time_zone=user.time_zone or device.time_zone,
        entries=united_entries(user.entries, device.entries),
        prices=prices.united(user.prices, device.prices),
        views=views.united(user.views, device.views) if device.views else user.views,
        hours=united_hours(user.hours, device.hours),
        answered=united_answered((*user.answered, *device.answered)),
        pending=tuple(sorted((*user.pending, *device.pending), key=_by_departure)),
        order_content=contents.united(user.order_content, device.order_content),
        unanswered=united_unanswered(user, device),
        unmatched_ids=tuple(dict.fromkeys((*user.unmatched_ids, *device.unmatched_ids))),
        ids_alone_ms=max(user.ids_alone_ms, device.ids_alone_ms),
        erasure_asked=united_requests(user.erasure_asked, device.erasure_asked),
        country=last_country(user.country, device.country),
        attributes=traits.united(user.attributes, device.attributes),
        asked=(*user.asked, *device.asked) if device.asked else user.asked,
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


def last_country(one: tuple[str, int] | None, other: tuple[str, int] | None) -> tuple[str, int] | None:
    """Return the country that was named last, with that time; of one time it is the one with the greater code."""
    if one is None or other is None:
        return one or other
    return one if (one[1], one[0]) >= (other[1], other[0]) else other


def united_requests(one: tuple[int, int] | None, other: tuple[int, int] | None) -> tuple[int, int] | None:
    """Return the first and the last of the times at which a customer asked to be forgotten; None: they did not."""
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])


def _united_links(linked: tuple[str, ...], other: Profile, other_key: str, rules: int) -> tuple[str, ...]:
    """Return a user's links with those of the other; those of two users are sorted, so that all merges agree."""
    if is_user(other_key):
        # a smaller id would be a mark, as of a user who was merged; only a foreign hand may have put one there
        others = [key for key in other.linked if not is_user(key) or key > other_key]
        both = {*without_asked(linked, other_key), *others, other_key}
        return with_users_kept(tuple(sorted([key for key in both if key in linked or not key.startswith(ASKED)])))
    if other_key in linked:
        return linked
    return with_link(linked, other_key) if rules < RULES_4 else with_own_link(linked, other_key)


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


def united_messages(one: tuple[Sent, ...], other: tuple[Sent, ...]) -> tuple[Sent, ...]:
    """Return the newest messages of both, each once."""
    by_time = sorted({*one, *other}, key=lambda item: (item.time_ms, item.flow_id, *msgspec.structs.astuple(item)[1:]))
    return tuple(by_time)[-MESSAGES_MAX:]


def united_entries(one: tuple[Entered, ...], other: tuple[Entered, ...]) -> tuple[Entered, ...]:
    """Return of each flow the last entry of both."""
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
