"""What two users have after the undo of their merge: the survivor all but what came with the other one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from streams.profiles import seen, traits
from streams.profiles.identity import united_entries, united_messages, united_requests
from streams.profiles.joins import with_users_kept
from streams.profiles.keys import ADDRESS, ASKED
from streams.profiles.mailboxes import with_mailboxes
from streams.profiles.order_changes import state_of, united_changes
from streams.profiles.orders import bounded, histories_of, with_history
from streams.profiles.sides import (
    divided_cart,
    divided_days,
    divided_hours,
    divided_lists,
    divided_mailboxes,
    divided_months,
    divided_value,
)
from streams.profiles.statements import united_statements

if TYPE_CHECKING:
    from streams.profiles.order_changes import Changes
    from streams.profiles.profile import Profile
    from streams.profiles.sides import Sides
    from streams.profiles.statement import ConsentState, Mailbox

_replace = msgspec.structs.replace
_SCALARS = (
    "first_ms",
    "user_id",
    "lifecycle",
    "cluster",
    "clusters_version",
    "time_zone",
    "country",
    "order_content",
    "adjustments",
)


class OrdersOf(NamedTuple):
    """What happened to an order by who knows it."""

    now: Changes
    survivor: Changes
    """What the survivor keeps."""
    absorbed: Changes
    """What the other user has again."""


def divided_orders(sides: Sides) -> dict[int, OrdersOf]:
    """Return by hash the orders of the other user. They have what is known of them now, unless both had an order.

    An order that was in both profiles stays with the survivor, as does one that was only completed since.
    """
    absorbed = sides.absorbed
    ids = sorted({order.id_hash for order in absorbed.orders} | {each.order_hash for each in absorbed.changes})
    now, before, own = (histories_of(each, ids) for each in (sides.now, sides.before, absorbed))
    found = {}
    for id_hash in ids:
        if not now[id_hash]:  # it went to another owner since
            found[id_hash] = OrdersOf((), (), ())
        elif not before[id_hash] and state_of(own[id_hash]) is None and state_of(now[id_hash]) is not None:
            found[id_hash] = OrdersOf(now[id_hash], now[id_hash], ())
        elif before[id_hash]:
            since = [change for change in now[id_hash] if change not in own[id_hash]]
            found[id_hash] = OrdersOf(now[id_hash], united_changes(before[id_hash], tuple(since)), ())
        else:
            found[id_hash] = OrdersOf(now[id_hash], (), united_changes(own[id_hash], now[id_hash]))
    return found


def survivor_of(sides: Sides, orders: dict[int, OrdersOf]) -> Profile:
    """Return the survivor's profile without what came with the other user; credit and candidates are as they are."""
    scalars = {name: divided_value(sides, name) for name in _SCALARS}
    boxes, lists = divided_mailboxes(sides), divided_lists(sides)
    profile = _replace(
        sides.now,
        **scalars,
        **lists,
        answers=divided_days(sides),
        hours=divided_hours(sides),
        attributes=traits.divided(sides, lists["touches"]),
        cart=divided_cart(sides),
        linked=_linked(sides, boxes),
        consents=_consents(sides),
        mailboxes=boxes,
        email_hash=None,
        email_ms=0,
    )
    profile = with_mailboxes(profile, ())
    return _with_orders(profile, sides, {id_hash: each.survivor for id_hash, each in orders.items()})


def absorbed_of(sides: Sides, orders: dict[int, OrdersOf]) -> Profile:
    """Return the other user's profile as it was, with what counts for both; credit and candidates are left out."""
    now, own = sides.now, sides.absorbed
    news = {box.address: box for box in now.mailboxes}
    boxes = [_news_of(news[box.address]) for box in own.mailboxes if box.address in news]
    profile = _replace(
        own,
        clock_ms=now.clock_ms,
        seen=seen.united(own.seen, now.seen),
        consents=united_statements((*own.consents, *[each for each in now.consents if not each.grants])),
        messages=united_messages(own.messages, now.messages),
        entries=united_entries(own.entries, now.entries),
        unanswered=max(own.unanswered, now.unanswered),
        erasure_asked=united_requests(own.erasure_asked, now.erasure_asked),
        cart=own.cart if now.cart is not None or sides.merged.cart is None else None,
        score=None,
        slot_ms=0,
        wake_ms=0,
        runs=(),
        pending=(),
        entry_timers=(),
    )
    profile = _without_known(profile, {id_hash: each.absorbed for id_hash, each in orders.items()})
    return with_mailboxes(profile, boxes)


