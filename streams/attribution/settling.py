"""Credit from rules 3 on: what the ledger holds of an order follows from all that happened to it.

An open conversion is worth what is left of its order. Where none is open, what was taken back is UNATTRIBUTED_REFUND,
until the order comes in. An order that is older than OPEN_MS when it comes in is credited whole and never open.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_4
from schemas.limits import DATES_MAX, PATH_MAX
from streams.attribution.ledger import (
    OPEN_MS,
    path_of,
    rewritten,
    write_changes,
    write_direct,
    write_unattributed,
)
from streams.attribution.slices import bounded_path, closed_of, settled, with_open, with_refund, written_of
from streams.profiles.effects import hash_64
from streams.profiles.order_changes import beyond, is_foreign_refund, state_of, united_changes
from streams.profiles.profile import Conversion, Profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.touchpoint import Order, Touchpoint
    from streams.profiles.moment import Moment
    from streams.profiles.order_changes import Changes, OrderState

    Unattributed = Counter[tuple[int, str]]
    """(time, currency or empty) -> minor units, below 0."""

_replace = msgspec.structs.replace


def with_order_credit(
    profile: Profile, event: Touchpoint, order: Order, histories: tuple[Changes, Changes], at: Moment
) -> Profile:
    """Bring the ledger from an order's history before an event of it to that after it, both of which may be empty."""
    before, after = histories
    order_id, known, state = order.order_id, state_of(before) is not None, state_of(after)
    place = _place_of(profile, order_id)
    if state is None:
        if place is not None:
            if at.rules >= RULES_4 and not profile.conversions[place].value_minor:
                return profile  # another profile owns the order
            # beyond the bounds of a profile its conversion outlives the order
            return with_refund(profile, event, order.total_minor, at)
        _write_difference(order_id, _unattributed(before), _unattributed(after), at)
        return profile
    if place is not None:
        was = _written(before, is_open=True, at=at)
        _write_difference(order_id, was, _unattributed(after, is_open=True), at)
        return _resettled(profile, place, state, at)
    if known:
        _write_difference(order_id, _unattributed(before), _unattributed(after), at)
        if at.rules >= RULES_4:
            _write_closed(order_id, state_of(before), state, at)
        return profile
    is_open = state.first.time_ms >= at.now_ms - OPEN_MS
    if before:
        _write_difference(order_id, _unattributed(before), _unattributed(after, is_open=is_open), at)
    path = path_of(profile.touches, state.first.time_ms, at.settings)[-PATH_MAX:]
    conversion = settled(Conversion(order_id, 0, 0, "", path, 0), state, at)
    if not is_open:
        conversion = _replace(conversion, value_minor=state.first.minor)
    write_changes((), conversion, at)
    return with_open(profile, (*profile.conversions, conversion), written_of(profile), at)


def with_owners_credit(profile: Profile, order_id: str, histories: tuple[Changes, Changes], at: Moment) -> Profile:
    """Bring the ledger to what an order's owner holds of it, or to nothing: then the history after is empty.

    A conversion that is not its profile's stays open with a worth of 0, so that its rows keep ids of their own.
    """
    before, after = histories
    known, state, place = state_of(before), state_of(after), _place_of(profile, order_id)
    if place is not None:
        was, now = _written(before, is_open=True, at=at), _written(after, is_open=True, at=at)
        _write_difference(order_id, was, now, at)
        return _resettled(profile, place, state, at)
    is_open = state is not None and known is None and state.first.time_ms >= at.now_ms - OPEN_MS
    _write_difference(order_id, _unattributed(before), _unattributed(after, is_open=is_open), at)
    if state is not None and is_open:
        path = path_of(profile.touches, state.first.time_ms, at.settings)[-PATH_MAX:]
        conversion = settled(Conversion(order_id, 0, 0, "", path, 0), state, at)
        write_changes((), conversion, at)
        return with_open(profile, (*profile.conversions, conversion), written_of(profile), at)
    _write_closed(order_id, known, state, at)
    return profile


def _write_closed(order_id: str, before: OrderState | None, after: OrderState | None, at: Moment) -> None:
    """Bring the ledger from an order's amount to another where the credit is closed; None: the order is not known.

    The order is so old that none of its touches is kept.
    """
    was, now = (None if each is None else (each.first.minor, each.first.currency) for each in (before, after))
    if was == now:
        return
    for state, sign in ((before, -1), (after, 1)):
        if state is not None:
            first = state.first
            dated = first.time_ms, first.currency or at.settings.reporting_currency
            write_direct(order_id, dated, sign * first.minor, at)


