"""Credit by rules 2: what a late touch or a merge changes in many conversions is written in slices.

The conversions change at once. One whose rows in the ledger are still older is listed in `Profile.uncredited`, with the
conversions that were written. A slice takes the oldest of them, writes the difference, and leaves the rest. What is
changed again before it is written is written once.
"""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

import msgspec

from schemas.journal import RULES_4
from schemas.limits import PATH_MAX, ROWS_MAX
from streams.attribution import touches as touch_rules
from streams.attribution.ledger import OPEN_MS, by_time, path_of, refunded, rewritten, worth, write_changes
from streams.profiles.bounds import bounded_touches, fitting
from streams.profiles.effects import hash_64
from streams.profiles.profile import CONVERSIONS_MAX, Conversion, Profile, Uncredited

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from schemas.touchpoint import Touchpoint
    from streams.profiles.moment import Moment
    from streams.profiles.order_changes import OrderState
    from streams.profiles.profile import Touch

    Written = dict[str, tuple[Conversion, ...]]
    """By order id: the conversions whose rows the ledger holds."""

_replace = msgspec.structs.replace


def with_order(profile: Profile, event: Touchpoint, at: Moment) -> Profile:
    """Credit an order, whose own touch is already in the profile, and keep it open; a repeated id changes nothing."""
    order = event.order
    if order is None or any(conversion.order_id == order.order_id for conversion in profile.conversions):
        return profile
    path = path_of(profile.touches, event.time_ms, at.settings)[-PATH_MAX:]
    conversion = Conversion(order.order_id, event.time_ms, order.total_minor, order.currency, path, 0)
    write_changes((), conversion, at)
    return with_open(profile, (*profile.conversions, conversion), written_of(profile), at)


def with_refund(profile: Profile, event: Touchpoint, refund_minor: int, at: Moment) -> Profile:
    """Take a refund from its conversion's credit as `ledger.refunded`, and write what else was unwritten of it."""
    order, written = event.order, written_of(profile)
    if order is None or order.order_id not in written:
        return _replace(profile, conversions=refunded(profile, event, refund_minor, at))
    place = next(index for index, each in enumerate(profile.conversions) if each.order_id == order.order_id)
    old = profile.conversions[place]
    profile = _with_written(profile, place, rewritten(written[order.order_id], old, at))
    return _replace(profile, conversions=refunded(profile, event, refund_minor, at))


def with_late_touch(profile: Profile, touch: Touch, at: Moment) -> Profile:
    """Put a late touch, which the profile's touches already hold, into the paths of open conversions.

    The same object if it changes none.
    """
    written, changed = written_of(profile), []
    for conversion in profile.conversions:
        new, path = conversion, _path_with(touch, conversion, at)
        if path != conversion.path:
            written.setdefault(conversion.order_id, (conversion,))
            new = _replace(conversion, path=path)
        changed.append(new)
    if all(new is old for new, old in zip(changed, profile.conversions, strict=True)):
        return profile
    return _begun(profile, with_open(profile, changed, written, at), at)


def with_merged(
    profile: Profile, one: Profile, other: Profile, at: Moment, states: Mapping[int, OrderState] | None = None
) -> Profile:
    """Return the united `profile` with the touches and conversions of both as they were before the merge.

    Paths follow from the united touches. Of an order in both, one set of rows stays. Its value is that of its state, by
    the hash of its id. Without one the lesser value holds, because one profile knows of a refund. Of an order whose
    credit is closed in one of them, the rows of that one stay, as nobody knows them any more.
    """
    closed = closed_of(one, other) if at.rules >= RULES_4 else ()
    touches = touch_rules.united(one.touches, other.touches)
    by_order: dict[str, list[Conversion]] = {}
    written: Written = {}
    for each in (one, other):
        unwritten = written_of(each)
        for conversion in each.conversions:
            order_id = conversion.order_id
            by_order.setdefault(order_id, []).append(conversion)
            written[order_id] = (*written.get(order_id, ()), *unwritten.get(order_id, (conversion,)))
    changed = []
    for olds in by_order.values():
        old = min(olds, key=worth)
        if old.order_id in closed:
            rewritten(written.pop(old.order_id), _replace(old, value_minor=0), at)
            continue
        state = states.get(hash_64(old.order_id)) if states else None
        if state is not None:
            old = settled(old, state, at)
        path = bounded_path((touches, *(each.path for each in olds)), old, at)
        new = old if path == old.path else _replace(old, path=path)
        if written[new.order_id] == (new,):
            del written[new.order_id]
        changed.append(new)
    bounded = bounded_touches(touch_rules.bounded(touches, at.now_ms))
    return _begun(one, with_open(_replace(profile, touches=bounded), changed, written, at), at)