def shared_of(sides: Sides) -> dict[str, int]:
    """Return how much could not be divided and holds for both: of what is known now, and the other user had not."""
    messages = set(sides.now.messages) - set(sides.absorbed.messages)
    said = {item for item in sides.now.consents if not item.grants} - set(sides.absorbed.consents)
    found = {"messages": len(messages), "withdrawals": len(said)}
    return {name: count for name, count in found.items() if count}


def _linked(sides: Sides, boxes: tuple[Mailbox, ...]) -> tuple[str, ...]:
    """Return the survivor's keys without those that came with the other user, but for addresses of theirs."""
    came = {sides.source, *[key for key in sides.merged.linked if key not in sides.before.linked]}
    came -= {ADDRESS + box.address for box in boxes if box.last_ms}
    kept = [key for key in sides.now.linked if key not in came or key.startswith(ASKED)]
    gone = [key for key in sides.merged.linked if key not in sides.now.linked]
    lost = [key for key in sides.before.linked if key not in sides.merged.linked and key not in gone]
    lost = [key for key in lost if not key.startswith(ASKED) and key not in kept]
    if {*kept, *lost} == set(sides.before.linked):
        return sides.before.linked
    return with_users_kept((*lost, *kept))


def _consents(sides: Sides) -> tuple[ConsentState, ...]:
    """Return what the survivor said and what came since; of the other user only what forbids something.

    A grant may have been given its address since.
    """
    known, theirs = set(sides.before.consents), {*sides.absorbed.consents, *sides.merged.consents}
    came = theirs - known
    came_any = {_unaddressed(each) for each in theirs} - {_unaddressed(each) for each in known}
    now = [
        each
        for each in sides.now.consents
        if not each.grants or (each not in came and _unaddressed(each) not in came_any)
    ]
    held = {_unaddressed(each) for each in (*now, *sides.merged.consents)}
    lost = [each for each in sides.before.consents if each.grants and _unaddressed(each) not in held]
    return united_statements((*now, *lost))


def _unaddressed(item: ConsentState) -> ConsentState:
    return _replace(item, address="")


def _news_of(box: Mailbox) -> Mailbox:
    """Return what is known of an address, but not when who named it."""
    return _replace(box, first_ms=0, last_ms=0, is_own=False, linked_ms=0)


def _with_orders(profile: Profile, sides: Sides, histories: dict[int, Changes]) -> Profile:
    """Return the survivor's profile with these orders, and with those that the merge moved into months."""
    gone = {id_hash for id_hash, history in histories.items() if not history}
    known = {order.id_hash for order in sides.merged.orders}
    lost = () if sides.merged.months == sides.before.months else sides.before.orders
    orders = [order for order in profile.orders if order.id_hash not in gone]
    orders += [order for order in lost if order.id_hash not in known]
    changes = tuple([change for change in profile.changes if change.order_hash not in gone])
    listed = tuple(sorted(orders, key=lambda order: (order.time_ms, order.id_hash)))
    profile = bounded(_replace(profile, orders=listed, changes=changes, months=divided_months(sides)))
    for id_hash, history in histories.items():
        if history:
            profile = with_history(profile, id_hash, history)
    return profile


def _without_known(profile: Profile, histories: dict[int, Changes]) -> Profile:
    """Return the other user's profile with what is known of their orders now."""
    gone = {id_hash for id_hash, history in histories.items() if not history}
    orders = tuple([order for order in profile.orders if order.id_hash not in gone])
    changes = tuple([change for change in profile.changes if change.order_hash not in gone])
    profile = _replace(profile, orders=orders, changes=changes)
    for id_hash, history in histories.items():
        if history:
            profile = with_history(profile, id_hash, history)
    return profile