def write_matched(
    one: Profile,
    other: Profile,
    histories: Mapping[int, tuple[Changes, Changes]],
    states: Mapping[int, OrderState],
    at: Moment,
) -> None:
    """Take out what two profiles of a merge hold as unattributed of orders whose conversion is open in either.

    From rules 4 on also what both hold of an order that neither knows.
    """
    room, closed = DATES_MAX, closed_of(one, other) if at.rules >= RULES_4 else ()
    order_ids = [each.order_id for each in (*one.conversions, *other.conversions)]
    for order_id in dict.fromkeys((*order_ids, *one.unmatched_ids, *other.unmatched_ids)):
        id_hash = hash_64(order_id)
        if id_hash not in histories or (at.rules < RULES_4 and id_hash not in states):
            continue
        are_open, before = False, Counter[tuple[int, str]]()
        for profile, history in zip((one, other), histories[id_hash], strict=True):
            is_open = _place_of(profile, order_id) is not None
            before.update(_written(history, is_open=is_open, at=at))
            are_open = are_open or (is_open and order_id not in closed)
        union = united_changes(*histories[id_hash])
        room -= _write_difference(order_id, before, _written(union, is_open=are_open, at=at), at, room)


def _place_of(profile: Profile, order_id: str) -> int | None:
    for place, conversion in enumerate(profile.conversions):
        if conversion.order_id == order_id:
            return place
    return None


def _resettled(profile: Profile, place: int, state: OrderState | None, at: Moment) -> Profile:
    """Return the profile with an open conversion as its order is now; None: it is worth nothing here."""
    conversions, written = profile.conversions, written_of(profile)
    old = conversions[place]
    new = settled(old, state, at) if state is not None else _replace(old, value_minor=0)
    if new.time_ms != old.time_ms:
        new = _replace(new, path=bounded_path((profile.touches, old.path), new, at))
    if new == old:
        return profile
    new = rewritten(written.pop(old.order_id, (old,)), new, at)
    return with_open(profile, (*conversions[:place], new, *conversions[place + 1 :]), written, at)


def _written(history: Changes, *, is_open: bool, at: Moment) -> Unattributed:
    """Return what of an order has rows as unattributed.

    From rules 4 on, what came in of an order that another profile owns has none while its conversion is open.
    """
    if is_open and at.rules >= RULES_4 and state_of(history) is None:
        return Counter()
    return _unattributed(history, is_open=is_open)


def _unattributed(history: Changes, *, is_open: bool = False) -> Unattributed:
    """Return what of an order is unattributed; if its conversion is open, only what that is not worth.

    Those are refunds in another currency, and what was refunded beyond the order.
    """
    found: Unattributed = Counter()
    state = state_of(history)
    if state is None:
        for change in history:
            found[change.time_ms, change.currency] -= change.minor
        return found
    currency = state.first.currency
    for change, minor in state.taken:
        if is_foreign_refund(change, state):
            found[change.time_ms, change.currency] -= change.minor
        elif not is_open:
            found[change.time_ms, currency] -= minor
    for change, minor in beyond(state).items():
        found[change.time_ms, currency] -= minor
    return found


def _write_difference(
    order_id: str, before: Unattributed, after: Unattributed, at: Moment, room: int = DATES_MAX
) -> int:
    """Write what of an order is unattributed now and was not, or the other way; return how many dates that has.

    If they are more than there is room for, all is dated as the last.
    """
    differences = {dated: after[dated] - before[dated] for dated in sorted({*before, *after})}
    changed = {dated: minor for dated, minor in differences.items() if minor}
    dates = len(changed)
    if dates > room:
        last_ms, sums = max(changed)[0], Counter[str]()
        for (_, currency), minor in changed.items():
            sums[currency] += minor
        changed = {(last_ms, currency): minor for currency, minor in sums.items() if minor}
    for (time_ms, currency), minor in changed.items():
        write_unattributed(order_id, (time_ms, currency or at.settings.reporting_currency), minor, at)
    return min(dates, room)