def closed_of(one: Profile, other: Profile) -> set[str]:
    """Return the ids of orders whose credit is open in one of two profiles and closed in the other, which has them."""
    found = set()
    for mine, theirs in ((one, other), (other, one)):
        are_open = {each.order_id for each in theirs.conversions}
        hashes = {order.id_hash for order in theirs.orders}
        ids = [each.order_id for each in mine.conversions if each.order_id not in are_open]
        found.update([order_id for order_id in ids if hash_64(order_id) in hashes])
    return found


def settled(conversion: Conversion, state: OrderState, at: Moment) -> Conversion:
    """Return a conversion with the time and worth of its order; its path may be that of another time."""
    first = state.first
    currency = first.currency or at.settings.reporting_currency
    return _replace(conversion, time_ms=first.time_ms, value_minor=state.left_minor, currency=currency)


def _begun(before: Profile, after: Profile, at: Moment) -> Profile:
    """Write the first slice, or leave it to the slices that are on their way already."""
    return after if before.uncredited else with_slice(after, at)


def with_slice(profile: Profile, at: Moment) -> Profile:
    """Write what is unwritten of the oldest conversions, until ROWS_MAX rows are written; the rest stays unwritten.

    So a slice writes at most ROWS_MAX rows and those of one conversion more.
    """
    begin = len(at.effects.outputs)
    while profile.uncredited and len(at.effects.outputs) - begin < ROWS_MAX:
        item = profile.uncredited[0]
        place = next(index for index, each in enumerate(profile.conversions) if each.order_id == item.order_id)
        profile = _with_written(profile, place, rewritten(item.written, profile.conversions[place], at))
    return profile


def has_wrong_worth(profile: Profile) -> bool:
    """Return whether the rows of an order do not sum to its value, as after a merge until they are written."""
    if not profile.uncredited:
        return False
    by_order = {each.order_id: each for each in profile.conversions}
    return any(_is_wrong(item.written, by_order[item.order_id]) for item in profile.uncredited)


def _is_wrong(written: tuple[Conversion, ...], conversion: Conversion) -> bool:
    """Return whether an order has the rows of two profiles, or of one that did not know what was taken back."""
    if len(written) != 1:
        return len(written) > 1
    (one,) = written
    return one.value_minor != conversion.value_minor or one.currency != conversion.currency


def _with_written(profile: Profile, place: int, new: Conversion) -> Profile:
    """Return the profile with a conversion whose rows are written."""
    conversions = profile.conversions
    return _replace(
        profile,
        conversions=(*conversions[:place], new, *conversions[place + 1 :]),
        uncredited=tuple([item for item in profile.uncredited if item.order_id != new.order_id]),
    )


def _path_with(touch: Touch, conversion: Conversion, at: Moment) -> tuple[Touch, ...]:
    """Return the path with one more touch of the profile; the same object if it does not change.

    The path has the others already, so that each conversion costs one look at its path.
    """
    path, visit = conversion.path, touch.session_hash
    for other in path:
        if other.session_hash == visit and touch_rules.is_repeat(other, touch):
            if touch_rules.by_time(other) <= touch_rules.by_time(touch):
                return path
            path = tuple([each for each in path if each is not other])
            break
    if not path_of((touch,), conversion.time_ms, at.settings):
        return path  # if it began a visit before the lookback, the rest of that visit is not in the path either
    ordered = list(path)
    insort(ordered, touch, key=touch_rules.by_time)
    return tuple(ordered[-PATH_MAX:])


def bounded_path(lists: Iterable[tuple[Touch, ...]], conversion: Conversion, at: Moment) -> tuple[Touch, ...]:
    """Return the path of a conversion by all touches of these lists."""
    return path_of(touch_rules.united(*lists), conversion.time_ms, at.settings)[-PATH_MAX:]


def written_of(profile: Profile) -> Written:
    """Return what the ledger holds of conversions whose credit waits."""
    return {item.order_id: item.written for item in profile.uncredited}


def with_fitting_conversions(profile: Profile, at: Moment) -> Profile:
    """Return the profile with the newest conversions that are within the limits; the others keep their credit."""
    return with_open(profile, profile.conversions, written_of(profile), at)


def with_open(profile: Profile, conversions: Iterable[Conversion], written: Written, at: Moment) -> Profile:
    """Keep the newest CONVERSIONS_MAX that are no older than OPEN_MS and fit, in order.

    One that is left out keeps the rows that it has, which sum to its value. So one whose rows do not stays until they
    are written.
    """
    oldest_ms = at.now_ms - OPEN_MS
    ordered = sorted(
        [each for each in conversions if each.time_ms >= oldest_ms or each.order_id in written], key=by_time
    )
    first = len(ordered) - fitting(tuple(ordered[-CONVERSIONS_MAX:]), written)
    kept = tuple(
        [
            each
            for index, each in enumerate(ordered)
            if index >= first or _is_wrong(written.get(each.order_id, ()), each)
        ]
    )
    uncredited = tuple([Uncredited(each.order_id, written[each.order_id]) for each in kept if each.order_id in written])
    return _replace(profile, conversions=kept, uncredited=uncredited)
